//! tupleobject.h.

use super::{Py_ssize_t, PyObject, PyType_IsSubtype, PyTypeObject};

unsafe extern "C" {
    static mut PyTuple_Type: PyTypeObject;
    pub fn PyTuple_New(size: Py_ssize_t) -> *mut PyObject;
    pub fn PyTuple_Pack(size: Py_ssize_t, ...) -> *mut PyObject;
    pub fn PyTuple_SetItem(tuple: *mut PyObject, at: Py_ssize_t, item: *mut PyObject) -> std::ffi::c_int;
    pub fn PyTuple_GetSlice(tuple: *mut PyObject, from: Py_ssize_t, to: Py_ssize_t) -> *mut PyObject;
    pub fn PyTuple_Size(tuple: *mut PyObject) -> Py_ssize_t;
}

/// `PyTupleObject`, as far as its first item.
#[repr(C)]
struct PyTupleObject {
    ob_base: PyObject,
    ob_size: Py_ssize_t,
    ob_item: [*mut PyObject; 1],
}

/// Whether the object is a tuple.
///
/// # Safety
/// `object` is alive.
pub unsafe fn PyTuple_Check(object: *mut PyObject) -> std::ffi::c_int {
    // SAFETY: two types that live as long as the object.
    unsafe { PyType_IsSubtype((*object).ob_type, &raw mut PyTuple_Type) }
}

/// The items of a tuple, one after the other.
///
/// # Safety
/// `tuple` is a tuple that is alive as long as the items are used.
pub unsafe fn tuple_items(tuple: *mut PyObject) -> *const *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe { (&raw const (*tuple.cast::<PyTupleObject>()).ob_item).cast() }
}
