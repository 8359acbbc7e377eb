//! intobject.h: the ints of Python 2.

use super::{PyObject, PyType_IsSubtype, PyTypeObject};
use std::ffi::{c_int, c_long};

unsafe extern "C" {
    static mut PyInt_Type: PyTypeObject;
    pub fn PyInt_FromLong(value: c_long) -> *mut PyObject;
    pub fn PyInt_AsLong(object: *mut PyObject) -> c_long;
}

/// Whether the object is an int, or of a subtype (bool is one).
///
/// # Safety
/// `object` is alive.
#[inline]
pub unsafe fn PyInt_Check(object: *mut PyObject) -> c_int {
    // SAFETY: two types that live as long as the object.
    unsafe { PyType_IsSubtype((*object).ob_type, &raw mut PyInt_Type) }
}
