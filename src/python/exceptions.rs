//! Exceptions that this room raises or asks for, and whether one is pending.

use super::ffi;
use super::gil::Gil;
use super::object::Object;
use std::ffi::{CStr, CString};

/// An exception is set.
#[derive(Debug)]
pub(crate) struct Raised;

/// The classes of exceptions that this room knows.
#[derive(Clone, Copy)]
pub(crate) enum Exception {
    #[cfg(feature = "python3")]
    Attribute,
    Import,
    /// In Python 2, which has no such class, a RuntimeError.
    Recursion,
    Runtime,
    StopIteration,
    System,
    Type,
    Value,
}

impl Exception {
    /// The class.
    pub(crate) fn class(self) -> *mut ffi::PyObject {
        // SAFETY: CPython has set these when Python was initialised, and changes them no more.
        unsafe {
            match self {
                #[cfg(feature = "python3")]
                Self::Attribute => ffi::PyExc_AttributeError,
                Self::Import => ffi::PyExc_ImportError,
                #[cfg(feature = "python3")]
                Self::Recursion => ffi::PyExc_RecursionError,
                #[cfg(not(feature = "python3"))]
                Self::Recursion => ffi::PyExc_RuntimeError,
                Self::Runtime => ffi::PyExc_RuntimeError,
                Self::StopIteration => ffi::PyExc_StopIteration,
                Self::System => ffi::PyExc_SystemError,
                Self::Type => ffi::PyExc_TypeError,
                Self::Value => ffi::PyExc_ValueError,
            }
        }
    }
}

/// Raises an exception of that class with `text`. It returns None, which says so to the callers of its caller.
#[cold]
pub(crate) fn raise<T>(_: &Gil, kind: Exception, text: &str) -> Option<T> {
    let text = CString::new(text.replace('\0', "\\0")).unwrap_or_default();
    // SAFETY: a class, and a text that is NUL-terminated and copied by the call.
    unsafe { ffi::PyErr_SetString(kind.class(), text.as_ptr()) };
    None
}

/// Raises that exception, an object.
#[cfg(feature = "python3")]
pub(crate) fn raise_object<'o>(_: &Gil, error: impl Into<Object<'o>>) {
    let error = error.into();
    // SAFETY: a live object and its type; the call takes references of its own, and says so of what is no exception.
    unsafe { ffi::PyErr_SetObject(ffi::Py_TYPE(error.as_ptr()).cast(), error.as_ptr()) };
}

/// Whether an exception is pending.
pub(crate) fn is_pending(_: &Gil) -> bool {
    // SAFETY: the GIL is held; what is borrowed is only compared with NULL.
    unsafe { !ffi::PyErr_Occurred().is_null() }
}

/// Whether the pending exception is of that class. An exception is pending.
#[cfg(feature = "python3")]
pub(crate) fn matches(_: &Gil, kind: Exception) -> bool {
    // SAFETY: the GIL is held, and the class lives as long as Python.
    unsafe { ffi::PyErr_ExceptionMatches(kind.class()) != 0 }
}

/// Clears the pending exception, if there is one.
#[inline]
pub(crate) fn clear(_: &Gil) {
    // SAFETY: the GIL is held.
    unsafe { ffi::PyErr_Clear() }
}

/// Prints the pending exception to `sys.stderr`, which is the error log, and clears it.
pub(crate) fn print(_: &Gil) {
    // SAFETY: the GIL is held.
    unsafe { ffi::PyErr_Print() }
}

/// The result of a call of CPython's. An exception only means that there is none, and is cleared.
#[inline]
pub(crate) fn or_clear<T>(gil: &Gil, given: Option<T>) -> Option<T> {
    if given.is_none() {
        clear(gil);
    }
    given
}

/// Lets handlers of signals run that are due. False with an exception set if one has raised it.
pub(crate) fn check_signals(_: &Gil) -> bool {
    // SAFETY: the GIL is held.
    unsafe { ffi::PyErr_CheckSignals() == 0 }
}

/// The name of the pending exception's class; None if no exception is pending.
#[cfg(feature = "python3")]
pub(crate) fn name_of_pending(_: &Gil) -> Option<String> {
    // SAFETY: borrowed from the thread, which keeps the class; its name is copied before anything else runs.
    unsafe { ffi::PyErr_Occurred().cast::<ffi::PyTypeObject>().as_ref().map(|kind| name_of(kind)) }
}

/// The name of an object's class, as CPython has it.
pub(crate) fn name_of_class<'o>(_: &Gil, object: impl Into<Object<'o>>) -> String {
    // SAFETY: a live object, whose type lives as long; its name is copied before anything else runs.
    unsafe { name_of(&*ffi::Py_TYPE(object.into().as_ptr())) }
}

/// # Safety
/// The type is one that CPython has made ready.
unsafe fn name_of(kind: &ffi::PyTypeObject) -> String {
    // SAFETY: the name of a ready type is NUL-terminated, and lives until the type gets another.
    unsafe { CStr::from_ptr(kind.tp_name) }.to_string_lossy().into_owned()
}
