//! pyerrors.h.

use super::PyObject;
use std::ffi::{c_char, c_int};

unsafe extern "C" {
    pub static PyExc_StopIteration: *mut PyObject;
    pub static PyExc_TypeError: *mut PyObject;
    pub static PyExc_ValueError: *mut PyObject;
    pub static PyExc_RuntimeError: *mut PyObject;
    pub static PyExc_SystemError: *mut PyObject;
    pub static PyExc_ImportError: *mut PyObject;
    pub fn PyErr_Occurred() -> *mut PyObject;
    pub fn PyErr_Clear();
    pub fn PyErr_GivenExceptionMatches(error: *mut PyObject, class: *mut PyObject) -> c_int;
    pub fn PyErr_CheckSignals() -> c_int;
    pub fn PyErr_Restore(kind: *mut PyObject, value: *mut PyObject, traceback: *mut PyObject);
    pub fn PyErr_SetString(kind: *mut PyObject, text: *const c_char);
    pub fn PyErr_Fetch(kind: *mut *mut PyObject, value: *mut *mut PyObject, traceback: *mut *mut PyObject);
    pub fn PyErr_NormalizeException(kind: *mut *mut PyObject, value: *mut *mut PyObject, traceback: *mut *mut PyObject);
}
