//! dictobject.h.

use super::{Py_TYPE, Py_ssize_t, PyObject, PyType_IsSubtype, PyTypeObject};
use std::ffi::{c_char, c_int};

unsafe extern "C" {
    #[link_name = "PyDict_Type"]
    static mut DICT: PyTypeObject;
    pub fn PyDict_New() -> *mut PyObject;
    pub fn PyDict_Clear(dict: *mut PyObject);
    pub fn PyDict_GetItem(dict: *mut PyObject, key: *mut PyObject) -> *mut PyObject;
    pub fn PyDict_GetItemString(dict: *mut PyObject, key: *const c_char) -> *mut PyObject;
    pub fn PyDict_SetItem(dict: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> c_int;
    pub fn PyDict_SetItemString(dict: *mut PyObject, key: *const c_char, value: *mut PyObject) -> c_int;
    pub fn PyDict_DelItemString(dict: *mut PyObject, key: *const c_char) -> c_int;
    pub fn PyDict_DelItem(dict: *mut PyObject, key: *mut PyObject) -> c_int;
    pub fn PyDict_Copy(dict: *mut PyObject) -> *mut PyObject;
    pub fn PyDict_Size(dict: *mut PyObject) -> Py_ssize_t;
    pub fn PyDict_Update(dict: *mut PyObject, with: *mut PyObject) -> c_int;
    pub fn PyDict_Keys(dict: *mut PyObject) -> *mut PyObject;
    pub fn PyDict_Next(
        dict: *mut PyObject,
        position: *mut Py_ssize_t,
        key: *mut *mut PyObject,
        value: *mut *mut PyObject,
    ) -> c_int;
}

/// `PyDict_GetItem`, which is silent about errors: the function that is not came with Python 3.
///
/// # Safety
/// The GIL is held and both objects are alive.
#[inline]
pub unsafe fn PyDict_GetItemWithError(dict: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe { PyDict_GetItem(dict, key) }
}

/// The value of that key, which is entered as `default` if it is not there. Borrowed; NULL on failure.
///
/// # Safety
/// The GIL is held and the objects are alive.
pub unsafe fn PyDict_SetDefault(dict: *mut PyObject, key: *mut PyObject, default: *mut PyObject) -> *mut PyObject {
    // SAFETY: the caller's promise; what is entered is kept alive by the dict.
    unsafe {
        let value = PyDict_GetItem(dict, key);
        if !value.is_null() {
            return value;
        }
        if PyDict_SetItem(dict, key, default) == 0 { default } else { std::ptr::null_mut() }
    }
}

/// Whether the object is a dict.
///
/// # Safety
/// `object` is alive.
pub unsafe fn PyDict_Check(object: *mut PyObject) -> c_int {
    // SAFETY: alive, says the caller.
    unsafe { PyType_IsSubtype(Py_TYPE(object), &raw mut DICT) }
}
