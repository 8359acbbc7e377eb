//! ceval.h: the GIL, and what runs.

use super::{PyObject, PyThreadState};

/// `PyFrameObject`; only its address is used.
#[repr(C)]
pub struct PyFrameObject {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    pub fn PyEval_InitThreads();
    pub fn PyEval_SaveThread() -> *mut PyThreadState;
    pub fn PyEval_RestoreThread(state: *mut PyThreadState);
    pub fn PyEval_AcquireThread(state: *mut PyThreadState);
    pub fn PyEval_ReleaseThread(state: *mut PyThreadState);
    pub fn PyEval_AcquireLock();
    pub fn PyEval_ReleaseLock();
    pub fn PyEval_EvalCode(code: *mut PyObject, globals: *mut PyObject, locals: *mut PyObject) -> *mut PyObject;
    pub fn PyEval_GetBuiltins() -> *mut PyObject;
    pub fn PyEval_GetGlobals() -> *mut PyObject;
    pub fn PyEval_GetFrame() -> *mut PyFrameObject;
}
