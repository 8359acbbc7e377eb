//! Where a module is looked for. The shim has the same as a tuple of a kind and what belongs to it (`search.Origin`).

use super::state::State;
use crate::python::exceptions::{Exception, or_clear, raise};
use crate::python::ffi;
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned};
use crate::python::values::{as_integer, integer};
use crate::python::{dict, sequence};

/// How many directories or paths are remembered at a time.
const MANY_ORIGINS: ffi::Py_ssize_t = 4096;

/// Where to look for a module.
pub(super) enum Origin {
    /// As `import` would: in `sys.modules`, then on `sys.path`.
    Plain,
    /// In this directory first (a string): the one of the directive that named the handler.
    Directory(Owned),
    /// On this search path alone (a tuple): the caller has given it.
    Path(Owned),
    /// On the list that this PythonPath expression gives (a string).
    Expression(Owned),
}

impl Origin {
    /// The origin that the shim has passed. None with a ValueError set for anything else.
    pub(super) fn from_shim(gil: &Gil, origin: Object<'_>) -> Option<Self> {
        let refuse = || raise(gil, Exception::Value, "modpython-core: not an origin");
        let &[kind, object] = sequence::items(origin) else { return refuse() };
        let object = object.clone_ref(gil);
        match as_integer(gil, kind) {
            0 => Some(Self::Plain),
            1 => Some(Self::Directory(object)),
            2 => Some(Self::Path(object)),
            3 => Some(Self::Expression(object)),
            _ => refuse(),
        }
    }

    /// The state's dict of the origins of this kind, and the key of this one in it. The plain kind is one origin.
    fn key<'o>(&'o self, state: &'o State) -> Option<(&'o Owned, &'o Owned)> {
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
        let Some((origins, object)) = self.key(state) else { return Some(state.plain.clone_ref(gil)) };
        // An unhashable key raises, and is then simply not found.
        or_clear(gil, dict::get(gil, origins, object))
    }

    /// The same, made if absent. None with an exception set on failure.
    pub(super) fn names_or_new(&self, gil: &Gil, state: &State) -> Option<Owned> {
        let Some((origins, object)) = self.key(state) else { return Some(state.plain.clone_ref(gil)) };
        // Where a site makes a path of each request, these would grow for ever. They only spare a search.
        if dict::size(gil, origins) >= MANY_ORIGINS {
            dict::clear(gil, origins);
        }
        dict::get_or_set(gil, origins, object, &dict::new(gil)?)
    }
}

/// The origin that a call of `import_module` asks for.
pub(super) enum Caller {
    /// This one.
    At(Origin),
    /// The caller is a module of this handler's directory (a string): the shim decides what an import statement there
    /// would mean.
    Page(Owned),
}

impl Caller {
    /// The tuple for the shim. None with an exception set on failure.
    pub(super) fn for_shim(&self, gil: &Gil) -> Option<Owned> {
        let (kind, object) = match self {
            Self::At(Origin::Plain) => (0, None),
            Self::At(Origin::Directory(object)) => (1, Some(object)),
            Self::At(Origin::Path(object)) => (2, Some(object)),
            Self::At(Origin::Expression(object)) => (3, Some(object)),
            Self::Page(directory) => (4, Some(directory)),
        };
        sequence::tuple(gil, &[integer(gil, kind)?.object(), object.map_or(Object::none(), Owned::object)])
    }
}
