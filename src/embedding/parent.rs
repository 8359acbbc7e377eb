//! The forks of the server's parent, while a thread of Python runs in it: one of a log handler, or of an agent.
//!
//! A child has the GIL as it was at its fork. If that thread held it, nobody gives it up in the child, which waits for
//! it at its start, for ever; so it is with stock. Here the thread that forks has the GIL then, as in `os.fork`, and
//! what has been registered for forks is called. A parent that has no such thread forks as ever.

use crate::python::{Cpython, Python, ThreadState};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether this process starts the server, and has served nothing yet.
static IS_PARENT: AtomicBool = AtomicBool::new(false);

/// Python has been started in the parent, or goes on there after a restart.
pub fn begins() {
    IS_PARENT.store(true, Ordering::Relaxed);
}

/// This process serves requests from now on.
pub fn child_begins() {
    IS_PARENT.store(false, Ordering::Relaxed);
}

/// Takes the GIL, in the parent, if others may have it. The state that has it until after the fork.
///
/// Who holds it for good keeps the parent from forking. Its children would not serve, either.
pub fn before_fork() -> Option<ThreadState> {
    if !IS_PARENT.load(Ordering::Relaxed) || !Python::is_initialized() {
        return None;
    }
    let state = Python::gil_state()?;
    // Up to 3.11 another thread's state is attached, if that thread has the GIL.
    if Python::attached() == Some(state) {
        return None;
    }
    // SAFETY: a state that this living thread has as its own, which does not hold the GIL. With the GIL held no other
    // thread's state goes.
    unsafe {
        Python::attach(state);
        if Python::has_other_states(state) {
            Python::before_fork();
            return Some(state);
        }
        Python::detach();
    }
    None
}

/// What was taken before the fork is given back, in the parent.
pub fn after_fork(taken: Option<ThreadState>) {
    if taken.is_some() {
        // SAFETY: this thread holds the GIL since it has taken it.
        unsafe {
            Python::after_fork_in_parent();
            Python::detach();
        }
    }
}

/// The same in the child, whose one thread this is.
pub fn after_fork_in_child(taken: Option<ThreadState>) {
    if taken.is_some() {
        // SAFETY: as in the parent, of which this is a copy; the state is current.
        unsafe {
            Python::after_fork();
            Python::detach();
        }
    }
}
