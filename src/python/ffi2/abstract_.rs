//! abstract.h: objects, sequences and mappings by their protocols.

use super::{Py_ssize_t, PyObject};
use std::ffi::{c_char, c_int};

unsafe extern "C" {
    pub fn PyObject_Str(object: *mut PyObject) -> *mut PyObject;
    pub fn PyObject_IsTrue(object: *mut PyObject) -> c_int;
    pub fn PyObject_GetAttr(object: *mut PyObject, name: *mut PyObject) -> *mut PyObject;
    pub fn PyObject_SetAttr(object: *mut PyObject, name: *mut PyObject, value: *mut PyObject) -> c_int;
    pub fn PyObject_GetAttrString(object: *mut PyObject, name: *const c_char) -> *mut PyObject;
    pub fn PyObject_GetItem(object: *mut PyObject, key: *mut PyObject) -> *mut PyObject;
    pub fn PyObject_SetAttrString(object: *mut PyObject, name: *const c_char, value: *mut PyObject) -> c_int;
    pub fn PyObject_Call(callable: *mut PyObject, arguments: *mut PyObject, named: *mut PyObject) -> *mut PyObject;
    pub fn PyObject_CallObject(callable: *mut PyObject, arguments: *mut PyObject) -> *mut PyObject;
    pub fn PyObject_CallMethod(object: *mut PyObject, name: *const c_char, format: *const c_char, ...)
    -> *mut PyObject;
    pub fn PyObject_CallFunctionObjArgs(callable: *mut PyObject, ...) -> *mut PyObject;
    pub fn PyObject_CallMethodObjArgs(object: *mut PyObject, name: *mut PyObject, ...) -> *mut PyObject;
    pub fn PySequence_GetItem(object: *mut PyObject, at: Py_ssize_t) -> *mut PyObject;
    pub fn PySequence_Tuple(object: *mut PyObject) -> *mut PyObject;
}

/// Calls without arguments.
///
/// # Safety
/// The GIL is held and `callable` is alive.
pub unsafe fn PyObject_CallNoArgs(callable: *mut PyObject) -> *mut PyObject {
    // SAFETY: NULL stands for no arguments.
    unsafe { PyObject_CallObject(callable, std::ptr::null_mut()) }
}
