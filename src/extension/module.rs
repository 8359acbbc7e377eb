//! The definition of the extension module `_modpython_core`, and how it is made in an interpreter without a file.

use super::object::Owned;
use super::{cache, files, hit, locks, state};
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

static mut METHODS: [ffi::PyMethodDef; 14] = [
    method(
        c"import_module",
        ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: hit::import_module },
        FAST | ffi::METH_KEYWORDS,
        c"import_module(module_name, autoreload=1, log=0, path=None)\n\nThe module of that name, loaded if need be, and loaded again if its file has changed.",
    ),
    many(c"setup", cache::setup, c"setup(load, blocked, apache, wsgi)"),
    many(c"hit", cache::hit, c"hit(kind, where, name, autoreload): the module if it is at hand and fresh, else None"),
    many(c"verdict", cache::verdict, c"verdict(file, autoreload): ('hit' | 'load' | 'reload', module, sys_name)"),
    many(c"publish", cache::publish, c"publish(kind, where, name, file, module, sys_name, version)"),
    many(c"link", cache::link, c"link(kind, where, name, file): the name, asked for there, means this file"),
    many(c"set_loading", cache::set_loading, c"set_loading(file, flag): whether its code is running again"),
    one(c"begin", locks::begin, ffi::METH_O, c"begin(file): times held, 0 for a cycle, or what finish() told"),
    one(c"end", locks::end, ffi::METH_O, c"end(file): the longest-waiting thread gets the lock"),
    many(c"finish", locks::finish, c"finish(file, outcome): whoever waited is told, nobody gets the lock"),
    one(c"version", files::version, ffi::METH_O, c"version(file): of a name (bytes) or a descriptor, None if unseen"),
    one(c"waiting", locks::waiting, ffi::METH_O, c"waiting(file): how many threads wait for its lock"),
    one(c"locks", locks::locks, ffi::METH_NOARGS, c"locks(): how many locks are held in this process"),
    ffi::PyMethodDef::zeroed(),
];

#[cfg(Py_3_12)]
static mut SLOTS: [ffi::PyModuleDef_Slot; 3] = [
    ffi::PyModuleDef_Slot { slot: ffi::Py_mod_exec, value: state::execute as *mut c_void },
    // All of a State is reached under the GIL of its interpreter; the lock table has a mutex of its own.
    ffi::PyModuleDef_Slot { slot: ffi::Py_mod_multiple_interpreters, value: ffi::Py_MOD_PER_INTERPRETER_GIL_SUPPORTED },
    ffi::PyModuleDef_Slot { slot: 0, value: null_mut() },
];

#[cfg(not(Py_3_12))]
static mut SLOTS: [ffi::PyModuleDef_Slot; 2] = [
    ffi::PyModuleDef_Slot { slot: ffi::Py_mod_exec, value: state::execute as *mut c_void },
    ffi::PyModuleDef_Slot { slot: 0, value: null_mut() },
];

/// Static, as CPython wants it: it is the same for every interpreter, and CPython writes only its own head into it.
static mut DEFINITION: ffi::PyModuleDef = ffi::PyModuleDef {
    m_base: ffi::PyModuleDef_HEAD_INIT,
    m_name: NAME.as_ptr(),
    m_doc: c"Locks and cache behind mod_python.apache.import_module; see modpython_core.".as_ptr(),
    m_size: state::SIZE,
    m_methods: addr_of_mut!(METHODS).cast(),
    m_slots: addr_of_mut!(SLOTS).cast(),
    m_traverse: Some(state::traverse),
    m_clear: Some(state::clear),
    m_free: Some(state::free),
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
