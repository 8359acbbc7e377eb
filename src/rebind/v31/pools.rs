//! The module's pool cleanups, and the merging of its configuration.

use crate::{
    embedding::unlocked,
    rebind::{calls, startup},
    server::{
        apache::{self, Cleanup},
        settings,
    },
};
use std::ffi::{c_char, c_int, c_void};

unsafe extern "C" {
    /// `apr_table_overlap(table, copy of other in the pool of table, flags)`
    fn mpc_server_table_overlap_copy(table: *mut c_void, other: *const c_void, flags: c_int);
    /// `apr_table_overlap`
    fn mpc_server_table_overlap(table: *mut c_void, other: *const c_void, flags: c_int);
}

/// `apr_table_overlap`. It allocates in the pool of the other table, which for the module's configuration is one of the
/// whole process, in all threads at once (MODPYTHON-75): so it is given a copy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc31_rebind_apr_table_overlap(table: *mut c_void, other: *const c_void, flags: c_int) {
    // SAFETY: as the module called it.
    unsafe {
        if settings::of_process().cures("sections") {
            mpc_server_table_overlap_copy(table, other, flags);
        } else {
            mpc_server_table_overlap(table, other, flags);
        }
    }
}

/// `cleanup_info`: what python_cleanup is given.
#[repr(C)]
struct CleanupInfo {
    request: *mut c_void,
    server: *mut c_void,
    handler: *mut c_void,
    interpreter: *const c_char,
    data: *mut c_void,
}

/// `apr_pool_cleanup_register`.
///
/// - python_finalize is not registered. It runs in the handler of the signal that ends the child, and takes the GIL,
///   which the interrupted thread may hold: the child would hang (MODPYTHON-109).
/// - server.register_cleanup keeps the interpreter's name in the pool of the request that calls it, and runs after that
///   is gone: the name is copied. The process keeps the copy, as it keeps the cleanup.
/// - python_decref gives an object up without the GIL; see [`unlocked::register`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc31_rebind_apr_pool_cleanup_register(
    pool: *mut c_void,
    data: *const c_void,
    plain: Option<Cleanup>,
    child: Option<Cleanup>,
) {
    if calls::is_end_of_python(data) {
        return;
    }
    // SAFETY: as the module called it; python_cleanup's data is a `cleanup_info` of its own.
    unsafe {
        if !startup::is_active() {
            return apache::mpc_server_pool_cleanup_register(pool, data, plain, child);
        }
        let is_cleanup = plain.is_some_and(|plain| plain as usize == apache::symbol(c"python_cleanup") as usize);
        if is_cleanup && settings::of_process().cures("server-cleanups") {
            let info = data.cast_mut().cast::<CleanupInfo>();
            if (*info).request.is_null() && !(*info).interpreter.is_null() {
                (*info).interpreter = libc::strdup((*info).interpreter);
            }
        }
        unlocked::register_of_module(pool, data, plain, child);
    }
}
