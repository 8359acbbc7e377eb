//! Calls of a host that the include header sends here, because the originals take no heed of threads or restarts.

use crate::{
    embedding::{builtins, start, unlocked},
    python::{Cpython, Python, ffi},
    server::settings,
};
use std::ffi::{CStr, c_char, c_int, c_void};

/// A pool cleanup, which returns an `apr_status_t`, or NULL.
pub type MaybeCleanup = Option<unsafe extern "C" fn(*mut c_void) -> c_int>;

/// The function by which a built-in module comes into being (it returns nothing in Python 2), or NULL.
pub type MaybeInit = Option<unsafe extern "C" fn() -> *mut c_void>;

/// Whether `MODPYTHON_CORE=off` is set, so that every call is to do what the stock module does.
#[unsafe(no_mangle)]
pub extern "C" fn modpython_core_switched_off() -> c_int {
    settings::of_process().off.into()
}

/// Whether the remedy of that name is to be used: it is one of those that `MODPYTHON_CORE_DISABLE` can leave out, and
/// nothing has left it out.
///
/// # Safety
///
/// `remedy` is NUL-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modpython_core_cures(remedy: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    let remedy = unsafe { CStr::from_ptr(remedy) };
    remedy.to_str().is_ok_and(|remedy| settings::of_process().cures(remedy)).into()
}

/// `Py_Initialize`. Where Python runs already (after a graceful restart), the GIL is taken back.
///
/// # Safety
///
/// Called by the thread that starts the server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modpython_core_initialize() {
    // SAFETY: the caller's promise.
    unsafe { start::initialize(None) }
}

/// `PyImport_AppendInittab`, which tolerates a second call after a graceful restart.
///
/// # Safety
///
/// As for `PyImport_AppendInittab`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modpython_core_append_inittab(name: *const c_char, init: MaybeInit) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { builtins::append(name, init) }
}

/// `PyEval_ReleaseLock`, in python_init of generations 3.2 and 3.3: no thread state stays current in a thread that has
/// given the GIL up.
///
/// # Safety
///
/// The GIL is held.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modpython_core_release_lock() {
    // SAFETY: the caller's promise.
    unsafe {
        if Python::attached().is_some() {
            Python::detach();
        } else {
            Python::release_lock();
        }
    }
}

/// `apr_pool_cleanup_register`. A cleanup that is `unlocked` (python_decref) gives an object up without the GIL, and is
/// replaced by one that takes it.
///
/// # Safety
///
/// As for `apr_pool_cleanup_register`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modpython_core_cleanup_register(
    pool: *mut c_void,
    data: *const c_void,
    plain: MaybeCleanup,
    child: MaybeCleanup,
    unlocked: c_int,
) {
    // SAFETY: the caller's promise.
    unsafe { unlocked::register(pool, data, plain, child, unlocked != 0 && settings::of_process().cures("filters")) }
}

/// Writes up to `capacity` counters of this process to `counters` and returns how many there are; their order is that
/// of the `counters!` list in src/server/stats.rs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modpython_core_stats(counters: *mut u64, capacity: usize) -> usize {
    let mut number = 0;
    for value in crate::server::stats::STATS.read() {
        if number < capacity && !counters.is_null() {
            // SAFETY: the caller says that there is space for that many.
            unsafe { counters.add(number).write(value) };
        }
        number += 1;
    }
    number
}

/// Called by the C glue with each result of `modpython_core_call_method`, whose reference it takes over; it returns the
/// reference that goes to the host.
#[unsafe(no_mangle)]
unsafe extern "C" fn mpc_method_dispatched(name: *const c_char, result: *mut ffi::PyObject) -> *mut ffi::PyObject {
    if settings::of_process().off {
        return result;
    }
    // SAFETY: the glue has called a method of that name; the host holds the GIL, and the reference, if any, is ours.
    unsafe { unlocked::trade(name, result, unlocked::dispatched) }
}
