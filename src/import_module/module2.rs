//! The definition of the extension module `_modpython_core` for Python 2, and how it is made in an interpreter.
//!
//! A module of Python 2 has no state of its own; instead its functions are given one object that holds it, as their
//! `self`. It is never freed, as the interpreter is not.

#[cfg(lowered)]
use super::answers;
use super::functions::{SAME, functions};
use super::imports::Call;
use super::state::State;
use super::{
    call, files, first, frames, half_made, lists, locked, locks, noting, operations, pickles, run, siblings, steps,
    table,
};
use crate::python::exceptions::{Exception, raise};
use crate::python::ffi;
use crate::python::gil::{Gil, with_gil};
use crate::python::object::{Object, Owned};
use std::ffi::{CStr, c_int};
use std::ptr::{addr_of_mut, null_mut};

/// The name of the module in `sys.modules`.
pub(super) const NAME: &CStr = c"_modpython_core";

/// A function of the module out of a safe one, which takes its arguments as they are given here.
macro_rules! with_arguments {
    ($name:literal, $function:expr, $flags:expr, $doc:literal) => {{
        unsafe extern "C" fn call(
            core: *mut ffi::PyObject,
            args: *mut ffi::PyObject,
            keywords: *mut ffi::PyObject,
        ) -> *mut ffi::PyObject {
            // SAFETY: called by CPython, as METH_VARARGS: with a tuple, which it keeps during the call, and, only for
            // METH_KEYWORDS, with a dict or NULL; else with nothing more.
            unsafe {
                entered(core, |gil, state| {
                    let keywords = if $flags & ffi::METH_KEYWORDS == 0 { None } else { Object::new(keywords) };
                    let given = Call::new(Object::new(args)?, keywords);
                    let function: fn(&mut Gil, &State, &Call<'_>) -> Option<Owned> = $function;
                    function(gil, state, &given)
                })
            }
        }
        method($name, call, $flags, $doc)
    }};
}

/// The same of arguments one after the other.
macro_rules! many {
    ($name:literal, $function:path, $doc:literal) => {
        with_arguments!($name, |gil, state, given| $function(gil, state, given.items()), ffi::METH_VARARGS, $doc)
    };
}

/// The same of one argument.
macro_rules! one {
    ($name:literal, $function:path, $doc:literal) => {
        with_arguments!(
            $name,
            |gil, state, given| match given.items() {
                &[argument] => $function(gil, state, argument),
                given => not_so_many(gil, $name, 1, given.len()),
            },
            ffi::METH_VARARGS,
            $doc
        )
    };
}

/// The same of none.
macro_rules! none {
    ($name:literal, $function:path, $doc:literal) => {
        with_arguments!(
            $name,
            |gil, state, given| match given.items() {
                [] => $function(gil, state),
                given => not_so_many(gil, $name, 0, given.len()),
            },
            ffi::METH_VARARGS,
            $doc
        )
    };
}

/// The same with all that a call gives.
macro_rules! with_keywords {
    ($name:literal, $function:path, $doc:literal) => {
        with_arguments!($name, $function, ffi::METH_VARARGS | ffi::METH_KEYWORDS, $doc)
    };
}

fn not_so_many(gil: &Gil, name: &CStr, wanted: usize, given: usize) -> Option<Owned> {
    raise(gil, Exception::Type, &format!("{name:?} takes {wanted} arguments ({given} given)"))
}

/// Calls a function of the module, and gives CPython its answer: a new reference, or NULL with an exception set.
///
/// # Safety
/// Called by CPython, as a function of the module whose functions [`create`] has given `holder`: it holds the GIL, with
/// no exception pending.
#[inline]
unsafe fn entered(
    holder: *mut ffi::PyObject,
    function: impl FnOnce(&mut Gil, &State) -> Option<Owned>,
) -> *mut ffi::PyObject {
    // SAFETY: as the caller promises.
    unsafe { with_gil(|gil| function(gil, of(holder)?)) }.map_or(null_mut(), Owned::into_ptr)
}

const fn method(
    name: &'static CStr,
    function: ffi::PyCFunctionWithKeywords,
    flags: c_int,
    doc: &'static CStr,
) -> ffi::PyMethodDef {
    ffi::PyMethodDef { ml_name: name.as_ptr(), ml_meth: Some(function), ml_flags: flags, ml_doc: doc.as_ptr() }
}

static mut METHODS: [ffi::PyMethodDef; SAME + 9] = functions![
    ffi::PyMethodDef { ml_name: std::ptr::null(), ml_meth: None, ml_flags: 0, ml_doc: std::ptr::null() },
    with_keywords!(c"import_module", import_module, c"import_module(module_name, autoreload=1, log=0, path=None)\n\nThe module of that name, loaded if need be, and loaded again if its file has changed."),
    with_keywords!(c"__import__", siblings::import, c"__import__(name, globals={}, locals={}, fromlist=[], level=-1)"),
    with_keywords!(c"import_by_name", siblings::import_by_name, c"import_module(name, package=None)"),
    one!(c"private_names", noting::private_names, c"private_names(loader): what find_module() finds private names by"),
    many!(c"find_module", noting::find_module, c"find_module(name, path): finds nothing, and notes the file's version"),
    one!(c"imported", noting::imported, c"imported(file): the version that an import statement has begun to run"),
    many!(c"runners", frames::runners, c"runners(namespace, file): the threads that run its code: alive, gone"),
    one!(c"is_inside", half_made::is_inside, c"is_inside(file): this thread runs its code, and has got its module"),
];

/// Makes the module in the current interpreter, and enters it in `sys.modules`. None with an exception set on failure.
pub(super) fn create(gil: &Gil) -> Option<Owned> {
    let state = Box::into_raw(Box::new(State::new(gil, operations::perform)?));
    let doc = c"Locks and modules behind mod_python.apache.import_module; see modpython_core.";
    // SAFETY: the table and its texts live for ever, and so does the state. The first call gives a new reference or
    // NULL; what the second one has made is in `sys.modules`, and owned before anything else runs.
    unsafe {
        let holder = Owned::from_new(gil, ffi::PyCObject_FromVoidPtr(state.cast(), None))?;
        let methods = addr_of_mut!(METHODS).cast();
        let version = ffi::PYTHON_API_VERSION;
        let module = ffi::Py_InitModule4(NAME.as_ptr(), methods, doc.as_ptr(), holder.as_ptr(), version);
        Owned::from_borrowed(gil, module)
    }
}

/// `import_module`, with a tuple and a dict of arguments.
fn import_module(gil: &mut Gil, state: &State, given: &Call<'_>) -> Option<Owned> {
    call::import_module(gil, state, given.items(), given.named())
}

/// The state that the functions have been given.
///
/// # Safety
/// `holder` is what [`create`] has made.
#[inline]
unsafe fn of<'m>(holder: *mut ffi::PyObject) -> Option<&'m State> {
    // SAFETY: as the caller promises; a state is never freed.
    unsafe { ffi::PyCObject_AsVoidPtr(holder).cast::<State>().as_ref() }
}
