//! The handling of arguments that the functions of all generations share.
//!
//! The contract, for every function that C calls:
//!
//! - Pointers are NULL or valid for the time of the call; a name is NULL or NUL-terminated, and may hold any byte. A
//!   NULL name is `main_interpreter`. Names are copied where they are kept.
//! - An acquisition that fails returns NULL, holds nothing, and has said why in the error log. One that succeeds
//!   returns with the GIL held, and the structure it returns is this thread's until the release.
//! - No panic leaves: what could panic is pure, and caught step by step, since CPython may end a thread inside a call
//!   that takes the GIL, and no `catch_unwind` may stand around that.

use crate::{
    embedding::{
        acquire::{self, Made},
        interpreterdata::HandedOut,
        process::{self, MAIN_INTERPRETER},
        start,
        thread::with_current_thread,
    },
    import_module,
    python::{Callback, Cpython, Interpreter, Python, ThreadState, ffi, threads::OwnState},
    server::{log, messages::Message, settings},
};
use std::{
    ffi::{CStr, c_char},
    ptr,
    rc::Rc,
    sync::atomic::{AtomicPtr, Ordering},
};

/// Where a generation keeps the functions that its host has registered: a pointer to a structure of the host, which
/// lives as long as the host is loaded.
pub struct Registered<H>(AtomicPtr<H>);

impl<H> Registered<H> {
    /// No host yet.
    pub const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Takes the place of the host before; NULL means none.
    pub fn set(&self, host: *const H) {
        self.0.store(host.cast_mut(), Ordering::Release);
    }

    /// The host that has registered last.
    ///
    /// # Safety
    ///
    /// It is still loaded.
    pub unsafe fn get(&self) -> Option<&H> {
        // SAFETY: NULL or a structure of a host that is loaded, says the caller.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// The registered host, but only while MODPYTHON_CORE=off: its own functions are then called instead of ours.
    ///
    /// # Safety
    ///
    /// As for [`get`](Self::get).
    pub unsafe fn switched_off(&self) -> Option<&H> {
        // SAFETY: the caller's promise.
        if settings::of_process().off { unsafe { self.get() } } else { None }
    }
}

/// The name in an argument: NULL stands for the main interpreter, to mod_python's own functions too.
fn named(name: *const c_char) -> *const c_char {
    if name.is_null() { c"main_interpreter".as_ptr() } else { name }
}

/// `get_interpreter`. `make` and `callback` as for [`acquire::acquire`], with the name that mod_python's own function
/// would give them, which is never NULL.
///
/// # Safety
///
/// As this file says. Python is initialised, or nothing happens.
pub unsafe fn get(
    name: *const c_char,
    make: impl FnOnce(*const c_char) -> Option<Made>,
    callback: impl FnOnce(*const c_char) -> *mut ffi::PyObject,
) -> Option<(Rc<OwnState<HandedOut>>, Callback)> {
    let told = named(name);
    // SAFETY: the caller's promise.
    let name = unsafe { CStr::from_ptr(told) }.to_bytes();
    if !Python::is_initialized() {
        static LINES: log::Limited = log::Limited::new();
        LINES.line(b"", Message::NotInitialised, "an interpreter is asked for, but Python is not initialised");
        return None;
    }
    if name == MAIN_INTERPRETER && process::registry().get(name).is_none() {
        process::registry().adopt(name, Python::main_interpreter());
    }
    with_current_thread(|thread| acquire::acquire(thread, name, || make(told), || callback(told))).flatten()
}

/// Passes a callback on, and says once a process where its apache.py is not the patched one. Not for generation 3.3,
/// which has an importer of its own and an apache.py that nothing is added to.
///
/// # Safety
///
/// The GIL is held in the interpreter of the callback, which may be NULL.
pub unsafe fn with_shim(callback: *mut ffi::PyObject) -> *mut ffi::PyObject {
    static LINES: log::Limited = log::Limited::new();
    if callback.is_null() {
        return callback;
    }
    // SAFETY: as the caller promises; the module is borrowed from sys.modules.
    let installed = unsafe {
        let apache = ffi::PyDict_GetItemString(ffi::PyImport_GetModuleDict(), c"mod_python.apache".as_ptr());
        apache.is_null() || import_module::is_installed(apache)
    };
    if !installed {
        LINES.line(
            b"",
            Message::NotPatched,
            "import_module stays mod_python's own: the installed mod_python/apache.py is not the patched one, which \
             came with this build",
        );
    }
    callback
}

/// `release_interpreter`.
///
/// # Safety
///
/// The GIL is held with the state of this thread's innermost acquisition; without one, a line is logged.
pub unsafe fn release() {
    static LINES: log::Limited = log::Limited::new();
    let released = with_current_thread(|thread| {
        let innermost = Python::attached().is_some_and(|state| thread.threads.runs_on(state));
        if innermost {
            // SAFETY: the state of the innermost acquisition is current, in this thread.
            unsafe { acquire::release(thread) };
        }
        innermost
    });
    if released != Some(true) {
        LINES.line(
            b"",
            Message::ReleasedTooOften,
            "release_interpreter without an interpreter of this thread: ignored",
        );
    }
}

/// `save_interpreter`, by which the child's start enters the main interpreter: this thread's structure for it. What is
/// saved under other names has not come from us, and is refused.
///
/// # Safety
///
/// As this file says.
pub unsafe fn save(name: *const c_char) -> Option<Rc<OwnState<HandedOut>>> {
    // SAFETY: the caller's promise.
    let name = unsafe { CStr::from_ptr(named(name)) }.to_bytes();
    if name != MAIN_INTERPRETER || !Python::is_initialized() {
        log::line(
            Message::SavedOther,
            &format!("save_interpreter('{}'): only the main one is saved", name.escape_ascii()),
        );
        return None;
    }
    let main = Python::main_interpreter();
    // SAFETY: the main interpreter lives as long as Python.
    with_current_thread(|thread| unsafe { thread.threads.select(main, HandedOut::new) }).flatten()
}

/// Makes an interpreter by a host's own `make_interpreter`, which leaves the GIL held and no state current, and returns
/// NULL on failure.
///
/// # Safety
///
/// The GIL is held with a state of this thread.
pub unsafe fn make_by(make: impl FnOnce() -> *mut ffi::PyInterpreterState) -> Option<Made> {
    let before = Python::attached();
    let made = Interpreter::new(make());
    // SAFETY: the GIL is held, and the state is the one from before.
    before.map(|before| unsafe { Python::swap(before) });
    made.map(Made::Left)
}

/// The default `make_interpreter`: Py_NewInterpreter. Returns NULL on failure. No state is current afterwards.
///
/// # Safety
///
/// The GIL is held.
pub unsafe fn make_interpreter() -> *mut ffi::PyInterpreterState {
    // SAFETY: the caller's promise; the new state is alive.
    unsafe {
        let state: Option<ThreadState> = Python::new_interpreter();
        let interpreter = state.map_or(ptr::null_mut(), |state| Python::interpreter_of(state).as_ptr());
        Python::swap_out();
        interpreter
    }
}

/// The default `make_obcallback`: what `init` of mod_python.apache returns, called with these arguments (a tuple,
/// taken over; NULL has failed already). NULL on failure, with the error printed.
///
/// # Safety
///
/// The GIL is held.
pub unsafe fn make_obcallback(arguments: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the GIL is held; each call gets live objects, and gives a new reference or NULL.
    unsafe {
        let mut callback = ptr::null_mut();
        let apache = if arguments.is_null() {
            ptr::null_mut()
        } else {
            ffi::PyImport_ImportModule(c"mod_python.apache".as_ptr())
        };
        if !apache.is_null() {
            let init = ffi::PyObject_GetAttrString(apache, c"init".as_ptr());
            if !init.is_null() {
                callback = ffi::PyObject_CallObject(init, arguments);
            }
            ffi::Py_XDECREF(init);
        }
        if callback.is_null() {
            log::line(
                Message::CallbackFailed,
                "mod_python.apache could not be imported, or its init() failed; the error follows",
            );
            ffi::PyErr_Print();
        }
        ffi::Py_XDECREF(apache);
        ffi::Py_XDECREF(arguments);
        callback
    }
}

/// `PyOS_AfterFork` in the child's start. A state of the main interpreter is current afterwards. Switched off as well:
/// Python 2.7 crashes without one, as raw generation 3.1 does, and no child would live to serve anything.
///
/// # Safety
///
/// Called in place of `PyOS_AfterFork`, in a child that has one thread, which holds the GIL.
pub unsafe fn after_fork() {
    // SAFETY: the caller's promise.
    unsafe { start::after_fork() }
}

/// The same for a generation that saves no interpreter afterwards, and runs on no state: none is current then. Switched
/// off, what was current is again.
///
/// # Safety
///
/// As for [`after_fork`].
pub unsafe fn after_fork_alone(generation: &str) {
    let before = Python::attached();
    // SAFETY: the caller's promise; the GIL is held all the time.
    unsafe {
        after_fork();
        if before.is_none() || !settings::of_process().off {
            Python::swap_out();
        }
    }
    log_active(generation);
}

/// Says what runs, in the child's start.
pub fn log_active(generation: &str) {
    start::log_active(generation, if settings::of_process().off { start::OFF } else { start::ACTIVE });
}

/// The arguments of `init` from generation 3.2 on: the name, and None for the server.
///
/// # Safety
///
/// The GIL is held, and `name` is NULL or NUL-terminated.
pub unsafe fn init_arguments(name: *const c_char) -> *mut ffi::PyObject {
    // SAFETY: the caller's promise; the format names one string and one object, both alive.
    unsafe { ffi::Py_BuildValue(c"(sO)".as_ptr(), named(name), ffi::Py_None()) }
}
