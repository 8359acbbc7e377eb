//! import.h.

use super::PyObject;
use std::ffi::{c_char, c_int};

unsafe extern "C" {
    pub fn PyImport_ImportModule(name: *const c_char) -> *mut PyObject;
    pub fn PyImport_GetModuleDict() -> *mut PyObject;
    /// Before 2.6 it is of capi/glue.c.
    pub fn _PyImport_AcquireLock();
    /// 1 if it was this thread's, -1 if not, 0 where there is no lock. The same.
    pub fn _PyImport_ReleaseLock() -> c_int;
}
