//! Forks of this process: they are counted, and handlers run around them (R8).

use crate::server::{log, messages::Message};
use std::sync::atomic::{AtomicU32, Ordering};

static FORKS: AtomicU32 = AtomicU32::new(0);

/// The forks that lie between the process that loaded this library and this one. In the child of a fork Python deletes
/// the interpreters and thread states that its one thread does not need; whoever remembers some compares this number.
pub fn count() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

extern "C" fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// Has forks counted from now on. To be called once a process, before `on_fork`: child handlers run in the order of
/// their registration, and the count is right when those run.
///
/// # Errors
///
/// The error number, if there is no memory for it.
pub fn count_forks() -> Result<(), std::ffi::c_int> {
    register(None, None, Some(count_fork))
}

/// Has the system call `prepare` before each fork, in the forking thread; afterwards `parent` in it and `child` in its
/// copy. They must not allocate in a way that may deadlock, nor panic. To be called once a process for the same ones.
///
/// # Errors
///
/// The error number, if there is no memory for it.
pub fn on_fork(
    prepare: extern "C" fn(),
    parent: extern "C" fn(),
    child: extern "C" fn(),
) -> Result<(), std::ffi::c_int> {
    register(Some(prepare), Some(parent), Some(child))
}

/// Says in the log that handlers could not be registered.
pub fn log_unguarded(error: std::ffi::c_int) {
    let error = std::io::Error::from_raw_os_error(error);
    log::line(Message::ForksUnguarded, &format!("forks of a request are not guarded: {error}"));
}

type Handler = extern "C" fn();

fn register(prepare: Option<Handler>, parent: Option<Handler>, child: Option<Handler>) -> Result<(), std::ffi::c_int> {
    let unsafe_too = |handler: Option<Handler>| handler.map(|handler| handler as unsafe extern "C" fn());
    // SAFETY: pthread_atfork only stores the functions. They live as long as the library they are in: the C library
    // forgets the handlers of what it unloads.
    let error = unsafe { libc::pthread_atfork(unsafe_too(prepare), unsafe_too(parent), unsafe_too(child)) };
    if error == 0 { Ok(()) } else { Err(error) }
}
