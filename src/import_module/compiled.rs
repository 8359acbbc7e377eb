//! The shim's code, compiled once a process, before it forks.
//!
//! To compile the sources takes 5 ms and touches 0.8 MB. Done in the server's parent, whose pages the children share,
//! it costs each interpreter of each child neither.

use super::SHIM;
use crate::python::exceptions;
use crate::python::ffi;
use crate::python::gil::Gil;
use crate::python::object::{Owned, none};
use crate::python::values::bytes;
#[cfg(feature = "python3")]
use std::ffi::c_char;
use std::ffi::{CStr, CString, c_int};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

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

/// Code per source of [`SHIM`], as marshal writes it; nothing if it has not been prepared.
static CODE: RwLock<Vec<Vec<u8>>> = RwLock::new(Vec::new());

/// Compiles the shim for the interpreters to come. Without it, or if it fails, each compiles for itself. No exception
/// is pending before, nor after.
pub fn prepare(gil: &Gil) {
    if !is_prepared() {
        let _uncollected = Uncollected::begin(gil);
        match SHIM.iter().map(|(name, source)| compiled(gil, name, source)).collect() {
            Some(code) => *CODE.write().unwrap_or_else(PoisonError::into_inner) = code,
            None => exceptions::clear(gil),
        }
    }
}

/// The time in which the garbage collector does not run: in the server's parent, where stock runs no Python, it would
/// run what a site's objects do at their end. Before 3.10 it cannot be told so from C.
struct Uncollected {
    #[cfg(Py_3_10)]
    was_enabled: bool,
}

impl Uncollected {
    fn begin(_: &Gil) -> Self {
        // SAFETY: the GIL is held.
        #[cfg(Py_3_10)]
        return Self { was_enabled: unsafe { ffi::PyGC_Disable() } != 0 };
        #[cfg(not(Py_3_10))]
        return Self {};
    }
}

#[cfg(Py_3_10)]
impl Drop for Uncollected {
    fn drop(&mut self) {
        if self.was_enabled {
            // SAFETY: the GIL is held, for the time of the call that has begun this.
            unsafe { ffi::PyGC_Enable() };
        }
    }
}

/// Whether it is compiled.
pub fn is_prepared() -> bool {
    !code_of_shim().is_empty()
}

fn code_of_shim() -> RwLockReadGuard<'static, Vec<Vec<u8>>> {
    CODE.read().unwrap_or_else(PoisonError::into_inner)
}

/// Gives up what has been prepared: this code may be unloaded next, which would leave it behind for good. It comes back
/// in one piece, for [`take_over`] in another life of this library; empty if there is none.
pub fn give_up() -> Vec<u8> {
    let code = std::mem::take(&mut *CODE.write().unwrap_or_else(PoisonError::into_inner));
    code.into_iter().flat_map(|code| [&code.len().to_ne_bytes()[..], &code].concat()).collect()
}

/// Takes over what another life of this library has given up, under the same [`key`].
pub fn take_over(mut data: &[u8]) {
    let mut taken = Vec::with_capacity(SHIM.len());
    while let Some((size, rest)) = data.split_first_chunk() {
        let Some((code, rest)) = rest.split_at_checked(usize::from_ne_bytes(*size)) else { return };
        taken.push(code.to_vec());
        data = rest;
    }
    if taken.len() == SHIM.len() {
        *CODE.write().unwrap_or_else(PoisonError::into_inner) = taken;
    }
}

/// Tells code of these sources, for this very Python, from any other.
pub fn key() -> CString {
    let mut hasher = DefaultHasher::new();
    SHIM.hash(&mut hasher);
    // SAFETY: a text that is always there.
    unsafe { CStr::from_ptr(ffi::Py_GetVersion()) }.hash(&mut hasher);
    CString::new(format!("modpython-core: compiled {:016x}", hasher.finish())).unwrap_or_default()
}

/// None, with an exception set if there is no code.
fn compiled(gil: &Gil, name: &str, source: &str) -> Option<Vec<u8>> {
    // As `EmbeddedLoader.get_filename` has it.
    let file = if name.contains('.') { name.replace('.', "/") + ".py" } else { format!("{name}/__init__.py") };
    let (file, source) = (CString::new(file).ok()?, CString::new(source).ok()?);
    let code = compile(gil, &source, &file)?;
    // SAFETY: a live object; a new reference or NULL.
    let data = unsafe { Owned::from_new(gil, PyMarshal_WriteObjectToString(code.as_ptr(), FORMAT)) }?;
    bytes(gil, &data)
}

/// The code of a module's source. None with an exception set on failure.
pub(super) fn compile(gil: &Gil, source: &CStr, file: &CStr) -> Option<Owned> {
    // SAFETY: two strings that outlive the call; a new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::Py_CompileString(source.as_ptr(), file.as_ptr(), ffi::Py_file_input)) }
}

/// The code of the source at `index`, or Python's None if it has not been prepared. None with an exception set on
/// failure.
pub(super) fn code(gil: &Gil, index: usize) -> Option<Owned> {
    let code = code_of_shim();
    let Some(data) = code.get(index) else { return Some(none(gil)) };
    let (start, size) = (data.as_ptr().cast(), data.len() as ffi::Py_ssize_t);
    // SAFETY: data that marshal of this Python has written, alive for the call; a new reference or NULL.
    unsafe { Owned::from_new(gil, PyMarshal_ReadObjectFromString(start, size)) }
}
