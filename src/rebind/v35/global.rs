//! The global thread state of generation 3.5, and the token that stands for it in the module's hands.
//!
//! The parent's python_init calls Py_Initialize, then apr_hash_make (the hash), then PyEval_SaveThread (the state). The
//! child's start confirms it: PyEval_RestoreThread with that state, then apr_hash_set of "main_interpreter" in that
//! hash.

use crate::python::ThreadState;
use std::{
    ffi::c_void,
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

static GLOBAL_STATE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
static TOKEN_PLACE: u64 = 0;

/// Stands for the global thread state in the module's hands. Its address is no thread state's.
pub fn token() -> *mut c_void {
    ptr::from_ref(&TOKEN_PLACE).cast_mut().cast()
}

/// The real global thread state, once it is known.
pub fn state() -> Option<ThreadState> {
    ThreadState::new(GLOBAL_STATE.load(Ordering::Relaxed))
}

/// python_init has given the GIL up with this state.
pub fn is(state: ThreadState) {
    GLOBAL_STATE.store(state.as_ptr(), Ordering::Relaxed);
}
