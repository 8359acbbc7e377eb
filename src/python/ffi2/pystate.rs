//! pystate.h: interpreters and thread states.

/// `PyInterpreterState`; only its address is used.
#[repr(C)]
pub struct PyInterpreterState {
    _opaque: [u8; 0],
}

/// `PyThreadState`, as far as this library looks into it: the first two fields are the same in 2.3 to 2.7.
#[repr(C)]
pub struct PyThreadState {
    next: *mut PyThreadState,
    /// The interpreter that the state belongs to.
    pub interp: *mut PyInterpreterState,
}

/// `PyGILState_STATE`, an enumeration: whether PyGILState_Ensure has taken the GIL.
pub type PyGILState_STATE = std::ffi::c_int;

unsafe extern "C" {
    pub fn PyInterpreterState_Head() -> *mut PyInterpreterState;
    pub fn PyInterpreterState_Next(interpreter: *mut PyInterpreterState) -> *mut PyInterpreterState;
    pub fn PyInterpreterState_ThreadHead(interpreter: *mut PyInterpreterState) -> *mut PyThreadState;
    pub fn PyThreadState_Next(state: *mut PyThreadState) -> *mut PyThreadState;
    pub fn PyThreadState_New(interpreter: *mut PyInterpreterState) -> *mut PyThreadState;
    pub fn PyThreadState_Clear(state: *mut PyThreadState);
    pub fn PyThreadState_Delete(state: *mut PyThreadState);
    pub fn PyThreadState_Get() -> *mut PyThreadState;
    pub fn PyThreadState_GetDict() -> *mut super::PyObject;
    pub fn PyThreadState_Swap(state: *mut PyThreadState) -> *mut PyThreadState;
    pub fn PyGILState_Ensure() -> PyGILState_STATE;
    pub fn PyGILState_Release(before: PyGILState_STATE);
    pub fn PyGILState_GetThisThreadState() -> *mut PyThreadState;
}
