//! object.h: objects and their reference counts.

/// `Py_ssize_t`.
#[cfg(not(python24))]
pub type Py_ssize_t = isize;
/// The type of Python 2.4 in its place, for sizes and counts of references.
#[cfg(python24)]
pub type Py_ssize_t = std::ffi::c_int;

/// `PyObject`, the head of every object in a build without Py_TRACE_REFS.
#[repr(C)]
pub struct PyObject {
    /// How many references there are.
    pub ob_refcnt: Py_ssize_t,
    /// The type.
    pub ob_type: *mut PyTypeObject,
}

/// `PyTypeObject`, as far as its name.
#[repr(C)]
pub struct PyTypeObject {
    ob_base: PyObject,
    ob_size: Py_ssize_t,
    /// The name, NUL-terminated.
    pub tp_name: *const std::ffi::c_char,
}

unsafe extern "C" {
    #[link_name = "_Py_NoneStruct"]
    static mut NONE: PyObject;
    pub fn PyType_IsSubtype(of: *mut PyTypeObject, wanted: *mut PyTypeObject) -> std::ffi::c_int;
    fn Py_IncRef(object: *mut PyObject);
    fn Py_DecRef(object: *mut PyObject);
}

/// None, borrowed.
///
/// # Safety
/// Python is initialised.
pub unsafe fn Py_None() -> *mut PyObject {
    &raw mut NONE
}

/// The type of an object.
///
/// # Safety
/// `object` is alive.
pub unsafe fn Py_TYPE(object: *mut PyObject) -> *mut PyTypeObject {
    // SAFETY: alive, says the caller; the type never changes while the GIL is held.
    unsafe { (*object).ob_type }
}

/// Adds a reference.
///
/// # Safety
/// The GIL is held and `object` is alive.
#[inline]
pub unsafe fn Py_INCREF(object: *mut PyObject) {
    // SAFETY: the caller's promise.
    unsafe { Py_IncRef(object) }
}

/// Gives a reference up.
///
/// # Safety
/// The GIL is held and the reference is the caller's.
#[inline]
pub unsafe fn Py_DECREF(object: *mut PyObject) {
    // SAFETY: the caller's promise.
    unsafe { Py_DecRef(object) }
}

/// Adds a reference, if there is an object.
///
/// # Safety
/// The GIL is held and `object` is NULL or alive.
#[inline]
pub unsafe fn Py_XINCREF(object: *mut PyObject) {
    // SAFETY: the function accepts NULL.
    unsafe { Py_IncRef(object) }
}

/// Gives a reference up, if there is one.
///
/// # Safety
/// The GIL is held and `object` is NULL or a reference of the caller's.
#[inline]
pub unsafe fn Py_XDECREF(object: *mut PyObject) {
    // SAFETY: the function accepts NULL.
    unsafe { Py_DecRef(object) }
}
