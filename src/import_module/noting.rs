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

/// The module that the shim mends when it is imported (sessions.py).
const SESSIONS: &[u8] = b"mod_python.Session";

/// `find_module(name, path)`: what loads a module by its private name, and that of mod_python's sessions; None for all
/// others.
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
        let is_ours = Owned::from_borrowed(name).and_then(|name| encoded(name)).is_some_and(|name| {
            // A package that has the private name itself has its parts found as any other.
            name.starts_with(b"_mp_") && (path == ffi::Py_None() || is_alias(&name)) || name == SESSIONS
        });
        if is_ours {
            let loader = state.private_names.borrow();
            return loader
                .as_ref()
                .and_then(|loader| Owned::from_borrowed(loader.as_ptr()))
                .map_or_else(|| none(), Owned::into_ptr);
        }
        let path = if path == ffi::Py_None() { ffi::PySys_GetObject(c"path".as_ptr()) } else { path };
        note(state, name, path);
        // What could not be noted is no reason for an import to fail.
        ffi::PyErr_Clear();
        none()
    }
}

/// `private_names(loader)`: what finds modules by their private names.
///
/// # Safety
/// Called by CPython, as METH_O.
pub(super) unsafe extern "C" fn private_names(
    core: *mut ffi::PyObject,
    loader: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let Some(state) = module::of(core) else { return null_mut() };
        drop(state.private_names.replace(Owned::from_borrowed(loader)));
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

/// Whether the parent of that name in `sys.modules` calls itself otherwise.
///
/// # Safety
/// The GIL is held.
unsafe fn is_alias(name: &[u8]) -> bool {
    // SAFETY: live objects, borrowed from sys.modules; to read a module's name runs no bytecode.
    unsafe {
        let Some(dot) = name.iter().rposition(|&byte| byte == b'.') else { return false };
        let Ok(parent) = CString::new(&name[..dot]) else { return false };
        let module = ffi::PyDict_GetItemString(ffi::PyImport_GetModuleDict(), parent.as_ptr());
        let Some(module) = Owned::from_borrowed(module) else { return false };
        let called = Owned::from_new(ffi::PyObject_GetAttrString(module.as_ptr(), c"__name__".as_ptr()));
        ffi::PyErr_Clear();
        called.and_then(|called| encoded(called)).is_some_and(|called| called != parent.as_bytes())
    }
}
