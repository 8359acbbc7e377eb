//! CPython 3.9 to 3.14, through pyo3-ffi.

use super::{Cpython, Interpreter, ThreadState};
use pyo3_ffi as ffi;

/// CPython 3, of the minor version this library was built for.
pub struct Cpython3;

unsafe extern "C" {
    /// `PyThreadState_Clear` that leaves the state's `on_delete` hook for its end; see `capi/glue.c`.
    fn mpc_glue_clear_thread_state(state: *mut ffi::PyThreadState);
    /// 1 while Python shuts down; the function's name differs between versions.
    fn mpc_glue_is_finalizing() -> std::ffi::c_int;
    /// `PyThreadState_GetUnchecked`, under its name in this version.
    fn mpc_glue_attached_state() -> *mut ffi::PyThreadState;
    // pyo3-ffi has no binding of this one, which pystate.h declares for all of 3.9 to 3.14.
}

// SAFETY: each function is the CPython function of that description.
unsafe impl Cpython for Cpython3 {
    fn is_initialized() -> bool {
        // SAFETY: callable at any time, before initialisation too.
        unsafe { ffi::Py_IsInitialized() != 0 }
    }

    fn is_finalizing() -> bool {
        // SAFETY: reads one word of the runtime, in any state of it.
        unsafe { mpc_glue_is_finalizing() != 0 }
    }

    fn main_interpreter() -> Interpreter {
        // SAFETY: reads one pointer of the runtime; needs no GIL.
        Interpreter::new(unsafe { ffi::PyInterpreterState_Main() }).expect("Python is initialised")
    }

    fn gil_state() -> Option<ThreadState> {
        // SAFETY: reads a thread-specific value; needs no GIL.
        ThreadState::new(unsafe { ffi::PyGILState_GetThisThreadState() })
    }

    #[inline]
    fn attached() -> Option<ThreadState> {
        // SAFETY: reads one pointer; needs no GIL.
        ThreadState::new(unsafe { mpc_glue_attached_state() })
    }

    unsafe fn interpreter_of(state: ThreadState) -> Interpreter {
        // SAFETY: the caller says that the state is alive; its interpreter never changes.
        Interpreter::new(unsafe { ffi::PyThreadState_GetInterpreter(state.as_ptr()) }).expect("every state has one")
    }

    unsafe fn new_state(interpreter: Interpreter) -> Option<ThreadState> {
        // SAFETY: the caller says that the interpreter is alive; the list of states has a lock of its own.
        ThreadState::new(unsafe { ffi::PyThreadState_New(interpreter.as_ptr()) })
    }

    unsafe fn attach(state: ThreadState) {
        // SAFETY: the caller's promise is this function's.
        unsafe { ffi::PyEval_RestoreThread(state.as_ptr()) }
    }

    unsafe fn detach() -> ThreadState {
        // SAFETY: the caller holds the GIL.
        ThreadState::new(unsafe { ffi::PyEval_SaveThread() }).expect("a state is current, since the GIL is held")
    }

    unsafe fn clear(state: ThreadState) {
        // SAFETY: the caller holds the GIL with this state.
        unsafe { mpc_glue_clear_thread_state(state.as_ptr()) }
    }

    unsafe fn delete(state: ThreadState) {
        // SAFETY: cleared, not current and not used again, says the caller.
        unsafe { ffi::PyThreadState_Delete(state.as_ptr()) }
    }

    unsafe fn swap(state: ThreadState) -> Option<ThreadState> {
        // SAFETY: the caller's promise is this function's.
        ThreadState::new(unsafe { ffi::PyThreadState_Swap(state.as_ptr()) })
    }

    unsafe fn swap_out() {
        // SAFETY: the caller's promise is this function's.
        unsafe { ffi::PyThreadState_Swap(std::ptr::null_mut()) };
    }

    #[allow(deprecated)] // What modules of generations 3.1 to 3.3 call.
    unsafe fn release_lock() {
        // From 3.13 on there is no GIL without a state.
        #[cfg(not(Py_3_13))]
        // SAFETY: the caller's promise is this function's.
        unsafe {
            ffi::PyEval_ReleaseLock();
        }
    }

    unsafe fn after_fork() {
        // SAFETY: the caller's promise is this function's.
        unsafe { ffi::PyOS_AfterFork_Child() }
    }

    unsafe fn new_interpreter() -> Option<ThreadState> {
        // SAFETY: the caller holds the GIL.
        ThreadState::new(unsafe { ffi::Py_NewInterpreter() })
    }
}
