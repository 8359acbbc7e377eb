//! sysmodule.h.

use super::PyObject;
use std::ffi::c_char;

unsafe extern "C" {
    /// Borrowed; NULL, without an exception, if there is no such object in the module sys.
    pub fn PySys_GetObject(name: *const c_char) -> *mut PyObject;
}
