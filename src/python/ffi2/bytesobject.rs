//! bytesobject.h: in Python 2 the names for `str`.

use super::{Py_ssize_t, PyObject};
use std::ffi::{c_char, c_int};

unsafe extern "C" {
    #[link_name = "PyString_AsStringAndSize"]
    pub fn PyBytes_AsStringAndSize(object: *mut PyObject, start: *mut *mut c_char, size: *mut Py_ssize_t) -> c_int;
}
