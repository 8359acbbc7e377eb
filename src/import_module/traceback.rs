//! Frames that importlib takes out of the traceback of what a module's code has raised: so that it shows the importer,
//! and then the code. It does so where an import statement has called it; here we have.

use super::errors::Pending;
use super::object::Owned;
use super::text::{self, interned};
use crate::python::ffi;
use std::ffi::CStr;

/// Cuts them off the pending exception, but for `python -v`, where they stay.
///
/// # Safety
/// The GIL is held and an exception is pending.
#[cold]
pub(super) unsafe fn cut_importlib_off() {
    // SAFETY: as the caller promises.
    unsafe {
        let is_of_import = ffi::PyErr_ExceptionMatches(ffi::PyExc_ImportError) != 0;
        let mut error = Pending::take();
        if let Some(first) = error.traceback() {
            // What cannot be read stays as it is.
            if let Some(rest) = rest_of(first, is_of_import) {
                error.set_traceback(rest);
            }
        }
        ffi::PyErr_Clear();
        error.restore();
    }
}

/// The traceback without its first entries, as far as they are importlib's and end in the call of a module's code; for
/// an ImportError all that are importlib's. None if there is nothing to cut off.
///
/// # Safety
/// The GIL is held.
unsafe fn rest_of(first: Owned, is_of_import: bool) -> Option<Option<Owned>> {
    // SAFETY: live objects; these attributes are fields, and to read one runs no Python code.
    unsafe {
        if is_verbose()? {
            return None;
        }
        let mut rest = None;
        let mut entry = first;
        loop {
            let code = attribute(&attribute(&entry, c"tb_frame")?, c"f_code")?;
            if !text::encoded(attribute(&code, c"co_filename")?)?.starts_with(b"<frozen importlib._bootstrap") {
                return rest;
            }
            let name = text::encoded(attribute(&code, c"co_name")?)?;
            let next = Some(attribute(&entry, c"tb_next")?).filter(|next| next.as_ptr() != ffi::Py_None());
            if is_of_import || name == b"_call_with_frames_removed" {
                rest = Some(next.as_ref().and_then(|next| Owned::from_borrowed(next.as_ptr())));
            }
            match next {
                Some(next) => entry = next,
                None => return rest,
            }
        }
    }
}

/// # Safety
/// The GIL is held.
unsafe fn is_verbose() -> Option<bool> {
    // SAFETY: `sys` is there as long as its interpreter.
    unsafe {
        let flags = Owned::from_borrowed(ffi::PySys_GetObject(c"flags".as_ptr()))?;
        super::object::truth(attribute(&flags, c"verbose")?.as_ptr())
    }
}

/// # Safety
/// The GIL is held.
unsafe fn attribute(of: &Owned, name: &CStr) -> Option<Owned> {
    // SAFETY: live objects; a new reference or NULL.
    unsafe { Owned::from_new(ffi::PyObject_GetAttr(of.as_ptr(), interned(name)?.as_ptr())) }
}
