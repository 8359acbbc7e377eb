//! Python's text: names of modules, attributes and arguments. `str` in both, which in Python 2 is bytes.

use super::ffi;
use super::gil::Gil;
use super::object::{Object, Owned};
use super::values;
#[cfg(feature = "python3")]
use super::{exceptions, sequence};
#[cfg(not(feature = "python3"))]
use ffi::{
    PyBaseString_Check as check, PyString_FromStringAndSize as new_bytes, PyString_FromStringAndSize as new_text,
    PyString_InternFromString as intern,
};
#[cfg(feature = "python3")]
use ffi::{
    PyBytes_FromStringAndSize as new_bytes, PyUnicode_Check as check, PyUnicode_FromStringAndSize as new_text,
    PyUnicode_InternFromString as intern,
};
use std::ffi::CStr;

/// Whether the object is text; in Python 2 `unicode` is too.
#[inline]
pub(crate) fn is_text<'o>(object: impl Into<Object<'o>>) -> bool {
    // SAFETY: a live object, whose type is looked at.
    unsafe { check(object.into().as_ptr()) != 0 }
}

/// New text. None with an exception set on failure.
pub(crate) fn new(gil: &Gil, text: impl AsRef<[u8]>) -> Option<Owned> {
    let text = text.as_ref();
    let (start, size) = (text.as_ptr().cast(), text.len() as ffi::Py_ssize_t);
    // SAFETY: so many bytes, which the call copies; a new reference or NULL.
    unsafe { Owned::from_new(gil, new_text(start, size)) }
}

/// Text that lives as long as its interpreter, and of which there is one.
pub(crate) fn interned(gil: &Gil, text: &CStr) -> Option<Owned> {
    // SAFETY: the text is NUL-terminated; a new reference or NULL comes back.
    unsafe { Owned::from_new(gil, intern(text.as_ptr())) }
}

/// The text that `str()` makes of an object. None with an exception set on failure.
pub(crate) fn of(gil: &Gil, object: &Owned) -> Option<Owned> {
    // SAFETY: a live object; a new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PyObject_Str(object.as_ptr())) }
}

/// The one directory that an object names: text, bytes, or what has `__fspath__`. None for what may be a sequence of
/// them, and, with an exception set, where asking has failed.
#[inline]
pub(crate) fn directory(gil: &Gil, object: Object<'_>) -> Option<Owned> {
    if is_text(object) {
        return Some(object.clone_ref(gil));
    }
    // Bytes are text in Python 2, which has no `__fspath__`.
    #[cfg(not(feature = "python3"))]
    return None;
    #[cfg(feature = "python3")]
    {
        // Nearly all callers give these, and they need not be asked.
        if sequence::is_list(object) || sequence::is_tuple(object) {
            return None;
        }
        // SAFETY: a live object; a new reference or NULL.
        let Some(path) = (unsafe { Owned::from_new(gil, ffi::PyOS_FSPath(object.as_ptr())) }) else {
            if exceptions::matches(gil, exceptions::Exception::Type) {
                exceptions::clear(gil);
            }
            return None;
        };
        if is_text(&path) {
            return Some(path);
        }
        let name = values::bytes(gil, &path)?;
        let (start, size) = (name.as_ptr().cast(), name.len() as ffi::Py_ssize_t);
        // SAFETY: so many bytes, which the call copies; a new reference or NULL.
        unsafe { Owned::from_new(gil, ffi::PyUnicode_DecodeFSDefaultAndSize(start, size)) }
    }
}

/// The bytes of a file's name, as a new bytes object. None with an exception set on failure.
pub(crate) fn file(gil: &Gil, name: &[u8]) -> Option<Owned> {
    let (start, size) = (name.as_ptr().cast(), name.len() as ffi::Py_ssize_t);
    // SAFETY: so many bytes, which the call copies; a new reference or NULL.
    unsafe { Owned::from_new(gil, new_bytes(start, size)) }
}

/// The bytes of some text, by UTF-8 in Python 3. None with an exception set for what cannot be encoded, or is no text.
pub(crate) fn encoded<'o>(gil: &Gil, text: impl Into<Object<'o>>) -> Option<Vec<u8>> {
    #[cfg(feature = "python3")]
    {
        let (encoding, errors) = (c"utf-8".as_ptr(), c"replace".as_ptr());
        // SAFETY: a live object, whose type the call checks; a new reference or NULL.
        let text = unsafe { ffi::PyUnicode_AsEncodedString(text.into().as_ptr(), encoding, errors) };
        // SAFETY: as above.
        values::bytes(gil, &unsafe { Owned::from_new(gil, text) }?)
    }
    #[cfg(not(feature = "python3"))]
    values::bytes(gil, text)
}

/// Whether the text has one of these characters, which are ASCII's.
#[inline]
pub(crate) fn any_of(gil: &Gil, text: &Owned, characters: &[&[u8]]) -> bool {
    let is_one = |byte: &u8| characters.iter().any(|some| some.contains(byte));
    let mut size = 0;
    // SAFETY: a live object, whose type the call checks, and a valid output; the bytes are the object's own.
    #[cfg(feature = "python3")]
    let bytes = unsafe {
        let start = ffi::PyUnicode_AsUTF8AndSize(text.as_ptr(), &raw mut size);
        (!start.is_null())
            .then(|| std::slice::from_raw_parts(start.cast::<u8>(), usize::try_from(size).unwrap_or_default()))
    };
    // SAFETY: as above, with two outputs. `unicode` is nobody's directory.
    #[cfg(not(feature = "python3"))]
    let bytes = unsafe {
        let mut start = std::ptr::null_mut();
        let is_known = ffi::PyBytes_AsStringAndSize(text.as_ptr(), &raw mut start, &raw mut size) == 0;
        is_known.then(|| std::slice::from_raw_parts(start.cast::<u8>(), usize::try_from(size).unwrap_or_default()))
    };
    match bytes {
        Some(bytes) => bytes.iter().any(is_one),
        None => {
            super::exceptions::clear(gil);
            false
        }
    }
}

/// The part of a dotted name before its first dot. None with an exception set on failure, or for what is no text.
pub(crate) fn top_of(gil: &Gil, name: Object<'_>) -> Option<Owned> {
    #[cfg(feature = "python3")]
    {
        let object = name.as_ptr();
        // SAFETY: a live object; what asks for the length checks the type for the call after it.
        let at = unsafe {
            match ffi::PyUnicode_GetLength(object) {
                length if length < 0 => return None,
                length => ffi::PyUnicode_FindChar(object, '.' as u32, 0, length, 1),
            }
        };
        match at {
            -1 => Some(name.clone_ref(gil)),
            at if at < 0 => None,
            // SAFETY: text, in which that place is; a new reference or NULL.
            at => unsafe { Owned::from_new(gil, ffi::PyUnicode_Substring(object, 0, at)) },
        }
    }
    #[cfg(not(feature = "python3"))]
    {
        let name = encoded(gil, name)?;
        let top = name.split(|&byte| byte == b'.').next()?;
        new(gil, top)
    }
}
