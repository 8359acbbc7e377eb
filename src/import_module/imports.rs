//! The functions of Python's own that bring a module for a name: what they were, and calls of them.

use super::object::{Owned, arguments, tuple_items};
use crate::python::ffi;
use std::ffi::CStr;
use std::ptr::null_mut;

/// What the shim has given, once there is a handler's directory.
pub(super) struct Imports {
    /// `builtins.__import__` as it was.
    pub(super) import: Owned,
    /// What `importlib.import_module` imports by, as it was.
    pub(super) by_name: Owned,
    /// Says what an import statement means in a module of a handler's directory.
    pub(super) sibling: Owned,
    /// Says what a name means in code that is in no such module.
    pub(super) named: Owned,
    /// Has what fails under a private name say the name that was asked for.
    pub(super) failed: Owned,
}

impl Imports {
    /// What the garbage collector has to know of.
    #[cfg(feature = "python3")]
    pub(super) fn all(&self) -> [&Owned; 5] {
        [&self.import, &self.by_name, &self.sibling, &self.named, &self.failed]
    }
}

/// The arguments of a call, borrowed for its time.
pub(super) struct Call {
    pub(super) args: *mut ffi::PyObject,
    pub(super) keywords: *mut ffi::PyObject,
}

impl Call {
    /// The argument at that position or of that name; NULL if it is not given.
    ///
    /// # Safety
    /// The GIL is held.
    pub(super) unsafe fn argument(&self, at: usize, name: &CStr) -> *mut ffi::PyObject {
        // SAFETY: as the caller promises.
        unsafe {
            let given = arguments(tuple_items(self.args), ffi::PyTuple_Size(self.args));
            match given.get(at) {
                Some(&argument) => argument,
                None if self.keywords.is_null() => null_mut(),
                None => ffi::PyDict_GetItemString(self.keywords, name.as_ptr()),
            }
        }
    }

    /// Calls the function with what has been given, but for the argument at that position and of that name.
    ///
    /// # Safety
    /// The GIL is held.
    pub(super) unsafe fn hand_on(
        &self,
        function: &Owned,
        at: usize,
        name: &CStr,
        other: Option<&Owned>,
    ) -> *mut ffi::PyObject {
        // SAFETY: as the caller promises; what is new is ours until it is given.
        unsafe {
            let Some(other) = other else { return ffi::PyObject_Call(function.as_ptr(), self.args, self.keywords) };
            let given = arguments(tuple_items(self.args), ffi::PyTuple_Size(self.args));
            if at >= given.len() {
                let Some(changed) = Owned::from_new(ffi::PyDict_Copy(self.keywords)) else { return null_mut() };
                if ffi::PyDict_SetItemString(changed.as_ptr(), name.as_ptr(), other.as_ptr()) < 0 {
                    return null_mut();
                }
                return ffi::PyObject_Call(function.as_ptr(), self.args, changed.as_ptr());
            }
            let Some(changed) = Owned::from_new(ffi::PyTuple_New(given.len() as ffi::Py_ssize_t)) else {
                return null_mut();
            };
            for (place, &object) in given.iter().enumerate() {
                let object = if place == at { other.as_ptr() } else { object };
                ffi::Py_INCREF(object);
                ffi::PyTuple_SetItem(changed.as_ptr(), place as ffi::Py_ssize_t, object);
            }
            ffi::PyObject_Call(function.as_ptr(), changed.as_ptr(), self.keywords)
        }
    }
}
