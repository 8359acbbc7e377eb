//! What is learned of the module while it starts: which hash holds the interpreters, which state is the global one.
//!
//! The parent's python_init calls Py_Initialize, then apr_hash_make (the hash), then PyEval_SaveThread (the state). The
//! child's start confirms it: PyEval_RestoreThread with that state, then apr_hash_set of "main_interpreter" in that
//! hash. Only then is the path taken over ([`armed`]); a module that behaves otherwise is left alone.

use super::super::log;
use crate::{
    process::{self, MAIN_INTERPRETER},
    python::{Cpython, Cpython3 as Python, ThreadState},
};
use std::{
    ffi::c_void,
    ptr,
    sync::atomic::{AtomicBool, AtomicPtr, Ordering},
};

static ARMED: AtomicBool = AtomicBool::new(false);
static INTERPRETERS: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
static GLOBAL_STATE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
static TOKEN_PLACE: u64 = 0;

/// Stands for the global thread state in the module's hands. Its address is no thread state's.
pub fn token() -> *mut c_void {
    ptr::from_ref(&TOKEN_PLACE).cast_mut().cast()
}

/// Whether the path is taken over; until then every call passes through.
#[inline]
pub fn armed() -> bool {
    // Relaxed: it changes before the child has a second thread.
    ARMED.load(Ordering::Relaxed)
}

/// Whether `hash` is the one of the interpreters.
#[inline]
pub fn is_interpreters(hash: *mut c_void) -> bool {
    INTERPRETERS.load(Ordering::Relaxed) == hash
}

/// The real global thread state, once it is known.
pub fn global_state() -> Option<ThreadState> {
    ThreadState::new(GLOBAL_STATE.load(Ordering::Relaxed))
}

/// The first call of python_init has been made: forget what an earlier load of the module taught us.
pub fn begin() {
    ARMED.store(false, Ordering::Relaxed);
    INTERPRETERS.store(ptr::null_mut(), Ordering::Relaxed);
}

/// python_init has made its hash.
pub fn interpreters_are(hash: *mut c_void) {
    INTERPRETERS.store(hash, Ordering::Relaxed);
}

/// python_init has given the GIL up with this state.
pub fn global_state_is(state: ThreadState) {
    GLOBAL_STATE.store(state.as_ptr(), Ordering::Relaxed);
}

/// The child's start has shown the sequence: from now on the path is ours.
pub fn arm() {
    process::registry().adopt(MAIN_INTERPRETER, Python::main_interpreter());
    ARMED.store(true, Ordering::Relaxed);
}

/// What is running, for the notice at child start.
pub fn announce(state: &str) {
    for complaint in &process::settings().complaints {
        log::line(log::WARNING, complaint);
    }
    let version = env!("CARGO_PKG_VERSION");
    let python = env!("MODPYTHON_CORE_PYTHON");
    log::line(log::NOTICE, &format!("version {version} {state}, mod_python generation 3.5, Python {python}"));
}

/// Says once a process that an interpreter is being acquired although the start was not the one we know.
pub fn warn_not_recognised() {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if !process::settings().off && !WARNED.swap(true, Ordering::Relaxed) {
        log::line(
            log::WARNING,
            "this mod_python does not start as generation 3.5 does, so its calls pass through and its races remain; \
             please report its version, and put the stock module back (modpython-relink --restore) meanwhile",
        );
    }
}
