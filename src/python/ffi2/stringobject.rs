//! stringobject.h: `str`, the text of Python 2.

use super::{Py_ssize_t, PyObject, PyType_IsSubtype, PyTypeObject};
use std::ffi::{c_char, c_int};

unsafe extern "C" {
    static mut PyBaseString_Type: PyTypeObject;
    pub fn PyString_AsString(object: *mut PyObject) -> *mut c_char;
    pub fn PyString_FromStringAndSize(start: *const c_char, size: Py_ssize_t) -> *mut PyObject;
    pub fn PyString_InternFromString(text: *const c_char) -> *mut PyObject;
}

/// Whether the object is a `basestring`: `str` or `unicode`.
///
/// # Safety
/// `object` is alive.
#[inline]
pub unsafe fn PyBaseString_Check(object: *mut PyObject) -> c_int {
    // SAFETY: two types that live as long as the object.
    unsafe { PyType_IsSubtype((*object).ob_type, &raw mut PyBaseString_Type) }
}
