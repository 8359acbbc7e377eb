//! The functions that differ: CPython 2.4 to 2.7.

use super::{Interpreter, ThreadState, ffi};

/// Python 2 does not say so, and does not end threads that take the GIL meanwhile.
#[inline]
pub fn is_finalizing() -> bool {
    false
}

/// Never the head of the list, which is the newest: the main interpreter was the first, so it is the last.
pub fn main_interpreter() -> Interpreter {
    // SAFETY: without sub-interpreters being destroyed, which nothing here does, the list only grows at its head.
    unsafe {
        let mut last = ffi::PyInterpreterState_Head();
        loop {
            let next = ffi::PyInterpreterState_Next(last);
            if next.is_null() {
                return Interpreter::new(last).expect("Python is initialised");
            }
            last = next;
        }
    }
}

/// # Safety
/// The state is alive.
pub unsafe fn interpreter_of(state: ThreadState) -> *mut ffi::PyInterpreterState {
    // SAFETY: the caller's promise.
    unsafe { (*state.as_ptr::<ffi::PyThreadState>()).interp }
}

/// # Safety
/// As for [`Cpython::release_lock`](super::Cpython::release_lock).
pub unsafe fn release_lock() {
    // SAFETY: the caller's promise is this function's.
    unsafe { ffi::PyEval_ReleaseLock() }
}

/// # Safety
/// As for [`Cpython::after_fork`](super::Cpython::after_fork).
pub unsafe fn after_fork() {
    // SAFETY: the caller's promise is this function's.
    unsafe { ffi::PyOS_AfterFork() }
}

/// # Safety
/// As for [`Cpython::finalize`](super::Cpython::finalize).
pub unsafe fn finalize() {
    // SAFETY: the caller's promise is this function's; NULL takes the function out of sys.
    unsafe {
        ffi::PySys_SetObject(c"exitfunc".as_ptr(), std::ptr::null_mut());
        ffi::Py_Finalize();
    }
}
