//! The definition of the extension module `_modpython_core` for Python 2, and how it is made in an interpreter.
//!
//! A module of Python 2 has no state of its own; instead its functions are given one object that holds it, as their
//! `self`. It is never freed, as the interpreter is not.

use super::object::{Owned, arguments, raise};
use super::state::State;
use super::{
    files, first, frames, half_made, hit, lists, locked, locks, noting, operations, pickles, run, siblings, steps,
    table,
};
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

static mut METHODS: [ffi::PyMethodDef; 36] = [
    method(c"import_module", import_module, ffi::METH_VARARGS | ffi::METH_KEYWORDS, c"import_module(module_name, autoreload=1, log=0, path=None)\n\nThe module of that name, loaded if need be, and loaded again if its file has changed."),
    one!(c"install", super::install_named, 1, c"install(name): puts import_module in the place of the module's own"),
    many!(c"setup", table::setup, c"setup(load, blocked, apache, wsgi, once_a_tick, stock_reloads)"),
    many!(c"hit", table::hit, c"hit(kind, where, name, autoreload): the module if it is at hand and fresh, else None"),
    many!(c"verdict", table::verdict, c"verdict(file, autoreload): ('hit' | 'load' | 'reload', served, sys_name, ran)"),
    many!(c"adopt", table::adopt, c"adopt(kind, where, name, file, module, sys_name, version): a plain import has run it"),
    many!(c"link", table::link, c"link(kind, where, name, file): the name, asked for there, means this file"),
    many!(c"hidden_file", table::hidden_file, c"hidden_file(kind, where, name): the file of a module that has hidden itself"),
    many!(c"refuse", table::refuse, c"refuse(kind, where, name, version): (module, news): that version of the file is not to be had"),
    method(c"__import__", import, ffi::METH_VARARGS | ffi::METH_KEYWORDS, c"__import__(name, globals={}, locals={}, fromlist=[], level=-1)"),
    many!(c"exchange", lists::exchange, c"exchange(list, items): gives the list these items, and gives those that it had"),
    one!(c"watch_pickles", pickles::watch, 1, c"watch_pickles(reader): what reads pickles asks the shim for modules"),
    many!(c"scope", siblings::scope, c"scope(sys_name, name, directory): that module is of a handler's directory"),
    method(c"import_by_name", import_by_name, ffi::METH_VARARGS | ffi::METH_KEYWORDS, c"import_module(name, package=None)"),
    many!(c"watch_imports", siblings::watch_imports, c"watch_imports(builtins, owner, name, sibling, named, failed): puts ours in the place of Python's"),
    one!(c"private_names", noting::private_names, 1, c"private_names(loader): what find_module() finds private names by"),
    one!(c"directory_of", siblings::directory_of, 1, c"directory_of(name): the handler's directory that the module of that name is of"),
    one!(c"name_of", siblings::name_of, 1, c"name_of(file): the name in sys.modules under which it runs or has run"),
    one!(c"running", table::running, 1, c"running(file): the module in which it runs, or that it gave"),
    one!(c"is_running", table::is_running, 1, c"is_running(file): whether a thread runs it"),
    one!(c"run_alone", first::run_alone, 1, c"run_alone(file): others wait for the end of this request"),
    many!(c"await_first", first::await_first, c"await_first(kind, where, name, seconds)"),
    many!(c"claim", table::claim, c"claim(name, file): whether its load may have the name"),
    many!(c"locked", locked::locked, c"locked(file, real_file, decide, failed): decide(nested) under the lock of the file"),
    one!(c"version", files::version, 1, c"version(file): of a name (bytes) or a descriptor, None if unseen"),
    many!(c"find_module", noting::find_module, c"find_module(name, path): finds nothing, and notes the file's version"),
    one!(c"imported", noting::imported, 1, c"imported(file): the version that an import statement has begun to run"),
    many!(c"runners", frames::runners, c"runners(namespace, file): the threads that run its code: alive, gone"),
    one!(c"waiting", locks::waiting, 1, c"waiting(file): how many threads wait for its load"),
    one!(c"is_complete", half_made::is_complete, 1, c"is_complete(file): whether no other thread keeps its module back"),
    one!(c"is_inside", half_made::is_inside, 1, c"is_inside(file): this thread runs its code, and has got its module"),
    one!(c"drive", steps::drive_to_the_end, 1, c"drive(answer): what a function of the shim gives in the end, that has returned this"),
    one!(c"waits", locks::waits, 1, c"waits(thread): whether it waits for a lock"),
    one!(c"is_reloading", run::is_reloading, 0, c"is_reloading(): whether this thread is running a module's code again"),
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
        let state = Box::into_raw(Box::new(State::new(operations::perform)?));
        let holder = Owned::from_new(ffi::PyCObject_FromVoidPtr(state.cast(), None))?;
        let doc = c"Locks and modules behind mod_python.apache.import_module; see modpython_core.";
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

/// The state that the functions have been given.
///
/// # Safety
/// `holder` is what [`create`] has made.
#[inline]
pub(super) unsafe fn of<'m>(holder: *mut ffi::PyObject) -> Option<&'m State> {
    // SAFETY: as the caller promises; a state is never freed.
    unsafe { ffi::PyCObject_AsVoidPtr(holder).cast::<State>().as_ref() }
}
