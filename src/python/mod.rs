//! CPython by version: interpreters, thread states, the GIL and forks.
//!
//! The rooms above need [`Cpython`] of one CPython line. [`Python`] is the line this library is built for: 3.9 to 3.14
//! by way of pyo3-ffi, or 2.7 by way of a mirror of the headers it needs. [`threads`] chooses the thread state that a
//! request runs on, for every line alike.
//!
//! | file | its job |
//! |---|---|
//! | `cpython`, `cpython2`, `cpython3` | the calls behind [`Cpython`]; the differences of each line |
//! | `ffi2` | a mirror of Python 2's headers |
//! | `gil` | the GIL as a value |
//! | `threads`, `signals`, `fork` | thread states; the server's signals and its forks |
//! | `object` | references to objects, owned and borrowed |
//! | `calls`, `dict`, `sequence`, `text`, `values` | calls of CPython, as safe functions of the GIL and live objects |
//! | `exceptions`, `errors` | exceptions that are raised or asked for; the pending one, taken off and put back |

pub mod calls;
mod cpython;
pub mod dict;
pub mod errors;
pub mod exceptions;
#[cfg(not(feature = "python3"))]
pub mod ffi2;
pub mod fork;
pub mod gil;
#[cfg(not(feature = "python3"))]
#[path = "cpython2.rs"]
mod line;
#[cfg(feature = "python3")]
#[path = "cpython3.rs"]
mod line;
pub mod object;
pub mod sequence;
pub mod signals;
pub mod text;
pub mod threads;
pub mod values;

#[cfg(all(test, not(loom), not(shuttle)))]
mod fake;

#[cfg(not(feature = "python3"))]
pub use self::ffi2 as ffi;
pub use cpython::Python;
#[cfg(feature = "python3")]
pub use pyo3_ffi as ffi;
use std::{ffi::c_void, mem::MaybeUninit, ptr::NonNull};

/// A `PyThreadState *`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct ThreadState(NonNull<c_void>);

/// A `PyInterpreterState *`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Interpreter(NonNull<c_void>);

/// A `PyObject *` of which we own one reference that is never given back: a callback lives as long as the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Callback(NonNull<c_void>);

macro_rules! pointer {
    ($type:ident, $what:literal) => {
        impl $type {
            #[doc = concat!("Wraps the pointer to a ", $what, "; NULL gives nothing.")]
            pub fn new<T>(pointer: *mut T) -> Option<Self> {
                NonNull::new(pointer.cast()).map(Self)
            }

            #[doc = concat!("The pointer to the ", $what, ".")]
            pub fn as_ptr<T>(self) -> *mut T {
                self.0.as_ptr().cast()
            }
        }

        // SAFETY: a pointer that this crate hands around and never follows; CPython's rules for what it points to are
        // kept by the functions that take it, which are unsafe.
        unsafe impl Send for $type {}
        // SAFETY: as for Send.
        unsafe impl Sync for $type {}
    };
}

/// Space for the fields that `capi/aside.c` packs up of a thread state; its compiler checks the size.
#[repr(C)]
pub struct Luggage([MaybeUninit<*mut c_void>; 8]);

impl Luggage {
    const fn empty() -> Self {
        Self([MaybeUninit::uninit(); 8])
    }
}

// SAFETY: references that are followed, and given up, in C alone and with the GIL held.
unsafe impl Send for Luggage {}

pointer!(ThreadState, "thread state");
pointer!(Interpreter, "interpreter");
pointer!(Callback, "callback object");

/// The functions needed of CPython, for one of its lines.
///
/// # Safety
///
/// An implementor must do what each function says; [`threads`] relies on it to keep at most one thread on a state.
pub unsafe trait Cpython: 'static {
    /// Whether `PyGILState_*` works on whatever state a thread runs on (from 3.12 on), not on its first alone.
    const GIL_STATE_FOLLOWS: bool;

    /// Whether [`attached`](Self::attached) looks at the calling thread alone (from 3.12 on).
    const ATTACHED_IS_OF_THREAD: bool;

    /// The fields set aside of a state while a nested request runs on it.
    type Aside;

    /// The thread-local data and the context that a request takes from one acquisition to its next.
    type Luggage: Send;

    /// Whether `Py_Initialize` has run.
    fn is_initialized() -> bool;

    /// Whether Python is shutting down: a thread that takes the GIL from now on would not come back.
    fn is_finalizing() -> bool;

    /// The real main interpreter. Python must be initialised.
    fn main_interpreter() -> Interpreter;

    /// The state that `PyGILState_Ensure` would use in this thread.
    fn gil_state() -> Option<ThreadState>;

    /// The state that is current: in this thread from 3.12 on, in whichever thread holds the GIL before. Equal to a
    /// state of this thread's exactly if this thread holds the GIL with it.
    fn attached() -> Option<ThreadState>;

    /// The interpreter of a state.
    ///
    /// # Safety
    /// The state must be alive.
    unsafe fn interpreter_of(state: ThreadState) -> Interpreter;

    /// A new state for this thread, or nothing if there is no memory. Needs no GIL.
    ///
    /// # Safety
    /// The interpreter must be alive.
    unsafe fn new_state(interpreter: Interpreter) -> Option<ThreadState>;

    /// Takes the GIL and makes `state` current. While Python shuts down it may end the thread instead of returning:
    /// no lock of ours may be held.
    ///
    /// # Safety
    /// The state must be alive and belong to this thread, which must not hold the GIL.
    unsafe fn attach(state: ThreadState);

    /// Gives the GIL up and returns the state that was current.
    ///
    /// # Safety
    /// This thread must hold the GIL.
    unsafe fn detach() -> ThreadState;

    /// Makes the current state as new: nothing of what has run on it is left in it, or is found by what CPython has
    /// remembered under it. Then puts it by: nothing reaches it by way of its thread. Runs destructors, hence any
    /// Python code.
    ///
    /// # Safety
    /// This thread must hold the GIL with this state, on which no frame runs.
    unsafe fn renew(state: ThreadState);

    /// The current state goes into use, in this thread. It is made as new if C code has left something in it meanwhile.
    ///
    /// # Safety
    /// As for [`renew`](Self::renew).
    unsafe fn put_to_use(state: ThreadState, thread: libc::pthread_t);

    /// Whether C code has called `PyGILState_Ensure` on the state, and not yet `PyGILState_Release`.
    ///
    /// # Safety
    /// The state must be alive and this thread's.
    unsafe fn is_ensured(state: ThreadState) -> bool;

    /// Sets aside what the current state holds, so that it is as new. Only called where
    /// [`GIL_STATE_FOLLOWS`](Self::GIL_STATE_FOLLOWS) is false.
    ///
    /// # Safety
    /// This thread must hold the GIL with this state.
    unsafe fn set_aside(state: ThreadState) -> Box<Self::Aside>;

    /// Makes the current state as new, then puts back what was set aside.
    ///
    /// # Safety
    /// As for [`renew`](Self::renew); `aside` comes from this state, and what ran on it since has ended.
    unsafe fn put_back(state: ThreadState, aside: Box<Self::Aside>);

    /// Takes out of the current state what a request takes along; nothing if there is nothing. Runs no Python code.
    ///
    /// # Safety
    /// As for [`renew`](Self::renew).
    unsafe fn pack(state: ThreadState) -> Option<Box<Self::Luggage>>;

    /// Puts it into the current state, which is as new but for what is then given up.
    ///
    /// # Safety
    /// As for [`renew`](Self::renew); `luggage` was packed in the same interpreter.
    unsafe fn unpack(state: ThreadState, luggage: Box<Self::Luggage>);

    /// Frees a state that was made as new, or never used, and is not current.
    ///
    /// # Safety
    /// Nothing may use the state afterwards.
    unsafe fn delete(state: ThreadState);

    /// Frees such states at the end of their thread, which does not hold the GIL.
    ///
    /// # Safety
    /// As for [`delete`](Self::delete); the states are the calling thread's, and Python is not being finalized.
    unsafe fn delete_at_end(states: &[ThreadState]) {
        for &state in states {
            // SAFETY: the caller's promise is this function's. Needs no GIL: the list of states has a lock of its own.
            unsafe { Self::delete(state) };
        }
    }

    /// Makes another state current while the GIL stays held, and returns the one from before.
    ///
    /// # Safety
    /// This thread must hold the GIL (up to 3.12 no state need be current), and the state must be its own.
    unsafe fn swap(state: ThreadState) -> Option<ThreadState>;

    /// Makes no state current while the GIL stays held (up to 3.12), as generations 3.1 to 3.3 of mod_python have it.
    ///
    /// # Safety
    /// This thread must hold the GIL.
    unsafe fn swap_out();

    /// Gives the GIL up with no state current (up to 3.12).
    ///
    /// # Safety
    /// This thread must hold the GIL.
    unsafe fn release_lock();

    /// Tells Python, in the child of a fork, that its other threads are gone.
    ///
    /// # Safety
    /// This thread must hold the GIL, with a state that is current.
    unsafe fn after_fork();

    /// Whether the interpreter of `state` has other states, of threads that somebody has started.
    ///
    /// # Safety
    /// The state must be alive, and no other thread may be ending.
    unsafe fn has_other_states(state: ThreadState) -> bool;

    /// Ends Python without running the functions registered for its end (`atexit`). A stock parent never ends Python,
    /// so that functions that never ran before might hang the server, or end it. A SystemExit is not obeyed either: a
    /// function for a signal may raise one as soon as a line of Python runs.
    ///
    /// # Safety
    /// This thread must hold the GIL with the state that started Python.
    unsafe fn finalize();

    /// A new sub-interpreter; its first state is current afterwards. Nothing if it cannot be made; then the state that
    /// was current is current again. The GIL is dropped meanwhile, now and then.
    ///
    /// # Safety
    /// This thread must hold the GIL.
    unsafe fn new_interpreter() -> Option<ThreadState>;
}
