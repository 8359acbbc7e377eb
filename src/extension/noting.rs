//! Which version of a file an import statement is about to run, for Python 2, which says of no module what its code is
//! of: noted by a finder in `sys.meta_path` that finds nothing.
//!
//! It runs no bytecode and keeps the GIL. From its look into `sys.modules` to the entry of a new module there an import
//! statement of Python 2 lets no other thread in, and one that came in between would run the file a second time.

use super::files::{to_tuple, version_of};
use super::module;
use super::object::{Owned, exactly, none};
use super::text::{encoded, is_text};
use crate::python::ffi;
use std::ffi::CString;
use std::ptr::null_mut;

/// `find_module(name, path)`: None.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn find_module(
    core: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some([name, path])) = (module::of(core), exactly("find_module", args, nargs)) else {
            return null_mut();
        };
        let path = if path == ffi::Py_None() { ffi::PySys_GetObject(c"path".as_ptr()) } else { path };
        note(state, name, path);
        // What could not be noted is no reason for an import to fail.
        ffi::PyErr_Clear();
        none()
    }
}

/// # Safety
/// The GIL is held and the objects are alive. None may leave an exception.
unsafe fn note(state: &super::state::State, name: *mut ffi::PyObject, path: *mut ffi::PyObject) -> Option<()> {
    // SAFETY: as the caller promises; the items are borrowed from a list that is there during the call, or owned.
    unsafe {
        let name = encoded(Owned::from_borrowed(name)?)?;
        let last = name.rsplit(|&byte| byte == b'.').next()?;
        if ffi::PyList_Check(path) == 0 {
            return None;
        }
        for at in 0..ffi::PyList_Size(path) {
            let entry = Owned::from_borrowed(ffi::PyList_GetItem(path, at))?;
            if !is_text(entry.as_ptr()) {
                continue;
            }
            let entry = encoded(entry)?;
            for tail in [b".py".as_slice(), b"/__init__.py"] {
                let Ok(file) = CString::new([&entry, b"/".as_slice(), last, tail].concat()) else { continue };
                if let Some(version) = version_of(&file) {
                    let version = Owned::from_new(to_tuple(&version))?;
                    ffi::PyDict_SetItemString(state.imported.as_ptr(), file.as_ptr(), version.as_ptr());
                    return Some(());
                }
            }
        }
        None
    }
}

/// `imported(file)`: the version of the file that an import statement has begun to run last, None if it is not known.
///
/// # Safety
/// Called by CPython, as METH_O.
pub(super) unsafe extern "C" fn imported(core: *mut ffi::PyObject, file: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let Some(state) = module::of(core) else { return null_mut() };
        let version = Owned::from_borrowed(ffi::PyDict_GetItemWithError(state.imported.as_ptr(), file));
        version.map_or_else(|| none(), Owned::into_ptr)
    }
}
