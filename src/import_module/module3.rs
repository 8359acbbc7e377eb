//! The definition of the extension module `_modpython_core` for Python 3, and how it is made in an interpreter without
//! a file: by multi-phase initialisation, with a state per interpreter.

use super::imports::Imports;
use super::object::{Owned, arguments};
use super::state::State;
use super::{files, first, half_made, hit, lists, locked, locks, operations, pickles, run, siblings, steps, table};
use crate::python::ffi;
use std::ffi::{CStr, c_int, c_void};
use std::ptr::{addr_of_mut, null_mut};

/// The name of the module in `sys.modules`.
pub(super) const NAME: &CStr = c"_modpython_core";

const FAST: c_int = ffi::METH_FASTCALL;

const fn method(
    name: &'static CStr,
    function: ffi::PyMethodDefPointer,
    flags: c_int,
    doc: &'static CStr,
) -> ffi::PyMethodDef {
    ffi::PyMethodDef { ml_name: name.as_ptr(), ml_meth: function, ml_flags: flags, ml_doc: doc.as_ptr() }
}

const fn one(name: &'static CStr, function: ffi::PyCFunction, flags: c_int, doc: &'static CStr) -> ffi::PyMethodDef {
    method(name, ffi::PyMethodDefPointer { PyCFunction: function }, flags, doc)
}

const fn many(name: &'static CStr, function: ffi::PyCFunctionFast, doc: &'static CStr) -> ffi::PyMethodDef {
    method(name, ffi::PyMethodDefPointer { PyCFunctionFast: function }, FAST, doc)
}

static mut METHODS: [ffi::PyMethodDef; 32] = [
    method(
        c"import_module",
        ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: import_module },
        FAST | ffi::METH_KEYWORDS,
        // The two hyphens make it a signature for the module inspect.
        c"import_module(module_name, autoreload=1, log=0, path=None)\n--\n\nThe module of that name, loaded if need be, and loaded again if its file has changed.",
    ),
    one(c"install", super::install_named, ffi::METH_O, c"install(name): puts import_module in the place of the module's own"),
    many(c"setup", table::setup, c"setup(load, blocked, apache, wsgi, once_a_tick, stock_reloads)"),
    many(c"hit", table::hit, c"hit(kind, where, name, autoreload): the module if it is at hand and fresh, else None"),
    many(c"verdict", table::verdict, c"verdict(file, autoreload): ('hit' | 'load' | 'reload', served, sys_name, ran)"),
    many(c"adopt", table::adopt, c"adopt(kind, where, name, file, module, sys_name, version): a plain import has run it"),
    many(c"link", table::link, c"link(kind, where, name, file): the name, asked for there, means this file"),
    many(c"hidden_file", table::hidden_file, c"hidden_file(kind, where, name): the file of a module that has hidden itself"),
    many(c"refuse", table::refuse, c"refuse(kind, where, name, version): (module, news): that version of the file is not to be had"),
    method(
        c"__import__",
        ffi::PyMethodDefPointer { PyCFunctionWithKeywords: import },
        ffi::METH_VARARGS | ffi::METH_KEYWORDS,
        c"__import__($module, name, globals=None, locals=None, fromlist=(), level=0)\n--\n\nWhat an import statement calls.",
    ),
    method(
        c"import_by_name",
        ffi::PyMethodDefPointer { PyCFunctionWithKeywords: import_by_name },
        ffi::METH_VARARGS | ffi::METH_KEYWORDS,
        c"_gcd_import(name, package=None, level=0)",
    ),
    many(c"exchange", lists::exchange, c"exchange(list, items): gives the list these items, and gives those that it had"),
    one(c"watch_pickles", pickles::watch, ffi::METH_O, c"watch_pickles(reader): what reads pickles asks the shim for modules"),
    many(c"scope", siblings::scope, c"scope(sys_name, name, directory): that module is of a handler's directory"),
    many(c"watch_imports", siblings::watch_imports, c"watch_imports(builtins, owner, name, sibling, named, failed): puts ours in the place of Python's"),
    one(c"directory_of", siblings::directory_of, ffi::METH_O, c"directory_of(name): the handler's directory that the module of that name is of"),
    one(c"name_of", siblings::name_of, ffi::METH_O, c"name_of(file): the name in sys.modules under which it runs or has run"),
    one(c"running", table::running, ffi::METH_O, c"running(file): the module in which it runs, or that it gave"),
    one(c"is_running", table::is_running, ffi::METH_O, c"is_running(file): whether a thread runs it"),
    one(c"run_alone", first::run_alone, ffi::METH_O, c"run_alone(file): others wait for the end of this request"),
    many(c"await_first", first::await_first, c"await_first(kind, where, name, seconds)"),
    many(c"claim", table::claim, c"claim(name, file): whether its load may have the name"),
    many(c"locked", locked::locked, c"locked(file, real_file, decide, failed): decide(nested) under the lock of the file"),
    many(c"half_made", half_made::half_made, c"half_made(wait, name): an import statement got that one, and wait(name) waits for it"),
    one(c"version", files::version, ffi::METH_O, c"version(file): of a name (bytes) or a descriptor, None if unseen"),
    one(c"waiting", locks::waiting, ffi::METH_O, c"waiting(file): how many threads wait for its load"),
    one(c"is_complete", half_made::is_complete, ffi::METH_O, c"is_complete(file): whether no other thread keeps its module back"),
    one(c"drive", steps::drive_to_the_end, ffi::METH_O, c"drive(answer): what a function of the shim gives in the end, that has returned this"),
    one(c"waits", locks::waits, ffi::METH_O, c"waits(thread): whether it waits for a lock"),
    one(c"is_reloading", run::is_reloading, ffi::METH_NOARGS, c"is_reloading(): whether this thread is running a module's code again"),
    one(c"locks", locks::locks, ffi::METH_NOARGS, c"locks(): how many locks are held in this process"),
    ffi::PyMethodDef::zeroed(),
];

#[cfg(Py_3_12)]
static mut SLOTS: [ffi::PyModuleDef_Slot; 3] = [
    ffi::PyModuleDef_Slot { slot: ffi::Py_mod_exec, value: execute as *mut c_void },
    // All of a State is reached under the GIL of its interpreter; the lock table has a mutex of its own.
    ffi::PyModuleDef_Slot { slot: ffi::Py_mod_multiple_interpreters, value: ffi::Py_MOD_PER_INTERPRETER_GIL_SUPPORTED },
    ffi::PyModuleDef_Slot { slot: 0, value: null_mut() },
];

#[cfg(not(Py_3_12))]
static mut SLOTS: [ffi::PyModuleDef_Slot; 2] = [
    ffi::PyModuleDef_Slot { slot: ffi::Py_mod_exec, value: execute as *mut c_void },
    ffi::PyModuleDef_Slot { slot: 0, value: null_mut() },
];

/// Static, as CPython wants it: it is the same for every interpreter, and CPython writes only its own head into it.
static mut DEFINITION: ffi::PyModuleDef = ffi::PyModuleDef {
    m_base: ffi::PyModuleDef_HEAD_INIT,
    m_name: NAME.as_ptr(),
    m_doc: c"Locks and modules behind mod_python.apache.import_module; see modpython_core.".as_ptr(),
    m_size: SIZE,
    m_methods: addr_of_mut!(METHODS).cast(),
    m_slots: addr_of_mut!(SLOTS).cast(),
    m_traverse: Some(traverse),
    m_clear: Some(clear),
    m_free: Some(free),
};

/// Makes the module in the current interpreter, through a spec as importlib would (multi-phase initialisation). None
/// with an exception set on failure.
///
/// # Safety
/// The GIL is held.
pub(super) unsafe fn create() -> Option<Owned> {
    // SAFETY: each call gets live objects; the definition lives for ever, and is not written to by us.
    unsafe {
        let machinery = Owned::from_new(ffi::PyImport_ImportModule(c"importlib.machinery".as_ptr()))?;
        let spec = Owned::from_new(ffi::PyObject_CallMethod(
            machinery.as_ptr(),
            c"ModuleSpec".as_ptr(),
            c"sO".as_ptr(),
            NAME.as_ptr(),
            ffi::Py_None(),
        ))?;
        let definition = addr_of_mut!(DEFINITION);
        ffi::PyModuleDef_Init(definition);
        let module = Owned::from_new(ffi::PyModule_FromDefAndSpec(definition, spec.as_ptr()))?;
        if ffi::PyObject_SetAttrString(module.as_ptr(), c"__spec__".as_ptr(), spec.as_ptr()) < 0 {
            return None;
        }
        (ffi::PyModule_ExecDef(module.as_ptr(), definition) == 0).then_some(module)
    }
}

/// `import_module` by the vectorcall protocol.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL | METH_KEYWORDS.
unsafe extern "C" fn import_module(
    module: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL: `nargs` positional arguments, then one value per keyword.
    unsafe {
        let Some(state) = of(module) else { return null_mut() };
        let count = if keywords.is_null() { 0 } else { ffi::PyTuple_GET_SIZE(keywords) };
        let (positional, values) = arguments(args, nargs + count).split_at(nargs.unsigned_abs());
        let named = (0..).zip(values).map(|(at, &value)| (ffi::PyTuple_GET_ITEM(keywords, at), value));
        hit::import_module(state, positional, named)
    }
}

/// `__import__`, with a tuple and a dict of arguments.
///
/// # Safety
/// Called by CPython, as METH_VARARGS | METH_KEYWORDS.
unsafe extern "C" fn import(
    module: *mut ffi::PyObject,
    args: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe { of(module).map_or(null_mut(), |state| siblings::import(state, args, keywords)) }
}

/// What `importlib.import_module` imports by, likewise.
///
/// # Safety
/// As [`import`].
unsafe extern "C" fn import_by_name(
    module: *mut ffi::PyObject,
    args: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe { of(module).map_or(null_mut(), |state| siblings::import_by_name(state, args, keywords)) }
}

/// The state of `module`. None after the collector has cleared it, in an interpreter that is ending.
///
/// # Safety
/// `module` is this extension's module, alive for `'m`, and the GIL is held.
#[inline]
pub(super) unsafe fn of<'m>(module: *mut ffi::PyObject) -> Option<&'m State> {
    // SAFETY: CPython gives the zeroed room of `m_size` bytes, in which `execute` puts a Box; zero is None. Before
    // it has made the room, a collection gets NULL.
    unsafe { ffi::PyModule_GetState(module).cast::<Slot>().as_ref()?.as_deref() }
}

/// What CPython keeps room for in the module object. A Box, so that zeroed memory is None.
type Slot = Option<Box<State>>;

/// The size of that room.
const SIZE: ffi::Py_ssize_t = size_of::<Slot>() as ffi::Py_ssize_t;

/// Py_mod_exec: makes the state.
///
/// # Safety
/// Called by CPython.
unsafe extern "C" fn execute(module: *mut ffi::PyObject) -> c_int {
    // SAFETY: the GIL is held; the room is ours alone while the module is being made.
    unsafe {
        let Some(state) = State::new(operations::perform) else { return -1 };
        *ffi::PyModule_GetState(module).cast::<Slot>() = Some(Box::new(state));
    }
    0
}

/// m_traverse: shows the collector what the state refers to.
///
/// # Safety
/// Called by CPython.
unsafe extern "C" fn traverse(module: *mut ffi::PyObject, visit: ffi::visitproc, argument: *mut c_void) -> c_int {
    // SAFETY: the module is alive during the visit; the state may not be there yet.
    let Some(state) = (unsafe { of(module) }) else { return 0 };
    let seen = |object: &Owned| {
        // SAFETY: a live object and the visitor's own argument.
        unsafe { visit(object.as_ptr(), argument) }
    };
    for object in [&state.plain, &state.directories, &state.paths, &state.expressions, &state.scopes, &state.contested]
    {
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
    if let Ok(imports) = state.imports.try_borrow() {
        if let Some(stop) = imports.iter().flat_map(Imports::all).map(&seen).find(|&stop| stop != 0) {
            return stop;
        }
    }
    if let Ok(cache) = state.modules.try_borrow() {
        let modules = cache.handles().flat_map(|loaded| [&loaded.module, &loaded.ran, &loaded.name]);
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
unsafe extern "C" fn clear(module: *mut ffi::PyObject) -> c_int {
    // SAFETY: as in `traverse`; the GIL is held.
    let Some(state) = (unsafe { of(module) }) else { return 0 };
    // Taken out first and dropped after: dropping may run Python code that comes back here.
    let (shim, imports) = (state.shim.take(), state.imports.take());
    let modules = state.modules.try_borrow_mut().map(|mut cache| cache.take_all());
    drop((shim, imports, modules));
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
unsafe extern "C" fn free(module: *mut c_void) {
    // SAFETY: the room is still there if it ever was, and nobody comes for it any more.
    if let Some(slot) = unsafe { ffi::PyModule_GetState(module.cast()).cast::<Slot>().as_mut() } {
        drop(slot.take());
    }
}
