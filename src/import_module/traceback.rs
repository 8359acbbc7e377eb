//! Frames that importlib takes out of the traceback of what a module's code has raised: so that it shows the importer,
//! and then the code. It does so where an import statement has called it; here we have.

use crate::python::errors::Pending;
use crate::python::exceptions::{self, Exception};
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned};
use crate::python::text::{self, interned};
use crate::python::values::truth;
use crate::python::{calls, dict};
use std::ffi::CStr;

/// Cuts them off the pending exception, but for `python -v`, where they stay.
#[cold]
pub(super) fn cut_importlib_off(gil: &Gil) {
    let is_of_import = exceptions::matches(gil, Exception::Import);
    let mut error = Pending::take(gil);
    if let Some(first) = error.traceback(gil) {
        // A traceback that cannot be read stays as it is.
        if let Some(rest) = rest_of(gil, first, is_of_import) {
            error.set_traceback(gil, rest);
        }
    }
    exceptions::clear(gil);
    error.restore(gil);
}

/// The traceback without its first entries, as far as they are importlib's and end in the call of a module's code; for
/// an ImportError all that are importlib's. None if there is nothing to cut off. The attributes that are asked for are
/// fields, and to read one runs no Python code.
fn rest_of(gil: &Gil, first: Owned, is_of_import: bool) -> Option<Option<Owned>> {
    if is_verbose(gil)? {
        return None;
    }
    let mut rest = None;
    let mut entry = first;
    loop {
        let code = attribute(gil, &attribute(gil, &entry, c"tb_frame")?, c"f_code")?;
        let file = attribute(gil, &code, c"co_filename")?;
        if !text::encoded(gil, &file)?.starts_with(b"<frozen importlib._bootstrap") {
            return rest;
        }
        let name = text::encoded(gil, &attribute(gil, &code, c"co_name")?)?;
        let next = Some(attribute(gil, &entry, c"tb_next")?).filter(|next| !next.is_none());
        if is_of_import || name == b"_call_with_frames_removed" {
            rest = Some(next.as_ref().map(|next| next.clone_ref(gil)));
        }
        match next {
            Some(next) => entry = next,
            None => return rest,
        }
    }
}

fn is_verbose(gil: &Gil) -> Option<bool> {
    let flags = dict::of_sys(gil, c"flags")?;
    truth(gil, &attribute(gil, &flags, c"verbose")?)
}

fn attribute<'o>(gil: &Gil, of: impl Into<Object<'o>>, name: &CStr) -> Option<Owned> {
    calls::attribute(gil, of, &interned(gil, name)?)
}
