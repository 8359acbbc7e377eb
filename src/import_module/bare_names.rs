//! A failed import under a private name says the name that the code has asked for. Code compares it, in
//! `except ImportError as error: if error.name != 'settings': raise`.

use super::imports::Imports;
use crate::python::errors::Pending;
use crate::python::exceptions::{self, Exception};
use crate::python::ffi;
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned};
use crate::python::{calls, dict, sequence};

/// The result of an import that has asked for `private` in the place of `name`: `module`; None with an exception set,
/// in both directions.
pub(super) fn imported(
    gil: &Gil,
    imports: &Imports,
    module: Option<Owned>,
    name: Object<'_>,
    private: &Owned,
    fromlist: Option<Object<'_>>,
) -> Option<Owned> {
    let failed = |what| calls::call(gil, &imports.failed, [what, name, private.object()]);
    let Some(module) = module else {
        let error = Pending::take(gil);
        if let Some(value) = error.value().filter(|_| error.is_of(gil, Exception::Import)) {
            failed(value.object());
        }
        error.restore(gil);
        return None;
    };
    let Some(fromlist) = fromlist else { return Some(module) };
    serve_c(gil, name, fromlist);
    // `from module import part` fails after this, for a part that is not there.
    if !lacks_any(gil, &module, fromlist) {
        return Some(module);
    }
    let error = failed(fromlist)?;
    if error.is_none() {
        return Some(module);
    }
    exceptions::raise_object(gil, &error);
    None
}

/// Code in C imports by this function too, with a list, takes the module out of `sys.modules` by the name that it has
/// asked for, which is text, and fails if there is none: it gets what that name means outside of pages. No exception
/// is pending before.
fn serve_c(gil: &Gil, name: Object<'_>, fromlist: Object<'_>) {
    if !sequence::is_list(fromlist) || dict::has(gil, dict::modules(gil), name) {
        return;
    }
    drop(calls::import(gil, name));
    // It is nowhere else.
    exceptions::clear(gil);
}

/// Whether the module does not have all that a statement asks it for, and makes nothing of the kind when it is asked.
fn lacks_any(gil: &Gil, module: &Owned, fromlist: Object<'_>) -> bool {
    if !sequence::is_tuple(fromlist) || !module.object().is_exactly(&raw mut ffi::PyModule_Type) {
        return false;
    }
    let Some(names) = dict::of_module(gil, module) else { return false };
    let is_lacking = |part: &Object<'_>| part.is_exactly(&raw mut ffi::PyUnicode_Type) && !dict::has(gil, names, *part);
    sequence::items(fromlist).iter().any(is_lacking) && !dict::has_named(gil, names, c"__getattr__")
}
