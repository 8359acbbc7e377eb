//! The origin that a call of `import_module` means without a path: the frame of a stock dispatcher says it.
//!
//! Stock 3.5 passes no directory: it puts the directory at the head of `sys.path` and relies on the name, so that two
//! directories with one handler name get one module. The directory is still there to be seen, in the dispatcher's
//! local variables at the moment of the call.

use super::origin::{Caller, Origin};
use super::state::{Names, Shim, State};
use super::{pattern, siblings};
use crate::python::calls::{self, attribute};
use crate::python::dict;
use crate::python::exceptions::or_clear;
use crate::python::ffi;
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned};
use crate::python::text::is_text;
use crate::python::values::truth;
use std::ffi::c_int;
use std::ptr::null_mut;

/// The origin in the caller's frame, if it is a stock dispatcher's; the meaning of an import statement in a module of a
/// handler's directory; `Plain` for all other callers. `name` is text.
#[inline]
pub(super) fn from_frame(gil: &Gil, state: &State, name: Object<'_>) -> Option<Caller> {
    let globals = dict::globals(gil);
    let dispatcher = match state.shim.borrow().as_ref() {
        Some(Shim { apache, .. }) if is(globals, apache) => from_dispatcher,
        Some(Shim { wsgi, .. }) if is(globals, wsgi) => from_wsgi,
        _ if !state.has_scopes.get() => return Some(Caller::At(Origin::Plain)),
        _ => return from_module(gil, state, globals, name),
    };
    let origin = from_python_path(gil, &state.names).or_else(|| dispatcher(gil, &state.names));
    Some(Caller::At(origin.unwrap_or(Origin::Plain)))
}

/// Whether there are globals, and those.
#[inline]
fn is(globals: Option<Object<'_>>, those: &Owned) -> bool {
    globals.is_some_and(|globals| globals.is(those))
}

#[inline(never)]
fn from_module(gil: &Gil, state: &State, globals: Option<Object<'_>>, name: Object<'_>) -> Option<Caller> {
    let Some(scope) = siblings::scope_of(gil, state, globals, name).ok()? else {
        return Some(Caller::At(Origin::Plain));
    };
    let origin = Origin::Directory(scope.directory);
    // Found there before.
    let known = origin.names(gil, state).is_some_and(|names| dict::has(gil, &names, name));
    match origin {
        Origin::Directory(directory) if !known => Some(Caller::Page(directory)),
        origin => Some(Caller::At(origin)),
    }
}

/// Whether the caller is a stock dispatcher.
pub(super) fn is_dispatcher(gil: &Gil, state: &State) -> bool {
    let globals = dict::globals(gil);
    let shim = state.shim.borrow();
    shim.as_ref().is_some_and(|shim| is(globals, &shim.apache) || is(globals, &shim.wsgi))
}

/// The PythonPath expression of the request's configuration, where there is one: it takes the place of the directory.
fn from_python_path(gil: &Gil, names: &Names) -> Option<Origin> {
    // Stock's dispatchers have just looked for themselves, and put what they have found into this variable.
    if let Some(found) = variable(gil, &names.pathstring) {
        return text(gil, found?).map(Origin::Expression);
    }
    let config = local(gil, &names.config)?;
    if !has(gil, &config, &names.python_path) {
        return None;
    }
    let expression = or_clear(gil, calls::item(gil, &config, &names.python_path));
    text(gil, expression?).map(Origin::Expression)
}

/// Whether a configuration names that directive. The dispatchers ask in the same way.
fn has(gil: &Gil, config: &Owned, directive: &Owned) -> bool {
    #[cfg(feature = "python3")]
    {
        or_clear(gil, calls::contains(gil, config, directive)) == Some(true)
    }
    // The tables of generation 3.1 have no other way to be asked.
    #[cfg(not(feature = "python3"))]
    {
        let answer = calls::call_method_named(gil, config, c"has_key", [directive.object()]);
        or_clear(gil, answer).is_some_and(|answer| truth(gil, &answer) == Some(true))
    }
}

/// In a dispatcher of `mod_python.apache`: that of handlers has a variable `hlist`, that of filters one for the filter
/// (and `req` beside it, whose list of handlers is not what is being dispatched).
fn from_dispatcher(gil: &Gil, names: &Names) -> Option<Origin> {
    if let Some(hlist) = local(gil, &names.hlist) {
        return from_hlist(gil, &hlist, names, || local(gil, &names.request));
    }
    let filter = local(gil, &names.fltr).or_else(|| local(gil, &names.filter))?;
    let file = || field(gil, &field(gil, &filter, &names.request)?, &names.filename);
    pattern::resolve(gil, text(gil, field(gil, &filter, &names.dir)?)?, file).map(Origin::Directory)
}

/// In the handler of `mod_python.wsgi`, which a dispatcher has called with the request.
fn from_wsgi(gil: &Gil, names: &Names) -> Option<Origin> {
    let request = || local(gil, &names.request);
    from_hlist(gil, &field(gil, &request()?, &names.hlist)?, names, request)
}

fn from_hlist(gil: &Gil, hlist: &Owned, names: &Names, request: impl FnOnce() -> Option<Owned>) -> Option<Origin> {
    // A Location is no directory, although 3.5 keeps its name in the same field. Older generations have no flag.
    let is_location = field(gil, hlist, &names.is_location);
    if is_location.is_some_and(|is| truth(gil, &is) == Some(true)) {
        return None;
    }
    let file = || field(gil, &request()?, &names.filename);
    pattern::resolve(gil, text(gil, field(gil, hlist, &names.directory)?)?, file).map(Origin::Directory)
}

/// An attribute; an exception only means that it is not there.
fn field(gil: &Gil, of: &Owned, name: &Owned) -> Option<Owned> {
    or_clear(gil, attribute(gil, of, name))
}

/// The object, if it is a string with something in it.
fn text(gil: &Gil, object: Owned) -> Option<Owned> {
    (is_text(&object) && truth(gil, &object) == Some(true)).then_some(object)
}

unsafe extern "C" {
    /// See `capi/frame.c`.
    fn mpc_glue_local(name: *mut ffi::PyObject, value: *mut *mut ffi::PyObject) -> c_int;
}

/// A local variable of the Python function that has called us, by its name, which is interned: None if it has none of
/// that name, `Some(None)` if it has but has not set it (up to Python 3.11; later ones do not tell the two apart).
fn variable(gil: &Gil, name: &Owned) -> Option<Option<Owned>> {
    let mut value = null_mut();
    // SAFETY: a live name, whose address is compared, and space for the answer, which is a new reference or NULL.
    unsafe { (mpc_glue_local(name.as_ptr(), &raw mut value) != 0).then(|| Owned::from_new(gil, value)) }
}

/// The same, if it is set.
fn local(gil: &Gil, name: &Owned) -> Option<Owned> {
    variable(gil, name).flatten()
}
