//! The definition of the extension module `_modpython_core` for Python 3, and how it is made in an interpreter without
//! a file: by multi-phase initialisation, with a state per interpreter.

use super::functions::{SAME, functions};
use super::imports::{Call, Imports};
use super::state::State;
use super::{
    call, extensions, files, first, half_made, lists, locked, locks, operations, pickles, run, siblings, steps, table,
};
use crate::python::ffi;
use crate::python::gil::{Gil, with_gil};
use crate::python::object::{Object, Owned};
use crate::python::{calls, dict, sequence};
use std::ffi::{CStr, c_int, c_void};
use std::ptr::{addr_of_mut, null_mut};

/// The name of the module in `sys.modules`.
pub(super) const NAME: &CStr = c"_modpython_core";

const FAST: c_int = ffi::METH_FASTCALL;

/// A function of the module out of a safe one, whose arguments CPython gives one after the other.
macro_rules! many {
    ($name:literal, $function:path, $doc:literal) => {{
        unsafe extern "C" fn call(
            core: *mut ffi::PyObject,
            args: *mut *mut ffi::PyObject,
            nargs: ffi::Py_ssize_t,
        ) -> *mut ffi::PyObject {
            // SAFETY: called by CPython, as METH_FASTCALL: with so many arguments, which it keeps during the call.
            unsafe { entered(core, |gil, state| $function(gil, state, Object::many(args, nargs))) }
        }
        method($name, ffi::PyMethodDefPointer { PyCFunctionFast: call }, FAST, $doc)
    }};
}

/// The same of one argument.
macro_rules! one {
    ($name:literal, $function:path, $doc:literal) => {{
        unsafe extern "C" fn call(core: *mut ffi::PyObject, given: *mut ffi::PyObject) -> *mut ffi::PyObject {
            // SAFETY: called by CPython, as METH_O: with an argument, which it keeps during the call.
            unsafe { entered(core, |gil, state| $function(gil, state, Object::new(given)?)) }
        }
        method($name, ffi::PyMethodDefPointer { PyCFunction: call }, ffi::METH_O, $doc)
    }};
}

/// The same of none.
macro_rules! none {
    ($name:literal, $function:path, $doc:literal) => {{
        unsafe extern "C" fn call(core: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
            // SAFETY: called by CPython, as METH_NOARGS.
            unsafe { entered(core, |gil, state| $function(gil, state)) }
        }
        method($name, ffi::PyMethodDefPointer { PyCFunction: call }, ffi::METH_NOARGS, $doc)
    }};
}

/// The same with a tuple of arguments, and a dict of those that are given by name.
macro_rules! with_keywords {
    ($name:literal, $function:path, $doc:literal) => {{
        unsafe extern "C" fn call(
            core: *mut ffi::PyObject,
            args: *mut ffi::PyObject,
            keywords: *mut ffi::PyObject,
        ) -> *mut ffi::PyObject {
            // SAFETY: called by CPython, as METH_VARARGS | METH_KEYWORDS: with a tuple, and a dict or NULL, which it
            // keeps during the call.
            unsafe {
                entered(core, |gil, state| {
                    let given = Call::new(Object::new(args)?, Object::new(keywords));
                    $function(gil, state, &given)
                })
            }
        }
        let flags = ffi::METH_VARARGS | ffi::METH_KEYWORDS;
        method($name, ffi::PyMethodDefPointer { PyCFunctionWithKeywords: call }, flags, $doc)
    }};
}

const fn method(
    name: &'static CStr,
    function: ffi::PyMethodDefPointer,
    flags: c_int,
    doc: &'static CStr,
) -> ffi::PyMethodDef {
    ffi::PyMethodDef { ml_name: name.as_ptr(), ml_meth: function, ml_flags: flags, ml_doc: doc.as_ptr() }
}

/// Calls a function of the module, and gives CPython its answer: a new reference, or NULL with an exception set.
///
/// # Safety
/// Called by CPython, as a function of `core`, which is this extension's module: it holds the GIL, with no exception
/// pending, and keeps the module during the call.
#[inline]
unsafe fn entered(
    core: *mut ffi::PyObject,
    function: impl FnOnce(&mut Gil, &State) -> Option<Owned>,
) -> *mut ffi::PyObject {
    // SAFETY: as the caller promises.
    unsafe { with_gil(|gil| function(gil, of(core)?)) }.map_or(null_mut(), Owned::into_ptr)
}

static mut METHODS: [ffi::PyMethodDef; SAME + 6] = functions![
    ffi::PyMethodDef::zeroed(),
    method(
        c"import_module",
        ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: import_module },
        FAST | ffi::METH_KEYWORDS,
        // The two hyphens make it a signature for the module inspect.
        c"import_module(module_name, autoreload=1, log=0, path=None)\n--\n\nThe module of that name, loaded if need be, and loaded again if its file has changed.",
    ),
    with_keywords!(
        c"__import__",
        siblings::import,
        c"__import__($module, name, globals=None, locals=None, fromlist=(), level=0)\n--\n\nWhat an import statement calls."
    ),
    with_keywords!(c"import_by_name", siblings::import_by_name, c"_gcd_import(name, package=None, level=0)"),
    many!(c"create_extension", extensions::create_extension, c"create_extension(create, attribute, spec, file): create(spec, file); others wait for the first in the process"),
    many!(c"half_made", half_made::half_made, c"half_made(wait, name): an import statement got that one, and wait(name) waits for it"),
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
pub(super) fn create(gil: &Gil) -> Option<Owned> {
    // SAFETY: a name that lives as long as the call; a new reference or NULL.
    let machinery = unsafe { Owned::from_new(gil, ffi::PyImport_ImportModule(c"importlib.machinery".as_ptr())) }?;
    let definition = addr_of_mut!(DEFINITION);
    // SAFETY: each call gets live objects, of which the format names a string and one; the definition lives for ever,
    // and is not written to by us. Each gives a new reference or NULL.
    let (module, spec) = unsafe {
        let (method, format) = (c"ModuleSpec".as_ptr(), c"sO".as_ptr());
        let spec = ffi::PyObject_CallMethod(machinery.as_ptr(), method, format, NAME.as_ptr(), ffi::Py_None());
        let spec = Owned::from_new(gil, spec)?;
        ffi::PyModuleDef_Init(definition);
        (Owned::from_new(gil, ffi::PyModule_FromDefAndSpec(definition, spec.as_ptr()))?, spec)
    };
    if !calls::set_attribute_named(gil, &module, c"__spec__", &spec) {
        return None;
    }
    // SAFETY: the module has been made from that definition.
    unsafe { ffi::PyModule_ExecDef(module.as_ptr(), definition) == 0 }.then_some(module)
}

/// `import_module` by the vectorcall protocol.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL | METH_KEYWORDS.
unsafe extern "C" fn import_module(
    core: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as the caller promises: `nargs` positional arguments, then one value per keyword of a tuple of them, or
    // NULL. CPython keeps them all during the call.
    unsafe {
        entered(core, |gil, state| {
            let names = Object::new(keywords).map_or(&[][..], sequence::items);
            let given = Object::many(args, nargs + names.len() as ffi::Py_ssize_t);
            let (positional, values) = given.split_at(nargs.unsigned_abs());
            call::import_module(gil, state, positional, names.iter().copied().zip(values.iter().copied()))
        })
    }
}

/// The state of `module`. None after the collector has cleared it, in an interpreter that is ending.
///
/// # Safety
/// `module` is this extension's module, alive for `'m`, and the GIL is held.
#[inline]
unsafe fn of<'m>(module: *mut ffi::PyObject) -> Option<&'m State> {
    // SAFETY: CPython gives the zeroed memory of `m_size` bytes, in which `execute` puts a Box; zero is None. Before
    // it has made that memory, a collection gets NULL.
    unsafe { ffi::PyModule_GetState(module).cast::<Slot>().as_ref()?.as_deref() }
}

/// CPython keeps memory for it in the module object. A Box, so that zeroed memory is None.
type Slot = Option<Box<State>>;

/// The size of that memory, in bytes.
const SIZE: ffi::Py_ssize_t = size_of::<Slot>() as ffi::Py_ssize_t;

/// Py_mod_exec: makes the state.
///
/// # Safety
/// Called by CPython.
unsafe extern "C" fn execute(module: *mut ffi::PyObject) -> c_int {
    // SAFETY: CPython holds the GIL; the memory is ours alone while the module is being made.
    unsafe {
        let Some(state) = with_gil(|gil| State::new(gil, operations::perform)) else { return -1 };
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
    // A part that is borrowed just now is skipped: the collector takes an object that it is not shown for alive.
    if let Ok(shim) = state.shim.try_borrow() {
        let parts = shim.iter().flat_map(|shim| [&shim.load, &shim.import_lock_edges, &shim.apache, &shim.wsgi]);
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
        // SAFETY: the GIL is held, as above.
        unsafe { with_gil(|gil| dict::clear(gil, names)) };
    }
    0
}

/// m_free: the module object is going.
///
/// # Safety
/// Called by CPython.
unsafe extern "C" fn free(module: *mut c_void) {
    // SAFETY: the memory is still there if it ever was, and nobody uses it any more.
    if let Some(slot) = unsafe { ffi::PyModule_GetState(module.cast()).cast::<Slot>().as_mut() } {
        drop(slot.take());
    }
}
