//! modsupport.h: values of C types, and modules in C.

use super::{Py_TYPE, PyMethodDef, PyObject, PyType_IsSubtype, PyTypeObject};
use std::ffi::{c_char, c_int};

unsafe extern "C" {
    #[link_name = "PyModule_Type"]
    static mut MODULE: PyTypeObject;
    pub fn PyModule_GetDict(module: *mut PyObject) -> *mut PyObject;
    pub fn PyFloat_FromDouble(value: f64) -> *mut PyObject;
    pub fn Py_BuildValue(format: *const c_char, ...) -> *mut PyObject;
    /// The module, borrowed. The name says that a Py_ssize_t has 64 bits.
    #[cfg_attr(all(target_pointer_width = "64", not(python24)), link_name = "Py_InitModule4_64")]
    pub fn Py_InitModule4(
        name: *const c_char,
        methods: *mut PyMethodDef,
        doc: *const c_char,
        self_: *mut PyObject,
        version: c_int,
    ) -> *mut PyObject;
}

/// `PYTHON_API_VERSION`.
#[cfg(not(python24))]
pub const PYTHON_API_VERSION: c_int = 1013;
/// That of Python 2.4.
#[cfg(python24)]
pub const PYTHON_API_VERSION: c_int = 1012;

/// Whether the object is a module.
///
/// # Safety
/// `object` is alive.
pub unsafe fn PyModule_Check(object: *mut PyObject) -> c_int {
    // SAFETY: alive, says the caller.
    unsafe { PyType_IsSubtype(Py_TYPE(object), &raw mut MODULE) }
}
