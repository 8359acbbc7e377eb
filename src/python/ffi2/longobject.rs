//! longobject.h: the functions that take ints too.

use super::PyObject;
use std::ffi::{c_long, c_longlong, c_ulong, c_ulonglong, c_void};

unsafe extern "C" {
    pub fn PyLong_FromLong(value: c_long) -> *mut PyObject;
    pub fn PyLong_FromUnsignedLong(value: c_ulong) -> *mut PyObject;
    pub fn PyLong_FromLongLong(value: c_longlong) -> *mut PyObject;
    pub fn PyLong_FromVoidPtr(pointer: *mut c_void) -> *mut PyObject;
    pub fn PyLong_AsLong(object: *mut PyObject) -> c_long;
    pub fn PyLong_AsLongLong(object: *mut PyObject) -> c_longlong;
    /// Of a long alone.
    pub fn PyLong_AsUnsignedLongLong(object: *mut PyObject) -> c_ulonglong;
}
