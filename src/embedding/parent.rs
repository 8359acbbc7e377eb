//! The forks of the server's parent.
//!
//! Before the first one the shim is compiled, for all children. Not when Python starts: until httpd has set its
//! functions for the signals it gets, a signal does what a sitecustomize, say, has set. To compile in that time would
//! make it ten times as long as with stock.
//!
//! The others are about threads of Python in the parent: one of a log handler, or of an agent. A child has the GIL as
//! it was at its fork. If that thread held it, nobody gives it up in the child, which waits for it at its start, for
//! ever; so it is with stock. Here the thread that forks has the GIL then. Nothing else is waited for, and nothing that
//! is registered for `os.fork` runs in the parent: a lock or a hook there may last for ever, and with it the parent,
//! which could not even be stopped. A parent that has no other thread forks as ever.

use crate::{
    import_module,
    python::{Cpython, Python, ThreadState, gil::with_gil, signals},
    server::apache,
};
use std::{
    ffi::{c_int, c_void},
    fs,
    mem::MaybeUninit,
    ptr,
    sync::atomic::{AtomicBool, Ordering},
};

/// How long the parent waits for the GIL before a fork, in seconds. After that it forks as stock does.
const PATIENCE: libc::time_t = 2;

/// Whether this process starts the server, has served nothing yet, and has always got the GIL in time.
static TAKES_GIL: AtomicBool = AtomicBool::new(false);

/// Python has been started in the parent, or goes on there after a restart.
pub fn begins() {
    TAKES_GIL.store(true, Ordering::Relaxed);
}

/// This process serves requests from now on.
pub fn child_begins() {
    TAKES_GIL.store(false, Ordering::Relaxed);
}

/// Prepares the children in the parent, and takes the GIL if others may have it. The state that has it until after the
/// fork.
pub fn before_fork() -> Option<ThreadState> {
    if !TAKES_GIL.load(Ordering::Relaxed) || !Python::is_initialized() {
        return None;
    }
    let is_alone = is_alone();
    // Another module, mod_cgid say, may fork before the server has set its functions.
    let prepares = !import_module::is_prepared() && signals::are_servers();
    if is_alone && !prepares {
        return None;
    }
    let state = Python::gil_state()?;
    // Up to 3.11 another thread's state is attached, if that thread has the GIL.
    if Python::attached() == Some(state) {
        return None;
    }
    if !is_alone && !can_be_had() {
        TAKES_GIL.store(false, Ordering::Relaxed);
        return None;
    }
    // SAFETY: a state that this living thread has as its own, which does not hold the GIL. With the GIL held no other
    // thread's state goes.
    unsafe {
        Python::attach(state);
        if prepares {
            with_gil(|gil| import_module::prepare(gil));
        }
        if Python::has_other_states(state) {
            return Some(state);
        }
        Python::detach();
    }
    None
}

/// Whether the process has one thread.
fn is_alone() -> bool {
    fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
}

unsafe extern "C" {
    // pthread.h of the GNU C library.
    fn pthread_timedjoin_np(thread: libc::pthread_t, result: *mut *mut c_void, end: *const libc::timespec) -> c_int;
}

/// Whether a thread can get the GIL in time. It is another one that tries: nothing ends a wait for the GIL.
fn can_be_had() -> bool {
    let mut thread = MaybeUninit::uninit();
    let mut end = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // Not by std::thread: what it leaves in this thread would keep a mod_python.so with the library inside in memory.
    // SAFETY: structures of our own; the thread is joined, or detached, once. What it runs stays in memory if it does.
    unsafe {
        if libc::pthread_create(thread.as_mut_ptr(), ptr::null(), take_and_give_up, ptr::null_mut()) != 0 {
            return false;
        }
        let thread = thread.assume_init();
        libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut end);
        end.tv_sec += PATIENCE;
        if pthread_timedjoin_np(thread, ptr::null_mut(), &raw const end) == 0 {
            return true;
        }
        if let Some(file) = apache::file_of(take_and_give_up as *const () as usize) {
            apache::handle(file, libc::RTLD_NODELETE);
        }
        libc::pthread_detach(thread);
    }
    false
}

extern "C" fn take_and_give_up(_: *mut c_void) -> *mut c_void {
    // SAFETY: Python is initialised, and does not end while it has the state of another thread than its own. The state
    // is this thread's alone.
    unsafe {
        if let Some(state) = Python::new_state(Python::main_interpreter()) {
            Python::attach(state);
            Python::detach();
            Python::delete_at_end(&[state]);
        }
    }
    ptr::null_mut()
}

/// Gives back, in the parent, the GIL that was taken before the fork.
pub fn after_fork(taken: Option<ThreadState>) {
    if taken.is_some() {
        // SAFETY: this thread holds the GIL since it has taken it.
        unsafe {
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
