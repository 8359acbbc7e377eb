//! marshal.h.

use super::{Py_ssize_t, PyObject};
use std::ffi::{c_char, c_int};

unsafe extern "C" {
    pub fn PyMarshal_WriteObjectToString(object: *mut PyObject, version: c_int) -> *mut PyObject;
    pub fn PyMarshal_ReadObjectFromString(data: *const c_char, size: Py_ssize_t) -> *mut PyObject;
}
