//! Which version of a file an import statement is about to run, for Python 2, which says of no module what its code is
//! of: noted by a finder in `sys.meta_path` that finds nothing.
//!
//! It runs no bytecode and keeps the GIL. From its look into `sys.modules` to the entry of a new module there an import
//! statement of Python 2 lets no other thread in, and one that came in between would run the file a second time.

use super::files::{to_tuple, version_of};
use super::state::State;
use crate::python::exceptions::clear;
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned, none};
use crate::python::text::{encoded, is_text};
use crate::python::values::exactly;
use crate::python::{calls, dict, sequence};
use std::ffi::CString;

/// The module that the shim mends when it is imported (sessions.py).
const SESSIONS: &[u8] = b"mod_python.Session";

/// `find_module(name, path)`: the loader of modules by their private names, and of mod_python's sessions; None for all
/// other names.
pub(super) fn find_module(gil: &mut Gil, state: &State, given: &[Object<'_>]) -> Option<Owned> {
    let [name, path] = exactly(gil, "find_module", given)?;
    let is_ours = encoded(gil, name).is_some_and(|name| {
        // A package that has the private name itself has its parts found as any other.
        name.starts_with(b"_mp_") && (path.is_none() || is_alias(gil, &name)) || name == SESSIONS
    });
    if is_ours {
        let loader = state.private_names.borrow();
        return Some(loader.as_ref().map_or_else(|| none(gil), |loader| loader.clone_ref(gil)));
    }
    let of_sys = if path.is_none() { dict::of_sys(gil, c"path") } else { None };
    note(gil, state, name, of_sys.as_ref().map_or(path, Owned::object));
    // An import does not fail because it could not be noted.
    clear(gil);
    Some(none(gil))
}

/// `private_names(loader)`: the loader of modules by their private names.
pub(super) fn private_names(gil: &mut Gil, state: &State, loader: Object<'_>) -> Option<Owned> {
    drop(state.private_names.replace(Some(loader.clone_ref(gil))));
    Some(none(gil))
}

/// None may leave an exception.
fn note(gil: &Gil, state: &State, name: Object<'_>, path: Object<'_>) -> Option<()> {
    let name = encoded(gil, name)?;
    let last = name.rsplit(|&byte| byte == b'.').next()?;
    if !sequence::is_list(path) {
        return None;
    }
    for at in 0..sequence::list_size(gil, path) {
        let entry = sequence::list_item(gil, path, at)?;
        if !is_text(&entry) {
            continue;
        }
        let entry = encoded(gil, &entry)?;
        for tail in [b".py".as_slice(), b"/__init__.py"] {
            let Ok(file) = CString::new([&entry, b"/".as_slice(), last, tail].concat()) else { continue };
            if let Some(version) = version_of(&file) {
                let version = to_tuple(gil, &version)?;
                dict::set_named(gil, &state.imported, &file, &version);
                return Some(());
            }
        }
    }
    None
}

/// `imported(file)`: the version of the file that an import statement has begun to run last, None if it is not known.
pub(super) fn imported(gil: &mut Gil, state: &State, file: Object<'_>) -> Option<Owned> {
    dict::get(gil, &state.imported, file).or_else(|| Some(none(gil)))
}

/// Whether the parent of that name in `sys.modules` calls itself otherwise. To read a module's name runs no bytecode.
fn is_alias(gil: &Gil, name: &[u8]) -> bool {
    let Some(dot) = name.iter().rposition(|&byte| byte == b'.') else { return false };
    let Ok(parent) = CString::new(&name[..dot]) else { return false };
    let Some(module) = dict::get_named(gil, dict::modules(gil), &parent) else { return false };
    let called = calls::attribute_named(gil, &module, c"__name__");
    clear(gil);
    called.and_then(|called| encoded(gil, &called)).is_some_and(|called| called != parent.as_bytes())
}
