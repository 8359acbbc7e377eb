//! pythonrun.h: the life of Python, and errors on the way out.

use super::{PyObject, PyThreadState};
use std::ffi::{c_char, c_int};

unsafe extern "C" {
    pub fn Py_IsInitialized() -> c_int;
    pub fn Py_Initialize();
    pub fn Py_InitializeEx(signals: c_int);
    pub fn Py_NewInterpreter() -> *mut PyThreadState;
    pub fn Py_EndInterpreter(state: *mut PyThreadState);
    /// The version as text, which is always there.
    pub fn Py_GetVersion() -> *const c_char;
    pub fn PyRun_SimpleString(source: *const c_char) -> c_int;
    pub fn PyErr_Print();
    pub fn Py_CompileString(source: *const c_char, file: *const c_char, start: c_int) -> *mut PyObject;
    pub fn PyOS_AfterFork();
    pub fn Py_Finalize();
}

/// The grammar's start for a whole file.
#[allow(non_upper_case_globals)] // Its name in CPython.
pub const Py_file_input: c_int = 257;
