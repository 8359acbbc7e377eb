//! The shim's code, compiled once a process, before it forks.
//!
//! To compile the sources takes 5 ms and touches 0.8 MB. Done in the server's parent, whose pages the children share,
//! it costs each interpreter of each child neither.

use super::SHIM;
use super::object::Owned;
use crate::python::ffi;
#[cfg(feature = "python3")]
use std::ffi::c_char;
use std::ffi::{CString, c_int};
use std::sync::OnceLock;

#[cfg(not(feature = "python3"))]
use ffi::{PyMarshal_ReadObjectFromString, PyMarshal_WriteObjectToString};

#[cfg(feature = "python3")]
unsafe extern "C" {
    // marshal.h; pyo3-ffi has no binding of it.
    fn PyMarshal_WriteObjectToString(object: *mut ffi::PyObject, version: c_int) -> *mut ffi::PyObject;
    fn PyMarshal_ReadObjectFromString(data: *const c_char, size: ffi::Py_ssize_t) -> *mut ffi::PyObject;
}

/// The version of marshal's format that all of 3.9 to 3.14 write and read, and the one of 2.7.
const FORMAT: c_int = if cfg!(feature = "python3") { 4 } else { 2 };

/// Code per source of [`SHIM`], as marshal writes it.
static CODE: OnceLock<Vec<Vec<u8>>> = OnceLock::new();

/// Compiles the shim for the interpreters to come. Without it, or if it fails, each compiles for itself.
///
/// # Safety
/// The GIL is held and no exception is pending.
pub unsafe fn prepare() {
    if CODE.get().is_none() {
        // SAFETY: as the caller promises; what a failure has set is cleared.
        unsafe {
            match SHIM.iter().map(|(name, source)| compile(name, source)).collect() {
                Some(code) => drop(CODE.set(code)),
                None => ffi::PyErr_Clear(),
            }
        }
    }
}

/// # Safety
/// The GIL is held.
unsafe fn compile(name: &str, source: &str) -> Option<Vec<u8>> {
    // As `EmbeddedLoader.get_filename` has it.
    let file = if name.contains('.') { name.replace('.', "/") + ".py" } else { format!("{name}/__init__.py") };
    let (file, source) = (CString::new(file).ok()?, CString::new(source).ok()?);
    // SAFETY: two strings that outlive the calls; each gives a new reference or NULL.
    unsafe {
        let code = Owned::from_new(ffi::Py_CompileString(source.as_ptr(), file.as_ptr(), ffi::Py_file_input))?;
        let data = Owned::from_new(PyMarshal_WriteObjectToString(code.as_ptr(), FORMAT))?;
        super::object::bytes(data.as_ptr())
    }
}

/// The code of the source at `index`, or Python's None if it has not been prepared. Nothing with an exception set on
/// failure.
///
/// # Safety
/// The GIL is held.
pub(super) unsafe fn code(index: usize) -> Option<Owned> {
    // SAFETY: data that marshal of this Python has written, alive for the call.
    unsafe {
        match CODE.get().and_then(|code| code.get(index)) {
            Some(data) => {
                Owned::from_new(PyMarshal_ReadObjectFromString(data.as_ptr().cast(), data.len() as ffi::Py_ssize_t))
            }
            None => Owned::from_borrowed(ffi::Py_None()),
        }
    }
}
