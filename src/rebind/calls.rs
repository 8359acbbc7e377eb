//! Calls that modules of several generations make alike.

use super::startup;
#[cfg(not(feature = "python3"))]
use crate::{embedding::thread::Start, server::settings};
use crate::{
    embedding::{acquire, thread::with_current_thread, unlocked},
    python::ffi,
};
#[cfg(not(feature = "python3"))]
use std::ffi::c_void;
use std::ffi::{CStr, c_char};

/// `PyImport_ImportModule`; the first of mod_python.apache in an interpreter puts the shim in place.
///
/// # Safety
///
/// As for `PyImport_ImportModule`.
pub unsafe fn import_module(name: *const c_char) -> *mut ffi::PyObject {
    // SAFETY: the caller's promise: a NUL-terminated name.
    let (module, name) = unsafe { (ffi::PyImport_ImportModule(name), CStr::from_ptr(name)) };
    if !module.is_null() && name == c"mod_python.apache" && startup::is_active() {
        // SAFETY: the module holds the GIL, and the import has succeeded.
        with_current_thread(|thread| unsafe { acquire::install_shim(thread, module) });
    }
    module
}

/// What goes to the module as the result of a method of that name.
///
/// # Safety
///
/// `name` is NUL-terminated, the GIL is held, and `result` is NULL or a reference that is taken over.
pub unsafe fn method_returned(name: *const c_char, result: *mut ffi::PyObject) -> *mut ffi::PyObject {
    if result.is_null() || !startup::is_active() {
        return result;
    }
    // SAFETY: the caller's promise.
    unsafe { unlocked::method_returned(name, result) }
}

/// Whether a cleanup is python_finalize, which is not to be registered: it runs in the handler of the signal that ends
/// the child, and takes the GIL, which the interrupted thread may hold: the child would hang (MODPYTHON-109).
#[cfg(not(feature = "python3"))]
pub fn is_end_of_python(data: *const c_void) -> bool {
    let is_end = Start::reached() == Start::ChildReady && data.is_null();
    if is_end {
        Start::None.reach();
    }
    is_end && settings::of_process().cures("end")
}
