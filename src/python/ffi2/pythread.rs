//! pythread.h.

use std::ffi::c_ulong;

unsafe extern "C" {
    /// A long before Python 3.7, of the same size.
    pub fn PyThread_get_thread_ident() -> c_ulong;
}
