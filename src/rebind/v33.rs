//! Generations 3.2 and 3.3: what a finished module of theirs calls in another order than one of 3.1, or besides. All
//! else is answered by [`v31`](super::v31), and the names under which it is called are in capi/glue33.c.
//!
//! | the module calls | stock | here |
//! |---|---|---|
//! | `apr_thread_mutex_create` in python_init | the mutex of the interpreters | is remembered |
//! | `apr_thread_mutex_lock`, `_unlock` of it | one acquisition, in 3.3 the callback too | nothing |
//! | `PyEval_ReleaseLock` in python_init | leaves the thread state current | it does not stay current |
//! | `PyOS_AfterFork` in the child's start | needs a state, which 3.2.0 to 3.2.8 have not | a state is current |
//! | `PyThreadState_Clear` before the release (3.3) | clears the state | nothing: the release does it |
//!
//! 3.2.9 and later enter Python's main interpreter into their dict in the child's start; it is never asked for it.

use crate::{
    embedding::{start, thread::Start, unlocked},
    python::{Cpython, Python, ffi},
    rebind::{calls, startup},
    server::{apache::Cleanup, settings},
};
use std::{
    ffi::{c_int, c_uint, c_void},
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

unsafe extern "C" {
    fn mpc_server_thread_mutex_create(mutex: *mut *mut c_void, flags: c_uint, pool: *mut c_void) -> c_int;
    fn mpc_server_thread_mutex_lock(mutex: *mut c_void) -> c_int;
    fn mpc_server_thread_mutex_unlock(mutex: *mut c_void) -> c_int;
    fn mpc31_rebind_PyEval_ReleaseLock();
}

/// The mutex of the interpreters.
static LOCK: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// `Py_Initialize`, of a module whose minor version this is; see [`start::initialize`].
///
/// # Safety
///
/// As the module calls it.
#[unsafe(no_mangle)]
unsafe extern "C" fn mpc33_initialize(minor: c_int) {
    // SAFETY: as the module called it.
    unsafe { start::initialize(None) };
    startup::begin(if minor == 2 { "3.2" } else { "3.3" });
    LOCK.store(ptr::null_mut(), Ordering::Relaxed);
    Start::Initialized.reach();
}

/// `apr_thread_mutex_create`; python_init makes one, before its dict.
///
/// # Safety
///
/// As the module calls it.
#[unsafe(no_mangle)]
unsafe extern "C" fn mpc33_thread_mutex_create(mutex: *mut *mut c_void, flags: c_uint, pool: *mut c_void) -> c_int {
    // SAFETY: as the module called it; after success there is a mutex.
    unsafe {
        let status = mpc_server_thread_mutex_create(mutex, flags, pool);
        if status == 0 && Start::reached() == Start::Initialized {
            LOCK.store(*mutex, Ordering::Relaxed);
        }
        status
    }
}

/// Whether it is the mutex of the interpreters, which is not needed: a thread that waits for an interpreter would hold
/// up those that ask for others.
fn is_needless(mutex: *mut c_void) -> bool {
    startup::is_active() && LOCK.load(Ordering::Relaxed) == mutex
}

/// `apr_thread_mutex_lock`
///
/// # Safety
///
/// As the module calls it.
#[unsafe(no_mangle)]
unsafe extern "C" fn mpc33_thread_mutex_lock(mutex: *mut c_void) -> c_int {
    // SAFETY: as the module called it.
    if is_needless(mutex) { 0 } else { unsafe { mpc_server_thread_mutex_lock(mutex) } }
}

/// `apr_thread_mutex_unlock`
///
/// # Safety
///
/// As the module calls it.
#[unsafe(no_mangle)]
unsafe extern "C" fn mpc33_thread_mutex_unlock(mutex: *mut c_void) -> c_int {
    // SAFETY: as the module called it.
    if is_needless(mutex) { 0 } else { unsafe { mpc_server_thread_mutex_unlock(mutex) } }
}

/// `PyOS_AfterFork`; the child's start calls it, between PyEval_AcquireLock and PyEval_ReleaseLock. A state is current
/// afterwards, whose interpreter 3.2.9 and later save. Switched off as well: no child of 3.2.8 lives without one.
///
/// # Safety
///
/// As the module calls it.
#[unsafe(no_mangle)]
unsafe extern "C" fn mpc33_rebound_after_fork() {
    let known = Start::reached() == Start::TableMade;
    // SAFETY: as the module called it: the GIL is held, in a child of one thread.
    unsafe { start::after_fork() };
    if known {
        Start::MainEntered.reach();
    }
}

/// `PyEval_ReleaseLock`: the end of python_init, or of the child's start, where no state stays current; or the look-up
/// of an acquisition is over.
///
/// # Safety
///
/// As the module calls it.
#[unsafe(no_mangle)]
unsafe extern "C" fn mpc33_release_lock() {
    let reached = Start::reached();
    if startup::is_active() || !matches!(reached, Start::TableMade | Start::MainEntered) {
        // SAFETY: as the module called it.
        return unsafe { mpc31_rebind_PyEval_ReleaseLock() };
    }
    // SAFETY: the module holds the GIL, on a state or on none.
    unsafe {
        if Python::attached().is_some() {
            Python::detach();
        } else {
            Python::release_lock();
        }
    }
    if reached == Start::MainEntered {
        if settings::of_process().off {
            Start::None.reach();
            start::log_active(startup::generation(), start::OFF);
        } else {
            Start::ChildReady.reach();
            startup::activate();
            start::log_active(startup::generation(), start::ACTIVE);
        }
    }
}

/// `PyThreadState_Clear`; of the state of an acquisition that is released next.
///
/// # Safety
///
/// As the module calls it.
#[unsafe(no_mangle)]
unsafe extern "C" fn mpc33_clear(state: *mut c_void) {
    if !calls::is_innermost(state) {
        // SAFETY: as the module called it.
        unsafe { ffi::PyThreadState_Clear(state.cast()) }
    }
}

/// `apr_pool_cleanup_register`: python_finalize is not registered (MODPYTHON-109; 3.2 alone has it), and python_decref
/// is replaced by one that takes the GIL.
///
/// # Safety
///
/// As the module calls it.
#[unsafe(no_mangle)]
unsafe extern "C" fn mpc33_cleanup_register(
    pool: *mut c_void,
    data: *const c_void,
    plain: Option<Cleanup>,
    child: Option<Cleanup>,
) {
    if calls::is_end_of_python(data) {
        return;
    }
    // SAFETY: as the module called it.
    unsafe { unlocked::register_of_module(pool, data, plain, child) }
}
