//! The definition of the extension module `_modpython_core` for Python 2, and how it is made in an interpreter.
//!
//! A module of Python 2 has no state of its own; instead its functions are given one object that holds it, as their
//! `self`. It is never freed, as the interpreter is not.

#[cfg(lowered)]
use super::answers;
use super::exceptions::{Exception, raise};
use super::imports::Call;
use super::object::{Object, Owned};
use super::state::State;
use super::{
    files, first, frames, half_made, hit, lists, locked, locks, noting, operations, pickles, run, siblings, steps,
    table,
};
use crate::python::ffi;
use crate::python::gil::{Gil, with_gil};
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

static mut METHODS: [ffi::PyMethodDef; 36 + 2 * cfg!(lowered) as usize] = [
    with_keywords!(c"import_module", import_module, c"import_module(module_name, autoreload=1, log=0, path=None)\n\nThe module of that name, loaded if need be, and loaded again if its file has changed."),
    one!(c"install", super::install_named, c"install(name): puts import_module in the place of the module's own"),
    many!(c"setup", table::setup, c"setup(load, import_lock_edges, apache, wsgi, once_a_tick, stock_reloads)"),
    many!(c"hit", table::hit, c"hit(kind, where, name, autoreload): the module if it is at hand and fresh, else None"),
    many!(c"verdict", table::verdict, c"verdict(file, autoreload): ('hit' | 'load' | 'reload', served, sys_name, ran)"),
    many!(c"adopt", table::adopt, c"adopt(kind, where, name, file, module, sys_name, version): a plain import has run it"),
    many!(c"link", table::link, c"link(kind, where, name, file): the name, asked for there, means this file"),
    many!(c"hidden_file", table::hidden_file, c"hidden_file(kind, where, name): the file of a module that has hidden itself"),
    many!(c"refuse", table::refuse, c"refuse(kind, where, name, version): (module, news): that version of the file is not to be had"),
    with_keywords!(c"__import__", siblings::import, c"__import__(name, globals={}, locals={}, fromlist=[], level=-1)"),
    many!(c"exchange", lists::exchange, c"exchange(list, items): gives the list these items, and gives those that it had"),
    one!(c"watch_pickles", pickles::watch, c"watch_pickles(reader): what reads pickles asks the shim for modules"),
    many!(c"scope", siblings::scope, c"scope(sys_name, name, directory): that module is of a handler's directory"),
    with_keywords!(c"import_by_name", siblings::import_by_name, c"import_module(name, package=None)"),
    many!(c"watch_imports", siblings::watch_imports, c"watch_imports(builtins, owner, name, sibling, named, failed): puts ours in the place of Python's"),
    one!(c"private_names", noting::private_names, c"private_names(loader): what find_module() finds private names by"),
    one!(c"directory_of", siblings::directory_of, c"directory_of(name): the handler's directory that the module of that name is of"),
    one!(c"name_of", siblings::name_of, c"name_of(file): the name in sys.modules under which it runs or has run"),
    one!(c"running", table::running, c"running(file): the module in which it runs, or that it gave"),
    one!(c"is_running", table::is_running, c"is_running(file): whether a thread runs it"),
    one!(c"run_alone", first::run_alone, c"run_alone(file): others wait for the end of this request"),
    many!(c"await_first", first::await_first, c"await_first(kind, where, name, seconds)"),
    many!(c"claim", table::claim, c"claim(name, file): whether its load may have the name"),
    many!(c"locked", locked::locked, c"locked(file, real_file, decide, failed): decide(nested) under the lock of the file"),
    one!(c"version", files::version, c"version(file): of a name (bytes) or a descriptor, None if unseen"),
    many!(c"find_module", noting::find_module, c"find_module(name, path): finds nothing, and notes the file's version"),
    one!(c"imported", noting::imported, c"imported(file): the version that an import statement has begun to run"),
    many!(c"runners", frames::runners, c"runners(namespace, file): the threads that run its code: alive, gone"),
    one!(c"waiting", locks::waiting, c"waiting(file): how many threads wait for its load"),
    one!(c"is_complete", half_made::is_complete, c"is_complete(file): whether no other thread keeps its module back"),
    one!(c"is_inside", half_made::is_inside, c"is_inside(file): this thread runs its code, and has got its module"),
    #[cfg(lowered)]
    none!(c"answer", answers::answer, c"answer(): what the step has given, or raised, that the caller has yielded"),
    #[cfg(lowered)]
    none!(c"frames", frames::frames, c"frames(): the threads of the interpreter and their frames"),
    one!(c"drive", steps::drive_to_the_end, c"drive(answer): what a function of the shim gives in the end, that has returned this"),
    one!(c"waits", locks::waits, c"waits(thread): whether it waits for a lock"),
    none!(c"is_reloading", run::is_reloading, c"is_reloading(): whether this thread is running a module's code again"),
    none!(c"locks", locks::locks, c"locks(): how many locks are held in this process"),
    ffi::PyMethodDef { ml_name: std::ptr::null(), ml_meth: None, ml_flags: 0, ml_doc: std::ptr::null() },
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
    hit::import_module(gil, state, given.items(), given.named())
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
