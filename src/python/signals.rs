//! Signals: whether this thread is inside a handler, and what the end of Python must leave.
//!
//! prefork's child ends in the handler of SIGTERM at a stop, and of SIGHUP at a hard restart, and destroys its pools
//! there: mod_python's cleanups then ask for an interpreter, whatever the handler has interrupted.

use super::ffi;
use crate::server::apache;
use std::cell::Cell;
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::path::Path;

/// The signals in whose handlers a process of httpd ends.
const ENDING: [c_int; 2] = [libc::SIGTERM, libc::SIGHUP];

/// Which of the signals that end a process are usually blocked in a thread. The system blocks one while its handler
/// runs; the MPMs with threads block them in the threads that serve requests for good.
pub struct Usual(Cell<Option<[bool; ENDING.len()]>>);

impl Usual {
    /// Nothing is known of the thread yet.
    pub const fn unknown() -> Self {
        Self(Cell::new(None))
    }

    /// Notes what is usual, at this thread's first call.
    pub fn note(&self) {
        if self.0.get().is_none() {
            self.0.set(Some(are_blocked()));
        }
    }

    /// Whether one is blocked that usually is not: its handler runs.
    pub fn are_unusual(&self) -> bool {
        self.0.get().is_some_and(|usual| usual.into_iter().zip(are_blocked()).any(|(usual, now)| now && !usual))
    }
}

fn are_blocked() -> [bool; ENDING.len()] {
    // SAFETY: fills in a set of signals on the stack, and reads it.
    unsafe {
        let mut blocked = std::mem::zeroed();
        let known = libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut blocked) == 0;
        ENDING.map(|signal| known && libc::sigismember(&blocked, signal) == 1)
    }
}

/// Whether this is the process's first thread.
pub fn in_main_thread() -> bool {
    // SAFETY: two system calls without arguments; the number of a thread that gettid gives is that of a process.
    unsafe { libc::syscall(libc::SYS_gettid) == libc::c_long::from(libc::getpid()) }
}

/// Whether it is the server that gets the signals which stop and restart it: it has set its functions since Python
/// started, and with it perhaps a sitecustomize set others.
pub fn are_servers() -> bool {
    let of_python = file_of_python();
    [libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1].into_iter().all(|signal| {
        action(signal).is_some_and(|action| is_function(&action) && apache::file_of(action.sa_sigaction) != of_python)
    })
}

/// The file that Python's own functions for signals are in.
fn file_of_python() -> Option<&'static Path> {
    apache::file_of(ffi::Py_IsInitialized as *const () as usize)
}

/// The server's action for each signal, kept over the end of Python. Python's end sets the default for every signal
/// that a function in Python has ever been set for, though the server has set a function of its own since (CPython's
/// `_PySignal_Fini`, `finisignal` up to 3.8). Until the server sets its functions anew, a second restart or a stop
/// would kill it.
pub struct Kept {
    actions: Vec<(c_int, libc::sigaction)>,
    blocked: libc::sigset_t,
}

/// Notes what is done at each signal, and has this thread get none until [`Kept::put_back`].
pub fn keep() -> Kept {
    let mut kept = Kept { actions: Vec::new(), blocked: set_mask(libc::SIG_SETMASK, &every_signal()) };
    let of_python = file_of_python();
    for signal in 1..=libc::SIGRTMAX() {
        // Python's own goes with Python.
        if let Some(action) = action(signal).filter(|action| action.sa_sigaction != libc::SIG_DFL) {
            if apache::file_of(action.sa_sigaction) != of_python {
                kept.actions.push((signal, action));
            }
        }
    }
    kept
}

impl Kept {
    /// Python has ended: restores the actions that it has set to the default, and lets this thread get signals again.
    pub fn put_back(self) {
        for (signal, before) in &self.actions {
            if action(*signal).is_some_and(|action| action.sa_sigaction == libc::SIG_DFL) {
                // SAFETY: the action that this process has had for the signal; the function is not Python's, and those
                // of the server stay until httpd unloads them, for which it has the same action either way.
                unsafe { libc::sigaction(*signal, before, std::ptr::null_mut()) };
            }
        }
        set_mask(libc::SIG_SETMASK, &self.blocked);
    }
}

/// A function that does nothing at a signal. A program that is started meanwhile, one that logs are piped to, gets the
/// default of it, where it would go on to ignore what this process ignores. It stays in memory as long as the process,
/// and no other handler is that function.
fn nothing() -> libc::sighandler_t {
    libc::abs as *const () as libc::sighandler_t
}

fn is_function(action: &libc::sigaction) -> bool {
    ![libc::SIG_DFL, libc::SIG_IGN, nothing()].contains(&action.sa_sigaction)
}

/// The signals for which a function of Python's is called.
pub fn of_python() -> Vec<c_int> {
    let of_python = file_of_python();
    let is_python = |action: &libc::sigaction| apache::file_of(action.sa_sigaction) == of_python;
    let signals = 1..=libc::SIGRTMAX();
    signals.filter(|signal| action(*signal).is_some_and(|action| is_function(&action) && is_python(&action))).collect()
}

/// Does nothing at these signals for the time of a restart: the default would end the server, where stock's function,
/// whose code is back at its address after some milliseconds, does nothing.
pub fn ignore(signals: &[c_int]) {
    for signal in signals {
        // SAFETY: the default action of a signal, or a function of the C library without an effect.
        unsafe { libc::signal(*signal, meanwhile(*signal)) };
    }
}

/// What is done at a signal meanwhile: the default, where that is nothing, at SIGCHLD for one; at SIGINT, for which
/// Python sets its function if it finds the default; and at the signals of a fault, which would come again for ever.
fn meanwhile(signal: c_int) -> libc::sighandler_t {
    match signal {
        libc::SIGCHLD | libc::SIGURG | libc::SIGWINCH | libc::SIGCONT | libc::SIGINT => libc::SIG_DFL,
        libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL | libc::SIGTRAP | libc::SIGSYS | libc::SIGABRT => {
            libc::SIG_DFL
        }
        _ => nothing(),
    }
}

/// Python has started: a signal that nothing has set a function for since gets its default.
pub fn stop_ignoring() {
    for signal in 1..=libc::SIGRTMAX() {
        if action(signal).is_some_and(|action| action.sa_sigaction == nothing()) {
            // SAFETY: the default action of a signal.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
}

fn every_signal() -> libc::sigset_t {
    let mut all = MaybeUninit::uninit();
    // SAFETY: fills the set in.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        all.assume_init()
    }
}

/// Sets this thread's mask, and gives what it was.
fn set_mask(how: c_int, mask: &libc::sigset_t) -> libc::sigset_t {
    let mut before = MaybeUninit::zeroed();
    // SAFETY: two sets that live as long as the call; all zeroes are a set, if it fails.
    unsafe {
        libc::pthread_sigmask(how, mask, before.as_mut_ptr());
        before.assume_init()
    }
}

/// The action for a signal; `None` if sigaction rejects it.
fn action(signal: c_int) -> Option<libc::sigaction> {
    let mut action = MaybeUninit::zeroed();
    // SAFETY: asks only; there is space for the answer.
    unsafe { (libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0).then(|| action.assume_init()) }
}
