//! The few helpers with which this room calls CPython: an owned reference, arguments, errors.

use crate::python::ffi;
use std::ffi::{CString, c_int};
use std::ptr::NonNull;

/// An owned reference to a Python object. Dropped with the GIL of its interpreter held, like everything of CPython.
pub(super) struct Owned(NonNull<ffi::PyObject>);

impl Owned {
    /// Takes a new reference over. None, with Python's exception set, if the call that made it failed.
    ///
    /// # Safety
    /// `object` is NULL or a reference that the caller owns, and the GIL is held.
    pub(super) unsafe fn from_new(object: *mut ffi::PyObject) -> Option<Self> {
        NonNull::new(object).map(Self)
    }

    /// Makes a reference of one's own out of a borrowed one.
    ///
    /// # Safety
    /// `object` is NULL or alive, and the GIL is held.
    pub(super) unsafe fn from_borrowed(object: *mut ffi::PyObject) -> Option<Self> {
        // SAFETY: alive or NULL, which Py_XINCREF stands; the GIL is held.
        unsafe {
            ffi::Py_XINCREF(object);
            Self::from_new(object)
        }
    }

    /// The object, borrowed.
    #[inline]
    pub(super) fn as_ptr(&self) -> *mut ffi::PyObject {
        self.0.as_ptr()
    }

    /// The object, with the reference given away.
    pub(super) fn into_ptr(self) -> *mut ffi::PyObject {
        let object = self.0.as_ptr();
        std::mem::forget(self);
        object
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the reference is ours, and whoever drops one holds the GIL (see the type).
        unsafe { ffi::Py_DECREF(self.0.as_ptr()) }
    }
}

/// The arguments of a METH_FASTCALL function, borrowed for the time of the call.
///
/// # Safety
/// `args` points at `nargs` arguments, as the vectorcall protocol gives them.
pub(super) unsafe fn arguments<'a>(
    args: *const *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> &'a [*mut ffi::PyObject] {
    if args.is_null() || nargs <= 0 {
        return &[];
    }
    // SAFETY: the protocol promises that many valid pointers, alive during the call.
    unsafe { std::slice::from_raw_parts(args, nargs.unsigned_abs()) }
}

/// Where the items of a tuple lie, one after the other.
///
/// # Safety
/// `tuple` is a tuple that is alive as long as the items are used.
pub(super) unsafe fn tuple_items(tuple: *mut ffi::PyObject) -> *const *mut ffi::PyObject {
    // SAFETY: as the caller promises.
    #[cfg(feature = "python3")]
    return unsafe { (&raw const (*tuple.cast::<ffi::PyTupleObject>()).ob_item).cast() };
    // SAFETY: as above.
    #[cfg(not(feature = "python3"))]
    return unsafe { ffi::tuple_items(tuple) };
}

/// Exactly `N` arguments, or None with a TypeError that names `function`.
///
/// # Safety
/// As [`arguments`], and the GIL is held.
pub(super) unsafe fn exactly<const N: usize>(
    function: &str,
    args: *const *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> Option<[*mut ffi::PyObject; N]> {
    // SAFETY: handed on.
    let args = unsafe { arguments(args, nargs) };
    args.try_into().ok().or_else(|| {
        // SAFETY: the GIL is held.
        unsafe { raise(ffi::PyExc_TypeError, &format!("{function}() takes {N} arguments ({} given)", args.len())) };
        None
    })
}

/// Raises `kind` with `text`.
///
/// # Safety
/// The GIL is held, and `kind` is an exception class.
pub(super) unsafe fn raise(kind: *mut ffi::PyObject, text: &str) {
    let text = CString::new(text.replace('\0', "\\0")).unwrap_or_default();
    // SAFETY: the text is NUL-terminated and copied by the call.
    unsafe { ffi::PyErr_SetString(kind, text.as_ptr()) }
}

/// The bytes of a bytes object, copied. None, with a TypeError set, for anything else.
///
/// # Safety
/// `object` is alive and the GIL is held.
pub(super) unsafe fn bytes(object: *mut ffi::PyObject) -> Option<Vec<u8>> {
    let (mut start, mut length) = (std::ptr::null_mut(), 0);
    // SAFETY: both outputs are valid; the call checks the type and raises.
    if unsafe { ffi::PyBytes_AsStringAndSize(object, &raw mut start, &raw mut length) } < 0 {
        return None;
    }
    // SAFETY: the object has `length` bytes at `start`, and lives while we copy them.
    Some(unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length.unsigned_abs()) }.to_vec())
}

/// The same as a string for the system; a NUL inside raises ValueError.
///
/// # Safety
/// As [`bytes`].
pub(super) unsafe fn file_name(object: *mut ffi::PyObject) -> Option<CString> {
    // SAFETY: handed on; the GIL is held for raising.
    unsafe {
        CString::new(bytes(object)?).map_err(|_| raise(ffi::PyExc_ValueError, "a file name cannot contain NUL")).ok()
    }
}

/// A number of ours as a Python int.
///
/// # Safety
/// The GIL is held.
pub(super) unsafe fn number(value: usize) -> Option<Owned> {
    // SAFETY: a new reference or NULL.
    #[cfg(feature = "python3")]
    return unsafe { Owned::from_new(ffi::PyLong_FromSize_t(value)) };
    // SAFETY: as above. Numbers of ours are small.
    #[cfg(not(feature = "python3"))]
    return unsafe { Owned::from_new(ffi::PyInt_FromLong(value as std::ffi::c_long)) };
}

/// The number in an int that [`number`] has made.
///
/// # Safety
/// The GIL is held and `object` is such an int.
#[inline]
pub(super) unsafe fn as_number(object: *mut ffi::PyObject) -> usize {
    // SAFETY: as the caller promises.
    #[cfg(feature = "python3")]
    return unsafe { ffi::PyLong_AsSize_t(object) };
    // SAFETY: as above.
    #[cfg(not(feature = "python3"))]
    return unsafe { ffi::PyInt_AsLong(object) as usize };
}

/// Whether the object is an int.
///
/// # Safety
/// `object` is alive.
pub(super) unsafe fn is_int(object: *mut ffi::PyObject) -> bool {
    // SAFETY: as the caller promises.
    #[cfg(feature = "python3")]
    return unsafe { ffi::PyLong_Check(object) != 0 };
    // SAFETY: as above.
    #[cfg(not(feature = "python3"))]
    return unsafe { ffi::PyInt_Check(object) != 0 };
}

/// None, as a new reference.
///
/// # Safety
/// The GIL is held.
pub(super) unsafe fn none() -> *mut ffi::PyObject {
    // SAFETY: None is alive for ever, and the count is ours to raise under the GIL.
    unsafe {
        let none = ffi::Py_None();
        ffi::Py_INCREF(none);
        none
    }
}

/// A truth value. None with an exception set if the object refuses to say.
///
/// # Safety
/// `object` is alive and the GIL is held.
pub(super) unsafe fn truth(object: *mut ffi::PyObject) -> Option<bool> {
    // SAFETY: as the caller promises.
    let answer: c_int = unsafe { ffi::PyObject_IsTrue(object) };
    (answer >= 0).then_some(answer > 0)
}
