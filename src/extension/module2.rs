//! The definition of the extension module `_modpython_core` for Python 2, and how it is made in an interpreter.
//!
//! A module of Python 2 has no state of its own; instead its functions are given one object that holds it, as their
//! `self`. It is never freed, as the interpreter is not.

use super::object::{Owned, arguments, raise};
use super::state::State;
use super::{cache, files, frames, hit, locks};
use crate::python::ffi;
use std::ffi::{CStr, c_int};
use std::ptr::{addr_of_mut, null_mut};

/// The name of the module in `sys.modules`.
pub(super) const NAME: &CStr = c"_modpython_core";

/// A function for METH_VARARGS out of one for the vectorcall protocol, which Python 2 has not.
macro_rules! many {
    ($name:literal, $function:path, $doc:literal) => {{
        unsafe extern "C" fn call(
            module: *mut ffi::PyObject,
            args: *mut ffi::PyObject,
            _: *mut ffi::PyObject,
        ) -> *mut ffi::PyObject {
            // SAFETY: CPython gives a live tuple and holds the GIL.
            unsafe { $function(module, ffi::tuple_items(args).cast_mut(), ffi::PyTuple_Size(args)) }
        }
        method($name, call, ffi::METH_VARARGS, $doc)
    }};
}

/// The same for a function of one argument, or of none, which then gets NULL.
macro_rules! one {
    ($name:literal, $function:path, $arguments:literal, $doc:literal) => {{
        unsafe extern "C" fn call(
            module: *mut ffi::PyObject,
            args: *mut ffi::PyObject,
            _: *mut ffi::PyObject,
        ) -> *mut ffi::PyObject {
            // SAFETY: CPython gives a live tuple and holds the GIL.
            unsafe {
                match (arguments(ffi::tuple_items(args), ffi::PyTuple_Size(args)), $arguments) {
                    (&[argument], 1) => $function(module, argument),
                    (&[], 0) => $function(module, null_mut()),
                    (given, wanted) => {
                        let text = format!("{:?} takes {wanted} arguments ({} given)", $name, given.len());
                        raise(ffi::PyExc_TypeError, &text);
                        null_mut()
                    }
                }
            }
        }
        method($name, call, ffi::METH_VARARGS, $doc)
    }};
}

const fn method(
    name: &'static CStr,
    function: ffi::PyCFunctionWithKeywords,
    flags: c_int,
    doc: &'static CStr,
) -> ffi::PyMethodDef {
    ffi::PyMethodDef { ml_name: name.as_ptr(), ml_meth: Some(function), ml_flags: flags, ml_doc: doc.as_ptr() }
}

static mut METHODS: [ffi::PyMethodDef; 16] = [
    method(c"import_module", import_module, ffi::METH_VARARGS | ffi::METH_KEYWORDS, c"import_module(module_name, autoreload=1, log=0, path=None)\n\nThe module of that name, loaded if need be, and loaded again if its file has changed."),
    one!(c"install", super::install_named, 1, c"install(name): puts import_module in the place of the module's own"),
    many!(c"setup", cache::setup, c"setup(load, blocked, apache, wsgi)"),
    many!(c"hit", cache::hit, c"hit(kind, where, name, autoreload): the module if it is at hand and fresh, else None"),
    many!(c"verdict", cache::verdict, c"verdict(file, autoreload): ('hit' | 'load' | 'reload', module, sys_name)"),
    many!(c"publish", cache::publish, c"publish(kind, where, name, file, module, sys_name, version)"),
    many!(c"link", cache::link, c"link(kind, where, name, file): the name, asked for there, means this file"),
    many!(c"set_loading", cache::set_loading, c"set_loading(file, flag): whether its code is running again"),
    one!(c"begin", locks::begin, 1, c"begin(file): times held, 0 for a cycle, or what finish() told"),
    one!(c"end", locks::end, 1, c"end(file): the longest-waiting thread gets the lock"),
    many!(c"finish", locks::finish, c"finish(file, outcome): whoever waited is told, nobody gets the lock"),
    one!(c"version", files::version, 1, c"version(file): of a name (bytes) or a descriptor, None if unseen"),
    one!(c"runners", frames::runners, 1, c"runners(namespace): the threads that run a module's code in these globals"),
    one!(c"waiting", locks::waiting, 1, c"waiting(file): how many threads wait for its lock"),
    one!(c"locks", locks::locks, 0, c"locks(): how many locks are held in this process"),
    ffi::PyMethodDef { ml_name: std::ptr::null(), ml_meth: None, ml_flags: 0, ml_doc: std::ptr::null() },
];

/// Makes the module in the current interpreter, and enters it in `sys.modules`. None with an exception set on failure.
///
/// # Safety
/// The GIL is held.
pub(super) unsafe fn create() -> Option<Owned> {
    // SAFETY: the GIL is held; the table and its texts live for ever, and so does the state.
    unsafe {
        let state = Box::into_raw(Box::new(State::new()?));
        let holder = Owned::from_new(ffi::PyCObject_FromVoidPtr(state.cast(), None))?;
        let doc = c"Locks and cache behind mod_python.apache.import_module; see modpython_core.";
        Owned::from_borrowed(ffi::Py_InitModule4(
            NAME.as_ptr(),
            addr_of_mut!(METHODS).cast(),
            doc.as_ptr(),
            holder.as_ptr(),
            ffi::PYTHON_API_VERSION,
        ))
    }
}

/// `import_module`, with a tuple and a dict of arguments.
///
/// # Safety
/// Called by CPython, as METH_VARARGS | METH_KEYWORDS.
unsafe extern "C" fn import_module(
    module: *mut ffi::PyObject,
    args: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let Some(state) = of(module) else { return null_mut() };
        let positional = arguments(ffi::tuple_items(args), ffi::PyTuple_Size(args));
        let mut position = 0;
        let named = std::iter::from_fn(|| {
            let (mut name, mut value) = (null_mut(), null_mut());
            let more = !keywords.is_null()
                && ffi::PyDict_Next(keywords, &raw mut position, &raw mut name, &raw mut value) != 0;
            more.then_some((name, value))
        });
        hit::import_module(state, positional, named)
    }
}

/// The state that the functions have been given.
///
/// # Safety
/// `holder` is what [`create`] has made.
#[inline]
pub(super) unsafe fn of<'m>(holder: *mut ffi::PyObject) -> Option<&'m State> {
    // SAFETY: as the caller promises; a state is never freed.
    unsafe { ffi::PyCObject_AsVoidPtr(holder).cast::<State>().as_ref() }
}
