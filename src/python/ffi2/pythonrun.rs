//! pythonrun.h: the life of Python, and errors on the way out.

use super::PyThreadState;
use std::ffi::c_int;

unsafe extern "C" {
    pub fn Py_IsInitialized() -> c_int;
    pub fn Py_Initialize();
    pub fn Py_NewInterpreter() -> *mut PyThreadState;
    pub fn PyErr_Print();
    pub fn PyOS_AfterFork();
}
