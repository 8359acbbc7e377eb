//! Where a call of `import_module` wants its module from: what it says itself, or else what the frame of a stock
//! dispatcher says.
//!
//! Stock 3.5 passes no directory: it puts the directory at the head of `sys.path` and relies on the name, so that two
//! directories with one handler name get one module. The directory is still there to be seen, in the dispatcher's
//! local variables at the moment of the call.

use super::object::Owned;
use super::pattern;
use super::siblings;
use super::state::{Names, Shim, State};
use super::text::is_text;
use crate::python::ffi;
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
    ///
    /// # Safety
    /// `object` is alive and the GIL is held.
    pub(super) unsafe fn of(kind: i64, object: *mut ffi::PyObject) -> Option<Self> {
        // SAFETY: as the caller promises.
        let object = unsafe { Owned::from_borrowed(object)? };
        match kind {
            0 => Some(Self::Plain),
            1 => Some(Self::Directory(object)),
            2 => Some(Self::Path(object)),
            3 => Some(Self::Expression(object)),
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

    /// The dict of names asked for there, borrowed from the state; None if nothing was found there yet.
    ///
    /// # Safety
    /// The GIL is held.
    pub(super) unsafe fn names(&self, state: &State) -> Option<*mut ffi::PyObject> {
        let Some((places, object)) = self.place(state) else { return Some(state.plain.as_ptr()) };
        // SAFETY: a dict of ours and a live key. An unhashable key raises, and is then simply not found.
        unsafe {
            let names = ffi::PyDict_GetItemWithError(places.as_ptr(), object.as_ptr());
            if names.is_null() {
                ffi::PyErr_Clear();
            }
            (!names.is_null()).then_some(names)
        }
    }

    /// The same, made if it is not there. None with an exception set on failure.
    ///
    /// # Safety
    /// The GIL is held.
    pub(super) unsafe fn names_or_new(&self, state: &State) -> Option<*mut ffi::PyObject> {
        let Some((places, object)) = self.place(state) else { return Some(state.plain.as_ptr()) };
        // SAFETY: dicts of ours; the borrowed result is kept alive by `places`.
        unsafe {
            // Where a site makes a path of each request, these would grow for ever. They only spare a search.
            if ffi::PyDict_Size(places.as_ptr()) >= MANY_PLACES {
                ffi::PyDict_Clear(places.as_ptr());
            }
            let fresh = Owned::from_new(ffi::PyDict_New())?;
            let names = ffi::PyDict_SetDefault(places.as_ptr(), object.as_ptr(), fresh.as_ptr());
            (!names.is_null()).then_some(names)
        }
    }
}

/// Who calls without a path.
pub(super) enum Caller {
    /// Whose frame says where to look.
    At(Where),
    /// A module of this handler's directory (a string), where the shim has to say what an import statement would mean.
    Page(Owned),
}

/// Where the caller's frame says, if it is a stock dispatcher's; what an import statement would mean in a module of a
/// handler's directory; `Plain` for everybody else.
///
/// # Safety
/// The GIL is held and `name` is text.
#[inline]
pub(super) unsafe fn from_frame(state: &State, name: *mut ffi::PyObject) -> Option<Caller> {
    // SAFETY: borrowed from the running frame; NULL if there is none.
    let globals = unsafe { ffi::PyEval_GetGlobals() };
    let dispatcher = match state.shim.borrow().as_ref() {
        Some(Shim { apache, .. }) if apache.as_ptr() == globals => from_dispatcher,
        Some(Shim { wsgi, .. }) if wsgi.as_ptr() == globals => from_wsgi,
        _ if !state.has_scopes.get() => return Some(Caller::At(Where::Plain)),
        // SAFETY: the GIL is held; a dict or NULL.
        _ => return unsafe { from_module(state, globals, name) },
    };
    // SAFETY: the GIL is held, in a Python frame.
    let place = unsafe { from_python_path(&state.names).or_else(|| dispatcher(&state.names)) };
    Some(Caller::At(place.unwrap_or(Where::Plain)))
}

/// # Safety
/// The GIL is held, `globals` is a dict or NULL, and `name` is text.
#[inline(never)]
unsafe fn from_module(state: &State, globals: *mut ffi::PyObject, name: *mut ffi::PyObject) -> Option<Caller> {
    // SAFETY: as the caller promises; what is borrowed from a dict is used before anything else runs.
    unsafe {
        let Some(scope) = siblings::scope_of(state, globals, name).ok()? else { return Some(Caller::At(Where::Plain)) };
        let place = Where::Directory(scope.directory);
        // Found there before.
        let known = place.names(state).is_some_and(|names| !ffi::PyDict_GetItemWithError(names, name).is_null());
        match place {
            Where::Directory(directory) if !known => Some(Caller::Page(directory)),
            place => Some(Caller::At(place)),
        }
    }
}

/// Whether the caller is a stock dispatcher.
///
/// # Safety
/// The GIL is held.
pub(super) unsafe fn is_dispatcher(state: &State) -> bool {
    // SAFETY: borrowed from the running frame; NULL if there is none.
    let globals = unsafe { ffi::PyEval_GetGlobals() };
    let shim = state.shim.borrow();
    shim.as_ref().is_some_and(|shim| shim.apache.as_ptr() == globals || shim.wsgi.as_ptr() == globals)
}

/// The PythonPath expression of the request's configuration, where there is one: it takes the place of the directory.
///
/// # Safety
/// The GIL is held.
unsafe fn from_python_path(names: &Names) -> Option<Where> {
    // SAFETY: every object is alive: owned here.
    unsafe {
        // Stock's dispatchers have just looked for themselves, and put what they have found into this variable.
        if let Some(found) = variable(&names.pathstring) {
            return text(found?).map(Where::Expression);
        }
        let config = local(&names.config)?;
        if !has(&config, &names.python_path) {
            return None;
        }
        let expression = ffi::PyObject_GetItem(config.as_ptr(), names.python_path.as_ptr());
        text(found_or_clear(expression)?).map(Where::Expression)
    }
}

/// Whether a configuration names that directive. The dispatchers ask in the same way.
///
/// # Safety
/// The GIL is held.
unsafe fn has(config: &Owned, directive: &Owned) -> bool {
    // SAFETY: two live objects.
    #[cfg(feature = "python3")]
    unsafe {
        let answer = ffi::PySequence_Contains(config.as_ptr(), directive.as_ptr());
        if answer < 0 {
            ffi::PyErr_Clear();
        }
        answer == 1
    }
    // The tables of generation 3.1 have no other way to be asked.
    // SAFETY: two live objects; a new reference or NULL.
    #[cfg(not(feature = "python3"))]
    unsafe {
        let (name, format) = (c"has_key".as_ptr(), c"O".as_ptr());
        let answer = found_or_clear(ffi::PyObject_CallMethod(config.as_ptr(), name, format, directive.as_ptr()));
        answer.is_some_and(|answer| ffi::PyObject_IsTrue(answer.as_ptr()) == 1)
    }
}

/// In a dispatcher of `mod_python.apache`: that of handlers has a variable `hlist`, that of filters one for the filter
/// (and `req` beside it, whose list of handlers is not what is being dispatched).
///
/// # Safety
/// The GIL is held.
unsafe fn from_dispatcher(names: &Names) -> Option<Where> {
    // SAFETY: every object is alive: owned here.
    unsafe {
        if let Some(hlist) = local(&names.hlist) {
            return from_hlist(&hlist, names, || local(&names.request));
        }
        let filter = local(&names.fltr).or_else(|| local(&names.filter))?;
        let file = || attribute(&attribute(&filter, &names.request)?, &names.filename);
        pattern::resolve(text(attribute(&filter, &names.dir)?)?, file).map(Where::Directory)
    }
}

/// In the handler of `mod_python.wsgi`, which a dispatcher has called with the request.
///
/// # Safety
/// The GIL is held.
unsafe fn from_wsgi(names: &Names) -> Option<Where> {
    // SAFETY: every object is alive: owned here.
    unsafe {
        let request = || local(&names.request);
        from_hlist(&attribute(&request()?, &names.hlist)?, names, request)
    }
}

/// # Safety
/// The GIL is held.
unsafe fn from_hlist(hlist: &Owned, names: &Names, request: impl FnOnce() -> Option<Owned>) -> Option<Where> {
    // SAFETY: every object is alive: owned here.
    unsafe {
        // A Location is no directory, although 3.5 keeps its name in the same field. Older generations have no flag.
        let is_location = attribute(hlist, &names.is_location);
        if is_location.is_some_and(|is| ffi::PyObject_IsTrue(is.as_ptr()) == 1) {
            return None;
        }
        let file = || attribute(&request()?, &names.filename);
        pattern::resolve(text(attribute(hlist, &names.directory)?)?, file).map(Where::Directory)
    }
}

/// # Safety
/// The GIL is held.
unsafe fn attribute(of: &Owned, name: &Owned) -> Option<Owned> {
    // SAFETY: live objects; a new reference or NULL.
    unsafe { found_or_clear(ffi::PyObject_GetAttr(of.as_ptr(), name.as_ptr())) }
}

/// What a call of CPython's has found; an exception only means that it is not there.
///
/// # Safety
/// The GIL is held, and `object` is a new reference, or NULL with an exception.
unsafe fn found_or_clear(object: *mut ffi::PyObject) -> Option<Owned> {
    // SAFETY: as the caller promises.
    unsafe {
        if object.is_null() {
            ffi::PyErr_Clear();
        }
        Owned::from_new(object)
    }
}

/// The object, if it is a string with something in it.
///
/// # Safety
/// The GIL is held.
unsafe fn text(object: Owned) -> Option<Owned> {
    // SAFETY: a live object; the length is asked of strings only.
    unsafe { (is_text(object.as_ptr()) && ffi::PyObject_IsTrue(object.as_ptr()) == 1).then_some(object) }
}

unsafe extern "C" {
    /// See `capi/frame.c`.
    fn mpc_glue_local(name: *mut ffi::PyObject, value: *mut *mut ffi::PyObject) -> c_int;
}

/// A local variable of the Python function that has called us: None if it has none of that name, `Some(None)` if it has
/// but has not set it (up to Python 3.11; later ones do not tell the two apart).
///
/// # Safety
/// The GIL is held, and `name` is an interned string.
unsafe fn variable(name: &Owned) -> Option<Option<Owned>> {
    let mut value = null_mut();
    // SAFETY: a live name and room for the answer, which is a new reference or NULL.
    unsafe { (mpc_glue_local(name.as_ptr(), &raw mut value) != 0).then(|| Owned::from_new(value)) }
}

/// The same, if it is set.
///
/// # Safety
/// As [`variable`].
unsafe fn local(name: &Owned) -> Option<Owned> {
    // SAFETY: handed on.
    unsafe { variable(name).flatten() }
}
