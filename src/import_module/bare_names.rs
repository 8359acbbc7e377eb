//! What an import under a private name says where it fails: the name that the code has asked for. Code compares it, in
//! `except ImportError as error: if error.name != 'settings': raise`.

use super::errors::Pending;
use super::imports::Imports;
use super::object::{Owned, arguments, tuple_items};
use crate::python::ffi;
use std::ptr::null_mut;

/// What an import gives that has asked for `private` in the place of `name`: `module`, or NULL with an exception set.
///
/// # Safety
/// The GIL is held; `module` is a new reference or NULL, and `fromlist` is alive or NULL.
pub(super) unsafe fn imported(
    imports: &Imports,
    module: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
    private: &Owned,
    fromlist: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as the caller promises; what is called gets live objects.
    unsafe {
        let failed = |what: *mut ffi::PyObject| {
            let (private, end) = (private.as_ptr(), null_mut::<ffi::PyObject>());
            Owned::from_new(ffi::PyObject_CallFunctionObjArgs(imports.failed.as_ptr(), what, name, private, end))
        };
        let Some(module) = Owned::from_new(module) else {
            let error = Pending::take();
            if let Some(value) = error.value().filter(|_| error.is_of(ffi::PyExc_ImportError)) {
                failed(value.as_ptr());
            }
            error.restore();
            return null_mut();
        };
        serve_c(name, fromlist);
        // `from module import part` fails after this, for a part that is not there.
        if !lacks_any(&module, fromlist) {
            return module.into_ptr();
        }
        let Some(error) = failed(fromlist) else { return null_mut() };
        if error.as_ptr() == ffi::Py_None() {
            return module.into_ptr();
        }
        ffi::PyErr_SetObject(ffi::Py_TYPE(error.as_ptr()).cast(), error.as_ptr());
        null_mut()
    }
}

/// Code in C imports by this function too, with a list, takes the module out of `sys.modules` by the name that it has
/// asked for, and fails where there is none: it gets what that name means outside of pages.
///
/// # Safety
/// The GIL is held, no exception is pending, `name` is text, and `fromlist` is alive or NULL.
unsafe fn serve_c(name: *mut ffi::PyObject, fromlist: *mut ffi::PyObject) {
    // SAFETY: as the caller promises; the call wants no dicts for an absolute import.
    unsafe {
        if fromlist.is_null()
            || ffi::PyList_Check(fromlist) == 0
            || !ffi::PyDict_GetItemWithError(ffi::PyImport_GetModuleDict(), name).is_null()
        {
            return;
        }
        let nothing = null_mut();
        drop(Owned::from_new(ffi::PyImport_ImportModuleLevelObject(name, nothing, nothing, nothing, 0)));
        // It is nowhere else.
        ffi::PyErr_Clear();
    }
}

/// Whether the module does not have all that a statement asks it for, and makes nothing of the kind when it is asked.
///
/// # Safety
/// The GIL is held, and `fromlist` is alive or NULL.
unsafe fn lacks_any(module: &Owned, fromlist: *mut ffi::PyObject) -> bool {
    // SAFETY: as the caller promises; the types are looked at before they are relied upon.
    unsafe {
        if fromlist.is_null()
            || ffi::PyTuple_Check(fromlist) == 0
            || ffi::Py_TYPE(module.as_ptr()) != &raw mut ffi::PyModule_Type
        {
            return false;
        }
        let names = ffi::PyModule_GetDict(module.as_ptr());
        let has = |name: *mut ffi::PyObject| !ffi::PyDict_GetItemWithError(names, name).is_null();
        arguments(tuple_items(fromlist), ffi::PyTuple_Size(fromlist))
            .iter()
            .any(|&part| ffi::Py_TYPE(part) == &raw mut ffi::PyUnicode_Type && !has(part))
            && ffi::PyDict_GetItemString(names, c"__getattr__".as_ptr()).is_null()
    }
}
