//! boolobject.h.

use super::PyObject;
use std::ffi::c_long;

unsafe extern "C" {
    pub fn PyBool_FromLong(value: c_long) -> *mut PyObject;
}
