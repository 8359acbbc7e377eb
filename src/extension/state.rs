//! What the extension module keeps, one of it per interpreter: nothing of this room is static but the lock table.

use super::object::{Owned, interned};
use crate::importer::Cache;
use crate::python::ffi;
use std::cell::RefCell;
use std::ffi::{c_int, c_void};

/// A module that has been handed out, and the name it has in `sys.modules`.
pub(super) struct Loaded {
    pub(super) module: Owned,
    pub(super) name: Owned,
}

/// What the shim has given us when it was put in place.
pub(super) struct Shim {
    /// Does what is no hit.
    pub(super) load: Owned,
    /// Says who waits for whom in Python's own import locks.
    pub(super) blocked: Owned,
    /// The globals of `mod_python.apache`: a call from there carries its directory in the dispatcher's frame.
    pub(super) apache: Owned,
    /// The globals of `mod_python.wsgi`, likewise; those of `mod_python.apache` again where there is no such module.
    pub(super) wsgi: Owned,
}

/// Names that the hit path looks up, made once.
pub(super) struct Names {
    pub(super) module_name: Owned,
    pub(super) autoreload: Owned,
    pub(super) log: Owned,
    pub(super) path: Owned,
    pub(super) config: Owned,
    pub(super) python_path: Owned,
    pub(super) request: Owned,
    /// A filter's dispatcher calls it so in 3.5 and 3.3.
    pub(super) fltr: Owned,
    /// And so in 3.1.
    pub(super) filter: Owned,
    pub(super) hlist: Owned,
    pub(super) directory: Owned,
    pub(super) is_location: Owned,
    pub(super) dir: Owned,
}

/// The state of the module in one interpreter. All of it is used with that interpreter's GIL held.
pub(super) struct State {
    pub(super) interpreter: i64,
    /// Borrowed only for steps that cannot call Python: a collection may visit it between any two bytecodes.
    pub(super) cache: RefCell<Cache<Loaded>>,
    pub(super) shim: RefCell<Option<Shim>>,
    pub(super) names: Names,
    /// Where a module was asked for, name by name: dicts of (name: number of the entry). `plain` is one such dict; the
    /// others have one per directory, search path (a tuple) or PythonPath expression.
    pub(super) plain: Owned,
    pub(super) directories: Owned,
    pub(super) paths: Owned,
    pub(super) expressions: Owned,
}

impl State {
    /// # Safety
    /// The GIL is held.
    unsafe fn new() -> Option<Self> {
        // SAFETY: the GIL is held; each call gives a new reference or NULL.
        unsafe {
            Some(Self {
                interpreter: ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()),
                cache: RefCell::default(),
                shim: RefCell::default(),
                names: Names {
                    module_name: interned(c"module_name")?,
                    autoreload: interned(c"autoreload")?,
                    log: interned(c"log")?,
                    path: interned(c"path")?,
                    config: interned(c"config")?,
                    python_path: interned(c"PythonPath")?,
                    request: interned(c"req")?,
                    fltr: interned(c"fltr")?,
                    filter: interned(c"filter")?,
                    hlist: interned(c"hlist")?,
                    directory: interned(c"directory")?,
                    is_location: interned(c"is_location")?,
                    dir: interned(c"dir")?,
                },
                plain: Owned::from_new(ffi::PyDict_New())?,
                directories: Owned::from_new(ffi::PyDict_New())?,
                paths: Owned::from_new(ffi::PyDict_New())?,
                expressions: Owned::from_new(ffi::PyDict_New())?,
            })
        }
    }

    /// The state of `module`. None after the collector has cleared it, in an interpreter that is ending.
    ///
    /// # Safety
    /// `module` is this extension's module, alive for `'m`, and the GIL is held.
    #[inline]
    pub(super) unsafe fn of<'m>(module: *mut ffi::PyObject) -> Option<&'m Self> {
        // SAFETY: CPython gives the zeroed room of `m_size` bytes, in which `execute` puts a Box; zero is None. Before
        // it has made the room, a collection gets NULL.
        unsafe { ffi::PyModule_GetState(module).cast::<Slot>().as_ref()?.as_deref() }
    }
}

/// What CPython keeps room for in the module object. A Box, so that zeroed memory is None.
type Slot = Option<Box<State>>;

/// The size of that room.
pub(super) const SIZE: ffi::Py_ssize_t = size_of::<Slot>() as ffi::Py_ssize_t;

/// Py_mod_exec: makes the state.
///
/// # Safety
/// Called by CPython.
pub(super) unsafe extern "C" fn execute(module: *mut ffi::PyObject) -> c_int {
    // SAFETY: the GIL is held; the room is ours alone while the module is being made.
    unsafe {
        let Some(state) = State::new() else { return -1 };
        *ffi::PyModule_GetState(module).cast::<Slot>() = Some(Box::new(state));
    }
    0
}

/// m_traverse: shows the collector what the state refers to.
///
/// # Safety
/// Called by CPython.
pub(super) unsafe extern "C" fn traverse(
    module: *mut ffi::PyObject,
    visit: ffi::visitproc,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: the module is alive during the visit; the state may not be there yet.
    let Some(state) = (unsafe { State::of(module) }) else { return 0 };
    let seen = |object: &Owned| {
        // SAFETY: a live object and the visitor's own argument.
        unsafe { visit(object.as_ptr(), argument) }
    };
    for object in [&state.plain, &state.directories, &state.paths, &state.expressions] {
        let stop = seen(object);
        if stop != 0 {
            return stop;
        }
    }
    // A part that is borrowed just now is skipped: what the collector is not shown, it takes for alive.
    if let Ok(shim) = state.shim.try_borrow() {
        let parts = shim.iter().flat_map(|shim| [&shim.load, &shim.blocked, &shim.apache, &shim.wsgi]);
        if let Some(stop) = parts.map(&seen).find(|&stop| stop != 0) {
            return stop;
        }
    }
    if let Ok(cache) = state.cache.try_borrow() {
        let modules = cache.handles().flat_map(|loaded| [&loaded.module, &loaded.name]);
        if let Some(stop) = modules.map(&seen).find(|&stop| stop != 0) {
            return stop;
        }
    }
    0
}

/// m_clear: gives up what can be part of a cycle.
///
/// # Safety
/// Called by CPython.
pub(super) unsafe extern "C" fn clear(module: *mut ffi::PyObject) -> c_int {
    // SAFETY: as in `traverse`; the GIL is held.
    let Some(state) = (unsafe { State::of(module) }) else { return 0 };
    // Taken out first and dropped after: dropping may run Python code that comes back here.
    let shim = state.shim.take();
    let modules = state.cache.try_borrow_mut().map(|mut cache| cache.take_all());
    drop((shim, modules));
    for names in [&state.plain, &state.directories, &state.paths, &state.expressions] {
        // SAFETY: a dict of ours.
        unsafe { ffi::PyDict_Clear(names.as_ptr()) };
    }
    0
}

/// m_free: the module object is going.
///
/// # Safety
/// Called by CPython.
pub(super) unsafe extern "C" fn free(module: *mut c_void) {
    // SAFETY: the room is still there if it ever was, and nobody comes for it any more.
    if let Some(slot) = unsafe { ffi::PyModule_GetState(module.cast()).cast::<Slot>().as_mut() } {
        drop(slot.take());
    }
}
