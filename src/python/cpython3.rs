//! The functions that differ: CPython 3.9 to 3.14.

use super::gil::{Gil, with_gil};
use super::{Interpreter, ThreadState, calls, dict, exceptions, ffi};
use std::ffi::c_int;

unsafe extern "C" {
    /// 1 while Python shuts down; the function's name differs between versions.
    fn mpc_glue_is_finalizing() -> c_int;
}

/// See [`Cpython::is_finalizing`](super::Cpython::is_finalizing).
#[inline]
pub fn is_finalizing() -> bool {
    // SAFETY: reads one word of the runtime, in any state of it.
    unsafe { mpc_glue_is_finalizing() != 0 }
}

/// See [`Cpython::main_interpreter`](super::Cpython::main_interpreter).
pub fn main_interpreter() -> Interpreter {
    // SAFETY: reads one pointer of the runtime; needs no GIL.
    Interpreter::new(unsafe { ffi::PyInterpreterState_Main() }).expect("Python is initialised")
}

/// # Safety
/// The state is alive.
pub unsafe fn interpreter_of(state: ThreadState) -> *mut ffi::PyInterpreterState {
    // SAFETY: the caller's promise.
    unsafe { ffi::PyThreadState_GetInterpreter(state.as_ptr()) }
}

/// # Safety
/// As for [`Cpython::release_lock`](super::Cpython::release_lock).
#[allow(deprecated)] // What modules of generations 3.1 to 3.3 call.
pub unsafe fn release_lock() {
    // From 3.13 on there is no GIL without a state.
    #[cfg(not(Py_3_13))]
    // SAFETY: the caller's promise is this function's.
    unsafe {
        ffi::PyEval_ReleaseLock();
    }
}

/// # Safety
/// As for [`Cpython::after_fork`](super::Cpython::after_fork).
pub unsafe fn after_fork() {
    // SAFETY: the caller's promise is this function's.
    unsafe { ffi::PyOS_AfterFork_Child() }
}

/// # Safety
/// As for [`Cpython::finalize`](super::Cpython::finalize).
pub unsafe fn finalize() {
    // SAFETY: the caller's promise is this function's.
    unsafe {
        with_gil(forget_exit_functions);
        ffi::Py_FinalizeEx();
    }
}

fn forget_exit_functions(gil: &mut Gil) {
    if let Some(atexit) = dict::get_named(gil, dict::modules(gil), c"atexit") {
        calls::call_method_named(gil, &atexit, c"_clear", []);
    }
    exceptions::clear(gil);
}
