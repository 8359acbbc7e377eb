//! The replacement imports, as C sees them. Each passes on what is not part of the interpreter path.
//!
//! The boundary, for all of them: pointers are the module's and as valid as in its call of the original; failure is
//! the original's failure value; no panic leaves (what could panic is pure, and caught in `acquire`).

use super::{
    super::host::{self, Cleanup},
    acquire, learn, result,
    thread::{Start, Step, here},
};
use crate::{
    extension, process,
    python::{Cpython, Cpython3 as Python, ThreadState},
};
use pyo3_ffi as ffi;
use std::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

/// `Py_Initialize`. After a graceful restart the module has been loaded anew while Python went on: the stock module
/// would go on without a thread state, which ends the server. So the state it had given up is taken back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_Py_Initialize() {
    if Python::is_initialized() {
        // Another module may have initialised Python, and run on with the GIL held.
        let _not_taken_back = here(|thread| thread.threads.leave());
        let state = learn::global_state().or_else(Python::gil_state);
        // SAFETY: without the GIL now; Python runs, so the main interpreter lives, and a state of it is alive.
        unsafe {
            let state = state.or_else(|| Python::new_state(Python::main_interpreter()));
            Python::attach(state.expect("no memory for a thread state while the server starts"));
        }
    } else {
        // SAFETY: as the module called it.
        unsafe { ffi::Py_Initialize() };
    }
    learn::begin();
    here(|thread| thread.start.set(Start::Initialized));
    if !process::settings().off {
        // SAFETY: the GIL is held since Python's start, or has been taken back above.
        unsafe { extension::prepare() };
    }
    if let Err(error) = process::guard_forks() {
        let error = std::io::Error::from_raw_os_error(error);
        super::super::log::line(super::super::log::WARNING, &format!("forks of a request are not guarded: {error}"));
    }
}

/// The function by which a module of Python comes into being.
type InitFunction = unsafe extern "C" fn() -> *mut ffi::PyObject;

/// `PyImport_AppendInittab` of `_apache`, which newer builds call before each Py_Initialize. After initialisation it
/// would be fatal from 3.12 on, and before that leave a pointer into the unloaded module in front: so the name is
/// registered once, with a function that calls the newest load's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_PyImport_AppendInittab(name: *const c_char, init: Option<InitFunction>) -> c_int {
    static NEWEST: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
    unsafe extern "C" fn call_newest() -> *mut ffi::PyObject {
        let newest = NEWEST.load(Ordering::Relaxed);
        // SAFETY: only functions of that type are stored, and the module that exports the newest one is loaded.
        unsafe { std::mem::transmute::<*mut c_void, InitFunction>(newest)() }
    }
    // SAFETY: the module passes a NUL-terminated name.
    let ours = init.filter(|_| unsafe { CStr::from_ptr(name) } == c"_apache");
    let Some(init) = ours else {
        // SAFETY: as the module called it.
        return unsafe { ffi::PyImport_AppendInittab(name, init) };
    };
    let first = NEWEST.swap(init as *mut c_void, Ordering::Relaxed).is_null();
    if first && !Python::is_initialized() {
        // SAFETY: before initialisation, with a name that lives as long as this library, which is never unloaded.
        return unsafe { ffi::PyImport_AppendInittab(c"_apache".as_ptr(), Some(call_newest)) };
    }
    0
}

/// `apr_hash_make`; the first after Py_Initialize in python_init is the hash of the interpreters.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_apr_hash_make(pool: *mut c_void) -> *mut c_void {
    // SAFETY: as the module called it.
    let hash = unsafe { host::mpc_host_hash_make(pool) };
    here(|thread| {
        if thread.start.get() == Start::Initialized {
            learn::interpreters_are(hash);
            thread.start.set(Start::HashMade);
        }
    });
    hash
}

/// `PyEval_SaveThread`. python_init and the child's start give the global state up by it, and are given the token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_PyEval_SaveThread() -> *mut c_void {
    // SAFETY: the module holds the GIL.
    let state = unsafe { Python::detach() };
    if learn::armed() {
        return state.as_ptr();
    }
    let start = here(|thread| thread.start.get()).unwrap_or(Start::None);
    match start {
        Start::HashMade => learn::global_state_is(state),
        Start::ChildEntered | Start::MainEntered if learn::global_state() == Some(state) => {
            if process::settings().off {
                learn::announce("is switched off by MODPYTHON_CORE=off: every call passes through");
            } else if start == Start::MainEntered {
                learn::arm();
                learn::announce("active");
            }
        }
        _ => return state.as_ptr(),
    }
    here(|thread| thread.start.set(Start::None));
    learn::token()
}

/// `PyEval_RestoreThread`; with the token it begins an acquisition, or the child's start.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_PyEval_RestoreThread(state: *mut c_void) {
    let mut state = state;
    if state == learn::token() {
        let begun = here(|thread| {
            if learn::armed() {
                let outer = thread.threads.leave();
                thread.reach(Step::Asked(outer));
                return true;
            }
            thread.start.set(Start::ChildEntered);
            false
        });
        if begun == Some(true) {
            return;
        }
        state = learn::global_state().map_or(ptr::null_mut(), ThreadState::as_ptr);
    }
    // SAFETY: as the module called it, or with the state that the token stands for.
    unsafe { ffi::PyEval_RestoreThread(state.cast()) }
}

/// `apr_hash_get`; in the hash of the interpreters, in an acquisition, it is the registry that answers. The module calls
/// it a dozen times a request for its configuration, so that all else is kept out of that way.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_apr_hash_get(
    hash: *mut c_void,
    key: *const c_void,
    length: isize,
) -> *mut c_void {
    if learn::is_interpreters(hash) {
        // SAFETY: the module looks names up there, with APR_HASH_KEY_STRING.
        if let Some(data) = unsafe { find_interpreter(key.cast()) } {
            return data;
        }
    }
    // SAFETY: as the module called it.
    unsafe { host::mpc_host_hash_get(hash, key, length) }
}

/// What an acquisition that has begun in this thread is answered; nothing if none has.
///
/// # Safety
///
/// `name` is a NUL-terminated string.
#[inline(never)]
unsafe fn find_interpreter(name: *const c_char) -> Option<*mut c_void> {
    here(|thread| {
        if !learn::armed() {
            learn::warn_not_recognised();
            return None;
        }
        match thread.take_step() {
            Step::Asked(outer) => {
                // SAFETY: the caller's promise.
                let name = unsafe { CStr::from_ptr(name) };
                Some(acquire::choose(thread, name.to_bytes(), outer))
            }
            other => {
                thread.reach(other);
                None
            }
        }
    })
    .flatten()
}

/// `apr_hash_set`; of "main_interpreter" in the child's start it is what shows that we have understood the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_apr_hash_set(
    hash: *mut c_void,
    key: *const c_void,
    length: isize,
    value: *const c_void,
) {
    // SAFETY: as the module called it.
    unsafe { host::mpc_host_hash_set(hash, key, length, value) };
    if learn::is_interpreters(hash) && !learn::armed() {
        here(|thread| {
            // SAFETY: the module enters names, with APR_HASH_KEY_STRING.
            let name = unsafe { CStr::from_ptr(key.cast()) };
            if thread.start.get() == Start::ChildEntered && name.to_bytes() == process::MAIN_INTERPRETER {
                thread.start.set(Start::MainEntered);
            }
        });
    }
}

/// `Py_NewInterpreter`; after a refusal there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_Py_NewInterpreter() -> *mut c_void {
    let refused = here(|thread| match thread.take_step() {
        Step::Refused(outer) => {
            // The module returns its failure without giving the GIL up, and none is held; a caller that held it when
            // it asked gets it back.
            thread.threads.reenter(outer);
            true
        }
        other => {
            thread.reach(other);
            false
        }
    });
    if refused == Some(true) {
        return ptr::null_mut();
    }
    // SAFETY: as the module called it.
    unsafe { ffi::Py_NewInterpreter().cast() }
}

/// `apr_array_pop`; of the array we have handed out it gives this thread's own state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_apr_array_pop(array: *mut c_void) -> *mut c_void {
    let slot = here(|thread| match &*thread.step.borrow() {
        Step::Chosen { kept, .. } if kept.data.has_array(array) => {
            kept.state().map(|state| kept.data.slot(state.as_ptr()))
        }
        _ => None,
    });
    match slot {
        Some(Some(slot)) => slot,
        // SAFETY: as the module called it.
        _ => unsafe { host::mpc_host_array_pop(array) },
    }
}

/// `PyThreadState_Swap`; to the chosen state it takes the GIL with it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_PyThreadState_Swap(state: *mut c_void) -> *mut c_void {
    let entered = here(|thread| {
        let chosen = matches!(&*thread.step.borrow(),
            Step::Chosen { kept, .. } if kept.state() == ThreadState::new(state));
        if chosen {
            acquire::enter(thread);
        }
        chosen
    });
    if entered == Some(true) {
        return ptr::null_mut();
    }
    // SAFETY: as the module called it.
    unsafe { ffi::PyThreadState_Swap(state.cast()).cast() }
}

/// Whether this thread's innermost acquisition runs on that state.
fn is_innermost(state: *mut c_void) -> bool {
    learn::armed()
        && here(|thread| ThreadState::new(state).is_some_and(|state| thread.threads.runs_on(state))) == Some(true)
}

/// `apr_array_push`; giving a state back to the array we have handed out keeps it where it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_apr_array_push(array: *mut c_void) -> *mut c_void {
    let slot = here(|thread| {
        let kept = thread.threads.innermost().filter(|kept| kept.data.has_array(array))?;
        Some(kept.data.slot(ptr::null_mut()))
    });
    match slot {
        Some(Some(slot)) => slot,
        // SAFETY: as the module called it.
        _ => unsafe { host::mpc_host_array_push(array) },
    }
}

/// `PyThreadState_Clear`; our own states are cleared at their outermost release.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_PyThreadState_Clear(state: *mut c_void) {
    if !is_innermost(state) {
        // SAFETY: as the module called it.
        unsafe { ffi::PyThreadState_Clear(state.cast()) }
    }
}

/// `PyThreadState_Delete`; mp_release_interpreter calls it on the current state, which is fatal. Ours stay.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_PyThreadState_Delete(state: *mut c_void) {
    if !is_innermost(state) {
        // SAFETY: as the module called it.
        unsafe { ffi::PyThreadState_Delete(state.cast()) }
    }
}

/// `PyEval_ReleaseThread`: the release of an acquisition.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_PyEval_ReleaseThread(state: *mut c_void) {
    let released = learn::armed().then(|| {
        here(|thread| {
            let innermost = ThreadState::new(state).is_some_and(|state| thread.threads.runs_on(state));
            if innermost {
                // SAFETY: the module holds the GIL with the state of its innermost acquisition.
                unsafe { acquire::release(thread) };
            }
            innermost
        })
    });
    if released != Some(Some(true)) {
        // SAFETY: as the module called it.
        unsafe { ffi::PyEval_ReleaseThread(state.cast()) }
    }
}

/// `PyImport_ImportModule`; the first of mod_python.apache in an interpreter puts the shim in place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_PyImport_ImportModule(name: *const c_char) -> *mut ffi::PyObject {
    // SAFETY: as the module called it, with a NUL-terminated name.
    let (module, name) = unsafe { (ffi::PyImport_ImportModule(name), CStr::from_ptr(name)) };
    if !module.is_null() && name == c"mod_python.apache" && learn::armed() {
        // SAFETY: the module holds the GIL, and the import has succeeded.
        here(|thread| unsafe { acquire::install_shim(thread, module) });
    }
    module
}

/// Called by the C glue with each result of PyObject_CallMethod, whose reference it takes over; it returns the
/// reference that goes to the module.
#[unsafe(no_mangle)]
unsafe extern "C" fn mpc35_method_returned(name: *const c_char, result: *mut ffi::PyObject) -> *mut ffi::PyObject {
    if result.is_null() || !learn::armed() {
        return result;
    }
    // SAFETY: the glue has called a method of that name.
    let name = unsafe { CStr::from_ptr(name) };
    let traded = here(|thread| {
        if name == c"HandlerDispatch" || name == c"ConnectionDispatch" {
            // SAFETY: the module holds the GIL, and the reference is ours to trade.
            unsafe { result::make_private(thread, result) }
        } else {
            if name == c"init" {
                // SAFETY: the module holds the GIL, and `result` is an object.
                unsafe { acquire::publish(thread, result) };
            }
            result
        }
    });
    traded.unwrap_or(result)
}

/// `apr_pool_cleanup_register`; see [`result::register`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_apr_pool_cleanup_register(
    pool: *mut c_void,
    data: *const c_void,
    plain: Option<Cleanup>,
    child: Option<Cleanup>,
) {
    if learn::armed() {
        // SAFETY: as the module called it.
        unsafe { result::register(pool, data, plain, child) }
    } else {
        // SAFETY: as the module called it.
        unsafe { host::mpc_host_pool_cleanup_register(pool, data, plain, child) }
    }
}

/// Writes up to `room` counters of this process to `counters` and returns how many there are; their order is that of
/// the `counters!` list in src/stats.rs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modpython_core_stats(counters: *mut u64, room: usize) -> usize {
    let mut number = 0;
    for value in crate::stats::STATS.read() {
        if number < room && !counters.is_null() {
            // SAFETY: the caller says that there is room for that many.
            unsafe { counters.add(number).write(value) };
        }
        number += 1;
    }
    number
}
