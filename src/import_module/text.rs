//! Python's text: names of modules, attributes and arguments. `str` in both, which in Python 2 is bytes.

use super::object::Owned;
use crate::python::ffi;
use std::ffi::CStr;

/// Whether the object is text; in Python 2 `unicode` is too.
///
/// # Safety
/// `object` is alive.
#[inline]
pub(super) unsafe fn is_text(object: *mut ffi::PyObject) -> bool {
    // SAFETY: as the caller promises.
    #[cfg(feature = "python3")]
    return unsafe { ffi::PyUnicode_Check(object) != 0 };
    // SAFETY: as the caller promises.
    #[cfg(not(feature = "python3"))]
    return unsafe { ffi::PyBaseString_Check(object) != 0 };
}

/// New text. None with an exception set on failure.
///
/// # Safety
/// The GIL is held.
pub(super) unsafe fn new(text: impl AsRef<[u8]>) -> Option<Owned> {
    let text = text.as_ref();
    let (start, size) = (text.as_ptr().cast(), text.len() as ffi::Py_ssize_t);
    // SAFETY: that many bytes, which the call copies.
    #[cfg(feature = "python3")]
    return unsafe { Owned::from_new(ffi::PyUnicode_FromStringAndSize(start, size)) };
    // SAFETY: as above.
    #[cfg(not(feature = "python3"))]
    return unsafe { Owned::from_new(ffi::PyString_FromStringAndSize(start, size)) };
}

/// Text that lives as long as its interpreter, and of which there is one.
///
/// # Safety
/// The GIL is held.
pub(super) unsafe fn interned(text: &CStr) -> Option<Owned> {
    // SAFETY: the text is NUL-terminated; a new reference or NULL comes back.
    #[cfg(feature = "python3")]
    return unsafe { Owned::from_new(ffi::PyUnicode_InternFromString(text.as_ptr())) };
    // SAFETY: as above.
    #[cfg(not(feature = "python3"))]
    return unsafe { Owned::from_new(ffi::PyString_InternFromString(text.as_ptr())) };
}

/// The one directory that an object names: text, bytes, or what has `__fspath__`. None for what may be a sequence of
/// them, and, with an exception set, where asking has failed.
///
/// # Safety
/// The GIL is held and `object` is alive.
#[inline]
pub(super) unsafe fn directory(object: *mut ffi::PyObject) -> Option<Owned> {
    // SAFETY: as the caller promises; the bytes are an object's that lives while they are decoded.
    unsafe {
        if is_text(object) {
            return Owned::from_borrowed(object);
        }
        // Bytes are text in Python 2, which has no `__fspath__`.
        #[cfg(not(feature = "python3"))]
        return None;
        #[cfg(feature = "python3")]
        {
            // What nearly all give need not be asked.
            if ffi::PyList_Check(object) != 0 || ffi::PyTuple_Check(object) != 0 {
                return None;
            }
            let Some(path) = Owned::from_new(ffi::PyOS_FSPath(object)) else {
                if ffi::PyErr_ExceptionMatches(ffi::PyExc_TypeError) != 0 {
                    ffi::PyErr_Clear();
                }
                return None;
            };
            if is_text(path.as_ptr()) {
                return Some(path);
            }
            let name = super::object::bytes(path.as_ptr())?;
            Owned::from_new(ffi::PyUnicode_DecodeFSDefaultAndSize(name.as_ptr().cast(), name.len() as ffi::Py_ssize_t))
        }
    }
}

/// The bytes of a file's name, as a new bytes object. None with an exception set on failure.
///
/// # Safety
/// The GIL is held.
pub(super) unsafe fn file(name: &[u8]) -> Option<Owned> {
    let (start, size) = (name.as_ptr().cast(), name.len() as ffi::Py_ssize_t);
    // SAFETY: that many bytes, which the call copies.
    #[cfg(feature = "python3")]
    return unsafe { Owned::from_new(ffi::PyBytes_FromStringAndSize(start, size)) };
    // SAFETY: as above.
    #[cfg(not(feature = "python3"))]
    return unsafe { Owned::from_new(ffi::PyString_FromStringAndSize(start, size)) };
}

/// The bytes of some text, by UTF-8 in Python 3.
///
/// # Safety
/// The GIL is held and `text` is text. What cannot be encoded leaves an exception.
pub(super) unsafe fn encoded(text: Owned) -> Option<Vec<u8>> {
    // SAFETY: as the caller promises.
    unsafe {
        #[cfg(feature = "python3")]
        let text =
            Owned::from_new(ffi::PyUnicode_AsEncodedString(text.as_ptr(), c"utf-8".as_ptr(), c"replace".as_ptr()))?;
        super::object::bytes(text.as_ptr())
    }
}

/// Whether the text has one of these characters, which are ASCII's.
///
/// # Safety
/// The GIL is held and `text` is text.
#[inline]
pub(super) unsafe fn any_of(text: &Owned, characters: &[&[u8]]) -> bool {
    let is_one = |byte: &u8| characters.iter().any(|some| some.contains(byte));
    // SAFETY: as the caller promises; the bytes are the object's own, which lives.
    #[cfg(feature = "python3")]
    unsafe {
        let mut size = 0;
        let start = ffi::PyUnicode_AsUTF8AndSize(text.as_ptr(), &raw mut size);
        if start.is_null() {
            ffi::PyErr_Clear();
            return false;
        }
        std::slice::from_raw_parts(start.cast::<u8>(), size.unsigned_abs()).iter().any(is_one)
    }
    // SAFETY: as above; both outputs are valid. `unicode` is nobody's directory.
    #[cfg(not(feature = "python3"))]
    unsafe {
        let (mut start, mut size) = (std::ptr::null_mut(), 0);
        if ffi::PyBytes_AsStringAndSize(text.as_ptr(), &raw mut start, &raw mut size) < 0 {
            ffi::PyErr_Clear();
            return false;
        }
        std::slice::from_raw_parts(start.cast::<u8>(), size.unsigned_abs()).iter().any(is_one)
    }
}
