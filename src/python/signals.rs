//! Whether this thread is inside a signal handler. prefork's child ends in the handler of SIGTERM, and destroys its
//! pools there: mod_python's cleanups then ask for an interpreter, whatever the handler has interrupted.

use std::cell::Cell;

/// Whether SIGTERM is usually blocked in a thread. The system blocks it while its handler runs; the MPMs with threads
/// block it in the threads that serve requests for good.
pub struct Usual(Cell<Option<bool>>);

impl Usual {
    /// Nothing is known of the thread yet.
    pub const fn unknown() -> Self {
        Self(Cell::new(None))
    }

    /// Notes what is usual, at this thread's first call.
    pub fn note(&self) {
        if self.0.get().is_none() {
            self.0.set(Some(is_blocked()));
        }
    }

    /// Whether SIGTERM is blocked although it usually is not: its handler runs.
    pub fn are_unusual(&self) -> bool {
        self.0.get() == Some(false) && is_blocked()
    }
}

fn is_blocked() -> bool {
    // SAFETY: fills in a set of signals on the stack, and reads it.
    unsafe {
        let mut blocked = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut blocked) == 0
            && libc::sigismember(&blocked, libc::SIGTERM) == 1
    }
}

/// Whether this is the process's first thread.
pub fn in_main_thread() -> bool {
    // SAFETY: two system calls without arguments; the number of a thread that gettid gives is that of a process.
    unsafe { libc::syscall(libc::SYS_gettid) == libc::c_long::from(libc::getpid()) }
}
