//! Python's numbers, truth values and bytes, and the arguments of a call.

use super::exceptions::{Exception, raise};
use super::ffi;
use super::gil::Gil;
use super::object::{Object, Owned};
#[cfg(not(feature = "python3"))]
use ffi::PyInt_Check as check;
#[cfg(feature = "python3")]
use ffi::PyLong_Check as check;
use std::ffi::{CString, c_int, c_long};

/// Exactly `N` arguments, or None with a TypeError that names `function`.
pub(crate) fn exactly<'a, const N: usize>(gil: &Gil, function: &str, args: &[Object<'a>]) -> Option<[Object<'a>; N]> {
    args.try_into()
        .ok()
        .or_else(|| raise(gil, Exception::Type, &format!("{function}() takes {N} arguments ({} given)", args.len())))
}

/// The bytes of a bytes object, copied. None, with a TypeError set, for anything else.
pub(crate) fn bytes<'o>(_: &Gil, object: impl Into<Object<'o>>) -> Option<Vec<u8>> {
    let (mut start, mut length) = (std::ptr::null_mut(), 0);
    // SAFETY: a live object and two valid outputs; the call checks the type and raises. The object has `length` bytes
    // at `start` while they are copied.
    unsafe {
        if ffi::PyBytes_AsStringAndSize(object.into().as_ptr(), &raw mut start, &raw mut length) < 0 {
            return None;
        }
        Some(std::slice::from_raw_parts(start.cast::<u8>(), usize::try_from(length).unwrap_or_default()).to_vec())
    }
}

/// The same as a string for the system; a NUL inside raises ValueError.
pub(crate) fn file_name(gil: &Gil, object: Object<'_>) -> Option<CString> {
    match CString::new(bytes(gil, object)?) {
        Ok(name) => Some(name),
        Err(_) => raise(gil, Exception::Value, "a file name cannot contain NUL"),
    }
}

/// A number of ours as a Python int. None with an exception set on failure.
pub(crate) fn number(gil: &Gil, value: usize) -> Option<Owned> {
    // SAFETY: a new reference or NULL.
    #[cfg(feature = "python3")]
    return unsafe { Owned::from_new(gil, ffi::PyLong_FromSize_t(value)) };
    // SAFETY: as above. Numbers of ours are small.
    #[cfg(not(feature = "python3"))]
    return unsafe { Owned::from_new(gil, ffi::PyInt_FromLong(value as c_long)) };
}

/// The number in an int that [`number`] has made.
#[inline]
pub(crate) fn as_number<'o>(_: &Gil, object: impl Into<Object<'o>>) -> usize {
    // SAFETY: a live object, whose type the call checks.
    #[cfg(feature = "python3")]
    return unsafe { ffi::PyLong_AsSize_t(object.into().as_ptr()) };
    // SAFETY: as above.
    #[cfg(not(feature = "python3"))]
    return unsafe { ffi::PyInt_AsLong(object.into().as_ptr()) as usize };
}

/// Whether the object is an int.
pub(crate) fn is_int(object: Object<'_>) -> bool {
    // SAFETY: a live object, whose type is looked at.
    unsafe { check(object.as_ptr()) != 0 }
}

/// A number as a Python int, in Python 2 as a long. None with an exception set on failure.
pub(crate) fn integer(gil: &Gil, value: i64) -> Option<Owned> {
    // SAFETY: a new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PyLong_FromLongLong(value)) }
}

/// The number in an int; -1 with an exception set if it is no int, or too large.
pub(crate) fn as_integer<'o>(_: &Gil, object: impl Into<Object<'o>>) -> i64 {
    // SAFETY: a live object, whose type the call checks.
    unsafe { ffi::PyLong_AsLongLong(object.into().as_ptr()) }
}

/// The same without a sign; all ones with an exception set.
pub(crate) fn as_unsigned<'o>(_: &Gil, object: impl Into<Object<'o>>) -> u64 {
    // SAFETY: a live object, whose type the call checks.
    unsafe { ffi::PyLong_AsUnsignedLongLong(object.into().as_ptr()) }
}

/// The same as a C long.
pub(crate) fn as_long<'o>(_: &Gil, object: impl Into<Object<'o>>) -> c_long {
    // SAFETY: a live object, whose type the call checks.
    unsafe { ffi::PyLong_AsLong(object.into().as_ptr()) }
}

/// True or False.
pub(crate) fn boolean(gil: &Gil, value: bool) -> Option<Owned> {
    // SAFETY: a new reference.
    unsafe { Owned::from_new(gil, ffi::PyBool_FromLong(value.into())) }
}

/// A truth value. None with an exception set if the object refuses to say.
#[inline]
pub(crate) fn truth<'o>(_: &Gil, object: impl Into<Object<'o>>) -> Option<bool> {
    // SAFETY: a live object.
    let answer: c_int = unsafe { ffi::PyObject_IsTrue(object.into().as_ptr()) };
    (answer >= 0).then_some(answer > 0)
}
