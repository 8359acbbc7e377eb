//! The replacement imports, as C sees them. Each passes on what is not part of the interpreter path.
//!
//! The boundary, for all of them: pointers are the module's and as valid as in its call of the original; failure is
//! the original's failure value; no panic leaves (what could panic is pure, and caught in `acquire`).

use super::global;
use crate::{
    embedding::{
        builtins::{self, InitFunction},
        interpreterdata::HandedOut,
        process, start,
        thread::{Progress, Start, with_current_thread},
        unlocked,
    },
    python::{Cpython, Python, ThreadState, ffi, threads::OwnState},
    rebind::{calls, startup},
    server::{
        apache::{self, Cleanup},
        settings,
    },
};
use std::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
};

const GENERATION: &str = "3.5";

unsafe extern "C" {
    // In capi/addedhandlers.c.
    fn modpython_core_keep_phases(request_type: *mut c_void);
}

/// `Py_Initialize`. After a graceful restart the module has been loaded anew while Python went on: the stock module
/// would go on without a thread state, which ends the server. So the state it had given up is taken back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_Py_Initialize() {
    // SAFETY: the module's type of requests, before Python makes it, or NULL; and as the module called it.
    unsafe {
        modpython_core_keep_phases(apache::symbol(c"MpRequest_Type"));
        start::initialize(global::state());
    }
    startup::begin(GENERATION);
    Start::Initialized.reach();
}

/// `PyImport_AppendInittab`; see [`builtins::append`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_PyImport_AppendInittab(name: *const c_char, init: Option<InitFunction>) -> c_int {
    // SAFETY: as the module called it.
    unsafe { builtins::append(name, init) }
}

/// `apr_hash_make`; the first after Py_Initialize in python_init is the hash of the interpreters.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_apr_hash_make(pool: *mut c_void) -> *mut c_void {
    if startup::is_active() {
        // A request's own.
        // SAFETY: as the module called it.
        return unsafe { apache::mpc_server_hash_make(pool) };
    }
    // SAFETY: as the module called it.
    unsafe { make_table(pool) }
}

/// # Safety
///
/// `pool` is that of the configuration, or of whatever else the module makes a table for before it is active.
#[cold]
unsafe fn make_table(pool: *mut c_void) -> *mut c_void {
    // SAFETY: the caller's promise.
    let hash = unsafe { apache::mpc_server_hash_make(pool) };
    if Start::reached() == Start::Initialized {
        startup::interpreters_are(hash);
        Start::TableMade.reach();
    }
    hash
}

/// `PyEval_SaveThread`. python_init and the child's start give the global state up by it, and are given the token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_PyEval_SaveThread() -> *mut c_void {
    // SAFETY: the module holds the GIL.
    let state = unsafe { Python::detach() };
    if startup::is_active() {
        return state.as_ptr();
    }
    let start = Start::reached();
    match start {
        Start::TableMade => {
            global::is(state);
        }
        Start::ChildEntered | Start::MainEntered if global::state() == Some(state) => {
            if settings::of_process().off {
                start::log_active(GENERATION, start::OFF);
            } else if start == Start::MainEntered {
                startup::activate();
                start::log_active(GENERATION, start::ACTIVE);
            }
        }
        _ => return state.as_ptr(),
    }
    Start::None.reach();
    global::token()
}

/// `PyEval_RestoreThread`; with the token it begins an acquisition, or the child's start.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_PyEval_RestoreThread(state: *mut c_void) {
    let mut state = state;
    if state == global::token() {
        let begun = with_current_thread(|thread| {
            if startup::is_active() {
                thread.ask();
                return true;
            }
            Start::ChildEntered.reach();
            false
        });
        if begun == Some(true) {
            return;
        }
        state = global::state().map_or(ptr::null_mut(), ThreadState::as_ptr);
    }
    // SAFETY: as the module called it, or with the state that the token stands for.
    unsafe { ffi::PyEval_RestoreThread(state.cast()) }
}

/// `apr_hash_get`; in the hash of the interpreters, in an acquisition, it is the registry that answers. The module
/// calls it a dozen times a request for its configuration, so that all else is kept out of that way.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_apr_hash_get(
    hash: *mut c_void,
    key: *const c_void,
    length: isize,
) -> *mut c_void {
    if !startup::is_interpreters(hash) {
        // SAFETY: as the module called it.
        return unsafe { apache::mpc_server_hash_get(hash, key, length) };
    }
    // SAFETY: as the module called it.
    unsafe { look_up(hash, key, length) }
}

/// In the hash of the interpreters.
///
/// # Safety
///
/// As for `apr_hash_get`.
#[inline(never)]
unsafe fn look_up(hash: *mut c_void, key: *const c_void, length: isize) -> *mut c_void {
    // SAFETY: the module looks names up there, with APR_HASH_KEY_STRING.
    match unsafe { calls::look_up(key.cast(), |data, callback| data.hand_out35(callback).cast()) } {
        Some(data) => data,
        // SAFETY: as the module called it.
        None => unsafe { apache::mpc_server_hash_get(hash, key, length) },
    }
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
    unsafe { apache::mpc_server_hash_set(hash, key, length, value) };
    if startup::is_interpreters(hash) && !startup::is_active() {
        // SAFETY: the module enters names, with APR_HASH_KEY_STRING.
        let name = unsafe { CStr::from_ptr(key.cast()) };
        if Start::reached() == Start::ChildEntered && name.to_bytes() == process::MAIN_INTERPRETER {
            Start::MainEntered.reach();
        }
    }
}

/// `Py_NewInterpreter`; after a refusal there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_Py_NewInterpreter() -> *mut c_void {
    let refused = with_current_thread(|thread| {
        if thread.end_interruption() {
            return true;
        }
        match thread.take_progress() {
            Progress::Refused(outer) => {
                // The module returns its failure without giving the GIL up, and none is held; a caller that held it
                // when it asked gets it back.
                thread.threads.reenter(outer);
                true
            }
            other => {
                thread.reach(other);
                false
            }
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
    let slot = with_current_thread(|thread| {
        let slot =
            |kept: &OwnState<HandedOut>| kept.data.has_array(array).then(|| kept.data.slot(kept.state().as_ptr()));
        thread.on_chosen(slot).flatten()
    });
    match slot.flatten() {
        Some(slot) => slot,
        // SAFETY: as the module called it.
        _ => unsafe { apache::mpc_server_array_pop(array) },
    }
}

/// `PyThreadState_Swap`; to the chosen state it takes the GIL with it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_PyThreadState_Swap(state: *mut c_void) -> *mut c_void {
    if calls::enter(state) {
        return ptr::null_mut();
    }
    // SAFETY: as the module called it.
    unsafe { ffi::PyThreadState_Swap(state.cast()).cast() }
}

/// `apr_array_push`; giving a state back to the array we have handed out keeps it where it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_apr_array_push(array: *mut c_void) -> *mut c_void {
    let slot = with_current_thread(|thread| {
        let slot = |kept: &OwnState<HandedOut>| kept.data.has_array(array).then(|| kept.data.slot(ptr::null_mut()));
        thread.threads.on_innermost(slot)
    });
    match slot {
        Some(Some(Some(slot))) => slot,
        // SAFETY: as the module called it.
        _ => unsafe { apache::mpc_server_array_push(array) },
    }
}

/// `PyThreadState_Clear`; our own states are cleared at their outermost release.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_PyThreadState_Clear(state: *mut c_void) {
    if !calls::is_innermost(state) {
        // SAFETY: as the module called it.
        unsafe { ffi::PyThreadState_Clear(state.cast()) }
    }
}

/// `PyThreadState_Delete`; mp_release_interpreter calls it on the current state, which is fatal. Ours stay.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_PyThreadState_Delete(state: *mut c_void) {
    if !calls::is_innermost(state) {
        // SAFETY: as the module called it.
        unsafe { ffi::PyThreadState_Delete(state.cast()) }
    }
}

/// `PyEval_ReleaseThread`: the release of an acquisition.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_PyEval_ReleaseThread(state: *mut c_void) {
    // SAFETY: as the module called it, with the GIL held and that state current.
    unsafe {
        if !calls::release(state) {
            ffi::PyEval_ReleaseThread(state.cast());
        }
    }
}

/// `PyImport_ImportModule`; the first of mod_python.apache in an interpreter activates the shim.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_PyImport_ImportModule(name: *const c_char) -> *mut ffi::PyObject {
    // SAFETY: as the module called it.
    unsafe { calls::import_module(name) }
}

/// Called by the C glue with each result of PyObject_CallMethod, whose reference it takes over; it returns the
/// reference that goes to the module.
#[unsafe(no_mangle)]
unsafe extern "C" fn mpc35_method_returned(name: *const c_char, result: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the glue has called a method of that name; the module holds the GIL, and the reference is ours.
    unsafe { calls::method_returned(name, result) }
}

/// `apr_pool_cleanup_register`; see [`unlocked::register`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_apr_pool_cleanup_register(
    pool: *mut c_void,
    data: *const c_void,
    plain: Option<Cleanup>,
    child: Option<Cleanup>,
) {
    if startup::is_active() {
        // SAFETY: as the module called it.
        unsafe { unlocked::register_of_module(pool, data, plain, child) }
    } else {
        // SAFETY: as the module called it.
        unsafe { apache::mpc_server_pool_cleanup_register(pool, data, plain, child) }
    }
}
