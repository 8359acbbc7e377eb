//! sysmodule.h.

use super::PyObject;
use std::ffi::{c_char, c_int};

unsafe extern "C" {
    /// Borrowed; NULL, without an exception, if there is no such object in the module sys.
    pub fn PySys_GetObject(name: *const c_char) -> *mut PyObject;
    /// NULL takes the object out; 0 for success.
    pub fn PySys_SetObject(name: *const c_char, object: *mut PyObject) -> c_int;
}
