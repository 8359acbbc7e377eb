//! CPython 2.7, and as far as it can be told from its sources 2.3 to 2.6, through the mirror in `ffi2`.

use super::{Cpython, Interpreter, Luggage, ThreadState, ffi2 as ffi};
use std::{
    ffi::{c_int, c_ulong, c_void},
    mem::MaybeUninit,
};

/// CPython 2.
pub struct Cpython2;

unsafe extern "C" {
    /// The state that is current, or NULL; see `capi/glue.c`.
    fn mpc_glue_attached_state() -> *mut ffi::PyThreadState;
    // See `capi/states.c` and `capi/aside.c`.
    fn mpc_glue_renew_thread_state(state: *mut ffi::PyThreadState);
    fn mpc_glue_use_thread_state(state: *mut ffi::PyThreadState, thread: c_ulong);
    fn mpc_glue_pack(state: *mut ffi::PyThreadState, luggage: *mut Luggage) -> c_int;
    fn mpc_glue_unpack(state: *mut ffi::PyThreadState, luggage: *mut Luggage);
    static mpc_glue_ensured_offset: usize;
    fn mpc_glue_set_aside(state: *mut ffi::PyThreadState, aside: *mut Aside);
    fn mpc_glue_put_back(state: *mut ffi::PyThreadState, aside: *mut Aside);
}

/// Room for what `capi/aside.c` sets aside; it says at compile time that this is enough.
pub type Aside = [MaybeUninit<*mut c_void>; 32];

// SAFETY: each function is the CPython function of that description.
unsafe impl Cpython for Cpython2 {
    const GIL_STATE_FOLLOWS: bool = false;
    const ATTACHED_IS_OF_THREAD: bool = false;

    type Aside = Aside;
    type Luggage = Luggage;

    fn is_initialized() -> bool {
        // SAFETY: callable at any time, before initialisation too.
        unsafe { ffi::Py_IsInitialized() != 0 }
    }

    fn is_finalizing() -> bool {
        // Python 2 does not say so, and does not end threads that take the GIL meanwhile.
        false
    }

    fn main_interpreter() -> Interpreter {
        // Never the head of the list, which is the newest: the main interpreter was the first, so it is the last.
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
        Interpreter::new(unsafe { (*state.as_ptr::<ffi::PyThreadState>()).interp }).expect("every state has one")
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

    unsafe fn set_aside(state: ThreadState) -> Box<Aside> {
        let mut aside = Box::new([const { MaybeUninit::uninit() }; 32]);
        // SAFETY: the caller holds the GIL with this state; what is set aside keeps its address, as the glue asks.
        unsafe { mpc_glue_set_aside(state.as_ptr(), &raw mut *aside) };
        aside
    }

    unsafe fn put_back(state: ThreadState, mut aside: Box<Aside>) {
        // SAFETY: the caller holds the GIL with this state, of which `aside` was taken.
        unsafe { mpc_glue_put_back(state.as_ptr(), &raw mut *aside) }
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
        unsafe { ffi::PyEval_ReleaseLock() }
    }

    unsafe fn after_fork() {
        // SAFETY: the caller's promise is this function's.
        unsafe { ffi::PyOS_AfterFork() }
    }

    unsafe fn has_other_states(state: ThreadState) -> bool {
        // SAFETY: alive, says the caller, as is its interpreter; each call reads a pointer.
        unsafe {
            let first = ffi::PyInterpreterState_ThreadHead(Self::interpreter_of(state).as_ptr());
            first != state.as_ptr() || !ffi::PyThreadState_Next(first).is_null()
        }
    }

    unsafe fn finalize() {
        let forget = c"import sys\nsys.exitfunc = lambda: None\n";
        // SAFETY: the caller's promise is this function's.
        unsafe {
            ffi::PyRun_SimpleString(forget.as_ptr());
            ffi::Py_Finalize();
        }
    }

    unsafe fn new_interpreter() -> Option<ThreadState> {
        // SAFETY: the caller holds the GIL.
        ThreadState::new(unsafe { ffi::Py_NewInterpreter() })
    }
}
