//! The CPython that this library is built for. The functions whose names or ways differ between 2 and 3 are in `line`.

use super::{Cpython, Interpreter, Luggage, ThreadState, ffi, line};
use std::ffi::{c_int, c_ulong};
#[cfg(not(Py_3_12))]
use std::{ffi::c_void, mem::MaybeUninit};

/// CPython, of the minor version this library was built for.
pub struct Python;

unsafe extern "C" {
    /// `PyThreadState_GetUnchecked`, under its name in this version.
    fn mpc_glue_attached_state() -> *mut ffi::PyThreadState;
    // See `capi/states.c` and `capi/aside.c`.
    fn mpc_glue_renew_thread_state(state: *mut ffi::PyThreadState);
    fn mpc_glue_use_thread_state(state: *mut ffi::PyThreadState, thread: c_ulong);
    fn mpc_glue_pack(state: *mut ffi::PyThreadState, luggage: *mut Luggage) -> c_int;
    fn mpc_glue_unpack(state: *mut ffi::PyThreadState, luggage: *mut Luggage);
    static mpc_glue_ensured_offset: usize;
    #[cfg(not(Py_3_12))]
    fn mpc_glue_set_aside(state: *mut ffi::PyThreadState, aside: *mut Aside);
    #[cfg(not(Py_3_12))]
    fn mpc_glue_put_back(state: *mut ffi::PyThreadState, aside: *mut Aside);
}

/// Room for what `capi/aside.c` sets aside; it says at compile time that this is enough.
#[cfg(not(Py_3_12))]
pub type Aside = [MaybeUninit<*mut c_void>; 32];
/// Nothing is set aside.
#[cfg(Py_3_12)]
pub enum Aside {}

// SAFETY: each function is the CPython function of that description.
unsafe impl Cpython for Python {
    const GIL_STATE_FOLLOWS: bool = cfg!(Py_3_12);
    const ATTACHED_IS_OF_THREAD: bool = cfg!(Py_3_12);

    type Aside = Aside;
    type Luggage = Luggage;

    fn is_initialized() -> bool {
        // SAFETY: callable at any time, before initialisation too.
        unsafe { ffi::Py_IsInitialized() != 0 }
    }

    fn is_finalizing() -> bool {
        line::is_finalizing()
    }

    fn main_interpreter() -> Interpreter {
        line::main_interpreter()
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
        Interpreter::new(unsafe { line::interpreter_of(state) }).expect("every state has one")
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

    unsafe fn renew(state: ThreadState) {
        // SAFETY: the caller holds the GIL with this state.
        unsafe { mpc_glue_renew_thread_state(state.as_ptr()) }
    }

    unsafe fn put_to_use(state: ThreadState, thread: libc::pthread_t) {
        // SAFETY: the caller holds the GIL with this state.
        unsafe { mpc_glue_use_thread_state(state.as_ptr(), thread) }
    }

    #[inline]
    unsafe fn is_ensured(state: ThreadState) -> bool {
        // SAFETY: alive, says the caller; the count is changed by its own thread alone.
        unsafe { *state.as_ptr::<u8>().add(mpc_glue_ensured_offset).cast::<c_int>() > 1 }
    }

    #[cfg(not(Py_3_12))]
    unsafe fn set_aside(state: ThreadState) -> Box<Aside> {
        let mut aside = Box::new([const { MaybeUninit::uninit() }; 32]);
        // SAFETY: the caller holds the GIL with this state; what is set aside keeps its address, as the glue asks.
        unsafe { mpc_glue_set_aside(state.as_ptr(), &raw mut *aside) };
        aside
    }

    #[cfg(not(Py_3_12))]
    unsafe fn put_back(state: ThreadState, mut aside: Box<Aside>) {
        // SAFETY: the caller holds the GIL with this state, of which `aside` was taken.
        unsafe { mpc_glue_put_back(state.as_ptr(), &raw mut *aside) }
    }

    #[cfg(Py_3_12)]
    unsafe fn set_aside(_: ThreadState) -> Box<Aside> {
        unreachable!("nothing is borrowed where GIL_STATE_FOLLOWS")
    }

    #[cfg(Py_3_12)]
    unsafe fn put_back(_: ThreadState, _: Box<Aside>) {
        unreachable!("nothing is borrowed where GIL_STATE_FOLLOWS")
    }

    unsafe fn pack(state: ThreadState) -> Option<Box<Luggage>> {
        let mut luggage = Luggage::empty();
        // SAFETY: the caller holds the GIL with this state; there is space, as the glue has checked.
        (unsafe { mpc_glue_pack(state.as_ptr(), &raw mut luggage) } != 0).then(|| Box::new(luggage))
    }

    unsafe fn unpack(state: ThreadState, mut luggage: Box<Luggage>) {
        // SAFETY: the caller holds the GIL with this state, and what was packed is handed over.
        unsafe { mpc_glue_unpack(state.as_ptr(), &raw mut *luggage) }
    }

    unsafe fn delete(state: ThreadState) {
        // SAFETY: cleared, not current and not used again, says the caller.
        unsafe { ffi::PyThreadState_Delete(state.as_ptr()) }
    }

    /// From 3.12 on the GIL is needed after all: to set a trace function goes through the states of all threads with
    /// nothing else, and would read one that has just been freed.
    #[cfg(Py_3_12)]
    unsafe fn delete_at_end(states: &[ThreadState]) {
        let Some((&last, others)) = states.split_last() else { return };
        // SAFETY: without the GIL, in the thread of these states, none of which is current. What C code may have left
        // in one since its last release is not cleared: that would run code in a thread that has ended.
        unsafe {
            Self::attach(last);
            for &state in others {
                Self::delete(state);
            }
            ffi::PyThreadState_DeleteCurrent();
        }
    }

    unsafe fn swap(state: ThreadState) -> Option<ThreadState> {
        // SAFETY: the caller's promise is this function's.
        ThreadState::new(unsafe { ffi::PyThreadState_Swap(state.as_ptr()) })
    }

    unsafe fn swap_out() {
        // SAFETY: the caller's promise is this function's.
        unsafe { ffi::PyThreadState_Swap(std::ptr::null_mut()) };
    }

    unsafe fn release_lock() {
        // SAFETY: the caller's promise is this function's.
        unsafe { line::release_lock() }
    }

    unsafe fn after_fork() {
        // SAFETY: the caller's promise is this function's.
        unsafe { line::after_fork() }
    }

    unsafe fn has_other_states(state: ThreadState) -> bool {
        // SAFETY: alive, says the caller, as is its interpreter; each call reads a pointer.
        unsafe {
            let first = ffi::PyInterpreterState_ThreadHead(Self::interpreter_of(state).as_ptr());
            first != state.as_ptr() || !ffi::PyThreadState_Next(first).is_null()
        }
    }

    unsafe fn finalize() {
        // SAFETY: the caller's promise is this function's.
        unsafe { line::finalize() }
    }

    unsafe fn new_interpreter() -> Option<ThreadState> {
        // SAFETY: the caller holds the GIL.
        ThreadState::new(unsafe { ffi::Py_NewInterpreter() })
    }
}
