//! cobject.h: C pointers as objects; in all of 2.3 to 2.7, of which the last alone has capsules too.

use super::PyObject;
use std::ffi::c_void;

unsafe extern "C" {
    pub fn PyCObject_FromVoidPtr(
        pointer: *mut c_void,
        destructor: Option<unsafe extern "C" fn(*mut c_void)>,
    ) -> *mut PyObject;
    pub fn PyCObject_AsVoidPtr(object: *mut PyObject) -> *mut c_void;
}
