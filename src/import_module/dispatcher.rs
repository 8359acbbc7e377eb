//! Where a call of `import_module` wants its module from: what it says itself, or else what the frame of a stock
//! dispatcher says.
//!
//! Stock 3.5 passes no directory: it puts the directory at the head of `sys.path` and relies on the name, so that two
//! directories with one handler name get one module. The directory is still there to be seen, in the dispatcher's
//! local variables at the moment of the call.

use super::state::{Names, Shim, State};
use super::{pattern, siblings};
use crate::python::calls::{self, attribute};
use crate::python::ffi;
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned};
use crate::python::text::is_text;
use crate::python::values::truth;
use crate::python::{dict, exceptions};
use std::ffi::c_int;
use std::ptr::null_mut;

/// How many directories or paths are remembered at a time.
const MANY_PLACES: ffi::Py_ssize_t = 4096;

/// Where to look for a module.
pub(super) enum Where {
    /// As `import` would: in `sys.modules`, then on `sys.path`.
    Plain,
    /// In this directory first (a string): the one of the directive that named the handler.
    Directory(Owned),
    /// On this search path alone (a tuple): the caller has given it.
    Path(Owned),
    /// On the list that this PythonPath expression gives (a string).
    Expression(Owned),
}

impl Where {
    /// The number that stands for the kind in calls from and to the shim.
    pub(super) fn kind(&self) -> i64 {
        match self {
            Self::Plain => 0,
            Self::Directory(_) => 1,
            Self::Path(_) => 2,
            Self::Expression(_) => 3,
        }
    }

    /// The object that belongs to the kind, borrowed; None for the plain kind.
    pub(super) fn object(&self) -> Option<&Owned> {
        match self {
            Self::Plain => None,
            Self::Directory(object) | Self::Path(object) | Self::Expression(object) => Some(object),
        }
    }

    /// The opposite of [`Where::kind`] and [`Where::object`].
    pub(super) fn of(gil: &Gil, kind: i64, object: Object<'_>) -> Option<Self> {
        match kind {
            0 => Some(Self::Plain),
            1 => Some(Self::Directory(object.clone_ref(gil))),
            2 => Some(Self::Path(object.clone_ref(gil))),
            3 => Some(Self::Expression(object.clone_ref(gil))),
            _ => None,
        }
    }

    /// The dict of the places of this kind, and this place in it; None for the plain kind, which is one place.
    fn place<'w>(&'w self, state: &'w State) -> Option<(&'w Owned, &'w Owned)> {
        match self {
            Self::Plain => None,
            Self::Directory(object) => Some((&state.directories, object)),
            Self::Path(object) => Some((&state.paths, object)),
            Self::Expression(object) => Some((&state.expressions, object)),
        }
    }

    /// The dict of names asked for there; None if nothing was found there yet.
    #[inline]
    pub(super) fn names(&self, gil: &Gil, state: &State) -> Option<Owned> {
        let Some((places, object)) = self.place(state) else { return Some(state.plain.clone_ref(gil)) };
        // An unhashable key raises, and is then simply not found.
        found_or_clear(gil, dict::get(gil, places, object))
    }

    /// The same, made if it is not there. None with an exception set on failure.
    pub(super) fn names_or_new(&self, gil: &Gil, state: &State) -> Option<Owned> {
        let Some((places, object)) = self.place(state) else { return Some(state.plain.clone_ref(gil)) };
        // Where a site makes a path of each request, these would grow for ever. They only spare a search.
        if dict::size(gil, places) >= MANY_PLACES {
            dict::clear(gil, places);
        }
        dict::get_or_set(gil, places, object, &dict::new(gil)?)
    }
}

/// The module that calls without a path.
pub(super) enum Caller {
    /// Whose frame says where to look.
    At(Where),
    /// A module of this handler's directory (a string), where the shim has to say what an import statement would mean.
    Page(Owned),
}

/// Where the caller's frame says, if it is a stock dispatcher's; what an import statement would mean in a module of a
/// handler's directory; `Plain` for everybody else. `name` is text.
#[inline]
pub(super) fn from_frame(gil: &Gil, state: &State, name: Object<'_>) -> Option<Caller> {
    let globals = dict::globals(gil);
    let dispatcher = match state.shim.borrow().as_ref() {
        Some(Shim { apache, .. }) if is(globals, apache) => from_dispatcher,
        Some(Shim { wsgi, .. }) if is(globals, wsgi) => from_wsgi,
        _ if !state.has_scopes.get() => return Some(Caller::At(Where::Plain)),
        _ => return from_module(gil, state, globals, name),
    };
    let place = from_python_path(gil, &state.names).or_else(|| dispatcher(gil, &state.names));
    Some(Caller::At(place.unwrap_or(Where::Plain)))
}

/// Whether there are globals, and those.
#[inline]
fn is(globals: Option<Object<'_>>, those: &Owned) -> bool {
    globals.is_some_and(|globals| globals.is(those))
}

#[inline(never)]
fn from_module(gil: &Gil, state: &State, globals: Option<Object<'_>>, name: Object<'_>) -> Option<Caller> {
    let Some(scope) = siblings::scope_of(gil, state, globals, name).ok()? else {
        return Some(Caller::At(Where::Plain));
    };
    let place = Where::Directory(scope.directory);
    // Found there before.
    let known = place.names(gil, state).is_some_and(|names| dict::has(gil, &names, name));
    match place {
        Where::Directory(directory) if !known => Some(Caller::Page(directory)),
        place => Some(Caller::At(place)),
    }
}

/// Whether the caller is a stock dispatcher.
pub(super) fn is_dispatcher(gil: &Gil, state: &State) -> bool {
    let globals = dict::globals(gil);
    let shim = state.shim.borrow();
    shim.as_ref().is_some_and(|shim| is(globals, &shim.apache) || is(globals, &shim.wsgi))
}

/// The PythonPath expression of the request's configuration, where there is one: it takes the place of the directory.
fn from_python_path(gil: &Gil, names: &Names) -> Option<Where> {
    // Stock's dispatchers have just looked for themselves, and put what they have found into this variable.
    if let Some(found) = variable(gil, &names.pathstring) {
        return text(gil, found?).map(Where::Expression);
    }
    let config = local(gil, &names.config)?;
    if !has(gil, &config, &names.python_path) {
        return None;
    }
    let expression = found_or_clear(gil, calls::item(gil, &config, &names.python_path));
    text(gil, expression?).map(Where::Expression)
}

/// Whether a configuration names that directive. The dispatchers ask in the same way.
fn has(gil: &Gil, config: &Owned, directive: &Owned) -> bool {
    #[cfg(feature = "python3")]
    {
        let answer = calls::contains(gil, config, directive);
        if answer.is_none() {
            exceptions::clear(gil);
        }
        answer == Some(true)
    }
    // The tables of generation 3.1 have no other way to be asked.
    #[cfg(not(feature = "python3"))]
    {
        let answer = calls::call_method_named(gil, config, c"has_key", [directive.object()]);
        found_or_clear(gil, answer).is_some_and(|answer| truth(gil, &answer) == Some(true))
    }
}

/// In a dispatcher of `mod_python.apache`: that of handlers has a variable `hlist`, that of filters one for the filter
/// (and `req` beside it, whose list of handlers is not what is being dispatched).
fn from_dispatcher(gil: &Gil, names: &Names) -> Option<Where> {
    if let Some(hlist) = local(gil, &names.hlist) {
        return from_hlist(gil, &hlist, names, || local(gil, &names.request));
    }
    let filter = local(gil, &names.fltr).or_else(|| local(gil, &names.filter))?;
    let file = || field(gil, &field(gil, &filter, &names.request)?, &names.filename);
    pattern::resolve(gil, text(gil, field(gil, &filter, &names.dir)?)?, file).map(Where::Directory)
}

/// In the handler of `mod_python.wsgi`, which a dispatcher has called with the request.
fn from_wsgi(gil: &Gil, names: &Names) -> Option<Where> {
    let request = || local(gil, &names.request);
    from_hlist(gil, &field(gil, &request()?, &names.hlist)?, names, request)
}

fn from_hlist(gil: &Gil, hlist: &Owned, names: &Names, request: impl FnOnce() -> Option<Owned>) -> Option<Where> {
    // A Location is no directory, although 3.5 keeps its name in the same field. Older generations have no flag.
    let is_location = field(gil, hlist, &names.is_location);
    if is_location.is_some_and(|is| truth(gil, &is) == Some(true)) {
        return None;
    }
    let file = || field(gil, &request()?, &names.filename);
    pattern::resolve(gil, text(gil, field(gil, hlist, &names.directory)?)?, file).map(Where::Directory)
}

/// An attribute; an exception only means that it is not there.
fn field(gil: &Gil, of: &Owned, name: &Owned) -> Option<Owned> {
    found_or_clear(gil, attribute(gil, of, name))
}

/// What a call of CPython's has found; an exception only means that it is not there.
#[inline]
fn found_or_clear(gil: &Gil, object: Option<Owned>) -> Option<Owned> {
    if object.is_none() {
        exceptions::clear(gil);
    }
    object
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
