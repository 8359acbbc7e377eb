//! methodobject.h: functions in C.

use super::PyObject;
use std::ffi::{c_char, c_int};

/// `PyCFunctionWithKeywords`: self, the tuple of arguments, NULL or the dict of keywords.
pub type PyCFunctionWithKeywords = unsafe extern "C" fn(*mut PyObject, *mut PyObject, *mut PyObject) -> *mut PyObject;

/// `PyMethodDef`
#[repr(C)]
pub struct PyMethodDef {
    /// The name; NULL ends a table.
    pub ml_name: *const c_char,
    /// The function.
    pub ml_meth: Option<PyCFunctionWithKeywords>,
    /// How it is called.
    pub ml_flags: c_int,
    /// Its text, or NULL.
    pub ml_doc: *const c_char,
}

/// Arguments come as a tuple.
pub const METH_VARARGS: c_int = 1;
/// Keywords come as a dict.
pub const METH_KEYWORDS: c_int = 2;
