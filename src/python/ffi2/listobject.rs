//! listobject.h.

use super::{Py_ssize_t, PyObject, PyType_IsSubtype, PyTypeObject};
use std::ffi::c_int;

unsafe extern "C" {
    static mut PyList_Type: PyTypeObject;
    pub fn PyList_New(size: Py_ssize_t) -> *mut PyObject;
    pub fn PyList_Size(list: *mut PyObject) -> Py_ssize_t;
    pub fn PyList_GetItem(list: *mut PyObject, at: Py_ssize_t) -> *mut PyObject;
    pub fn PyList_Append(list: *mut PyObject, item: *mut PyObject) -> c_int;
    pub fn PyList_GetSlice(list: *mut PyObject, low: Py_ssize_t, high: Py_ssize_t) -> *mut PyObject;
    pub fn PyList_SetSlice(list: *mut PyObject, low: Py_ssize_t, high: Py_ssize_t, items: *mut PyObject) -> c_int;
}

/// Whether the object is a list.
///
/// # Safety
/// `object` is alive.
pub unsafe fn PyList_Check(object: *mut PyObject) -> c_int {
    // SAFETY: two types that live as long as the object.
    unsafe { PyType_IsSubtype((*object).ob_type, &raw mut PyList_Type) }
}
