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
        interpreterdata::{HandedOut, InterpreterData31},
        process::{self, MAIN_INTERPRETER},
        start,
        thread::with_current_thread,
    },
    import_module,
    python::{
        Callback, Cpython, Interpreter, Python, ThreadState, calls, dict, exceptions, ffi,
        gil::{Gil, with_gil},
        object::{Object, Owned},
        sequence, text,
        threads::OwnState,
    },
    server::{log, messages::Message, settings},
};
use std::{
    ffi::{CStr, c_char, c_void},
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

/// `get_interpreter` of generations 3.1 to 3.3: as [`get`].
///
/// # Safety
///
/// As for [`get`].
pub unsafe fn get31(
    name: *const c_char,
    make: Option<impl FnOnce(*const c_char) -> *mut ffi::PyInterpreterState>,
    callback: impl FnOnce(*const c_char) -> *mut ffi::PyObject,
    apache: Apache,
) -> *mut InterpreterData31 {
    // SAFETY: the caller's promise.
    let acquired = unsafe { get(name, make, callback, apache) };
    acquired.map_or(ptr::null_mut(), |(kept, callback)| kept.data.hand_out31(callback.as_ptr()))
}

/// `get_interpreter`. `make` is the `make_interpreter` that the host has registered, `callback` its `make_obcallback`
/// or the default. Both are called with the GIL held, `callback` in the interpreter, and with the name that
/// mod_python's own function would give them, which is never NULL. None on failure, without the GIL.
///
/// # Safety
///
/// As this file says. `make` and `callback` do what the structures of hosts say of these functions.
pub unsafe fn get(
    name: *const c_char,
    make: Option<impl FnOnce(*const c_char) -> *mut ffi::PyInterpreterState>,
    callback: impl FnOnce(*const c_char) -> *mut ffi::PyObject,
    apache: Apache,
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
    let make = |gil: &mut Gil| match make {
        Some(make) => make_by(gil, || make(told)),
        None => acquire::new_interpreter(gil),
    };
    let callback = |gil: &mut Gil| {
        // SAFETY: a new reference or NULL, as the structures of hosts say.
        let callback = unsafe { Owned::from_new(gil, callback(told)) }?;
        if apache == Apache::Patched {
            check_shim(gil);
        }
        Some(callback)
    };
    with_current_thread(|thread| acquire::acquire(thread, name, make, callback)).flatten()
}

/// The apache.py of a generation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Apache {
    /// It activates the shim at its end.
    Patched,
    /// Nothing is added to it, since the generation has an importer of its own (3.3).
    AsItWas,
}

/// Says once a process that the interpreter's apache.py is not the patched one.
fn check_shim(gil: &Gil) {
    static LINES: log::Limited = log::Limited::new();
    let apache = dict::get_named(gil, dict::modules(gil), c"mod_python.apache");
    if apache.is_some_and(|apache| !import_module::is_active(gil, apache.object())) {
        LINES.line(
            b"",
            Message::NotPatched,
            "import_module stays mod_python's own: the installed mod_python/apache.py is not the patched one, which \
             came with this build",
        );
    }
}

/// `release_interpreter`.
///
/// # Safety
///
/// The GIL is held with the state of this thread's innermost acquisition; without one, a line is logged.
pub unsafe fn release() {
    static LINES: log::Limited = log::Limited::new();
    let released = with_current_thread(|thread| {
        // SAFETY: the caller's promise.
        Python::attached().is_some_and(|state| unsafe { acquire::release_innermost(thread, state) })
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
/// saved under other names has not come from us, and is refused. The notice comes first; switched off, the answer is
/// that of `stock`, mod_python's own function. `hand_out` gives a generation's structure for an unknown callback.
///
/// # Safety
///
/// As this file says.
pub unsafe fn save<T>(
    generation: &str,
    name: *const c_char,
    stock: Option<impl FnOnce() -> *mut c_void>,
    hand_out: impl FnOnce(&HandedOut) -> *mut T,
) -> *mut T {
    log_active(generation);
    if let Some(stock) = stock {
        return stock().cast();
    }
    // SAFETY: the caller's promise.
    let kept = unsafe { save_main(name) };
    kept.map_or(ptr::null_mut(), |kept| hand_out(&kept.data))
}

/// # Safety
///
/// As for [`save`].
unsafe fn save_main(name: *const c_char) -> Option<Rc<OwnState<HandedOut>>> {
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
fn make_by(_: &mut Gil, make: impl FnOnce() -> *mut ffi::PyInterpreterState) -> Option<Made> {
    let before = Python::attached();
    let made = Interpreter::new(make());
    // SAFETY: the GIL is held all the time, and the state is the one from before, which is this thread's.
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

/// The default `make_obcallback`: a new reference to what `init` of mod_python.apache returns, called with what
/// `arguments` makes, a tuple. NULL on failure, with the error printed.
///
/// # Safety
///
/// The GIL is held.
pub unsafe fn make_obcallback(arguments: impl FnOnce(&Gil) -> Option<Owned>) -> *mut ffi::PyObject {
    // SAFETY: the caller's promise.
    unsafe { with_gil(|gil| call_init(gil, arguments(gil)).map_or_else(ptr::null_mut, Owned::into_ptr)) }
}

fn call_init(gil: &Gil, arguments: Option<Owned>) -> Option<Owned> {
    let callback = arguments.and_then(|arguments| {
        let apache = calls::import_named(gil, c"mod_python.apache")?;
        let init = calls::attribute_named(gil, &apache, c"init")?;
        calls::call_with_tuple(gil, init.object(), &arguments)
    });
    if callback.is_none() {
        log::line(
            Message::CallbackFailed,
            "mod_python.apache could not be imported, or its init() failed; the error follows",
        );
        exceptions::print(gil);
    }
    callback
}

/// The arguments of `init` from generation 3.2 on: the name, and None for the server. None with an exception set on
/// failure.
///
/// # Safety
///
/// `name` is NULL or NUL-terminated.
pub unsafe fn init_arguments(gil: &Gil, name: *const c_char) -> Option<Owned> {
    // SAFETY: the caller's promise.
    let name = text::new(gil, unsafe { CStr::from_ptr(named(name)) }.to_bytes())?;
    sequence::tuple(gil, &[name.object(), Object::none()])
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
