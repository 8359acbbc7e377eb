//! The calls that take something, run the shim's code and give it back, with no bytecode between (I13): an exception
//! that a signal handler or a watchdog throws at any point leaves no lock behind.

use super::errors::Pending;
use super::half_made::Load;
use super::locks::{self, Turn};
use super::module;
use super::object::{Owned, exactly, file_name, none};
use super::question::Question;
use super::state::State;
use super::steps;
use crate::pathlock::Key;
use crate::python::ffi;
use std::ptr::null_mut;

/// `locked(file, real_file, decide, failed)`: `decide(nested)` under the lock of a file (bytes), and under that of the
/// file that it leads to if that is another (None if not). What it answers; None if another thread's attempt has gone
/// well meanwhile, and it is to be looked again; or what `failed(error)` has made of the error of another's.
///
/// `nested` says that this thread is running the file already, or that the thread which runs it waits for this one.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn locked(
    module: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some(given)) = (module::of(module), exactly("locked", args, nargs)) else {
            return null_mut();
        };
        locked_by(state, given).map_or(null_mut(), Owned::into_ptr)
    }
}

/// The same, for [`steps`], with its arguments in their order.
///
/// # Safety
/// The GIL is held and the arguments are alive.
#[inline(never)]
pub(super) unsafe fn locked_by(state: &State, given: [*mut ffi::PyObject; 4]) -> Option<Owned> {
    let [file, real, decide, failed] = given;
    // SAFETY: as the caller promises.
    unsafe {
        let file = file_name(file)?;
        let key = Key::new(state.interpreter, file.as_bytes());
        let question = Question::of_this_load();
        let load = Load::begin();
        let depth = match locks::take(state, &key) {
            Turn::Interrupted => return None,
            Turn::Told(failure) => {
                question.answered(failure.as_ref());
                return failure.or_else(|| Owned::from_new(none()));
            }
            Turn::Mine(depth) => {
                if depth > 1 {
                    load.is_inside(state, &key);
                }
                Some(depth)
            }
            Turn::Cycle => {
                load.goes_on_without(state, &key);
                None
            }
        };
        let answer = with_real_file(state, real, &load, || {
            let nested = Owned::from_new(ffi::PyBool_FromLong((depth != Some(1)).into()))?;
            let none = null_mut::<ffi::PyObject>();
            let decided = ffi::PyObject_CallFunctionObjArgs(decide, nested.as_ptr(), none);
            steps::finish(state, Owned::from_new(decided))
        });
        if depth == Some(1) {
            give_names_back(state, &file);
        }
        let mut failure = None;
        if answer.is_none() {
            let error = Pending::take();
            if let Some(value) = error.value() {
                let none = null_mut::<ffi::PyObject>();
                failure = Owned::from_new(ffi::PyObject_CallFunctionObjArgs(failed, value.as_ptr(), none));
                // An exception that comes now is dropped for the one that is on its way; who waited looks again.
                ffi::PyErr_Clear();
            }
            error.restore();
        }
        question.answered(failure.as_ref());
        if depth.is_some() {
            locks::finish(&key, failure);
        }
        if !load.end(state, &file, answer.is_some()) {
            return None;
        }
        answer
    }
}

/// The names that the load had claimed are `sys.modules`' to give now. An exception may be pending, and stays.
fn give_names_back(state: &State, file: &std::ffi::CStr) {
    if let Ok(mut modules) = state.modules.try_borrow_mut() {
        modules.give_back(file);
    }
}

/// A symbolic link has a module of its own, but shares the lock of the file it leads to.
///
/// # Safety
/// The GIL is held and `real` is alive.
unsafe fn with_real_file(
    state: &State,
    real: *mut ffi::PyObject,
    load: &Load,
    run: impl FnOnce() -> Option<Owned>,
) -> Option<Owned> {
    // SAFETY: as the caller promises.
    unsafe {
        if real == ffi::Py_None() {
            return run();
        }
        let key = Key::new(state.interpreter, file_name(real)?.as_bytes());
        let held = loop {
            match locks::take(state, &key) {
                // The attempt was one on another path to the file, whose module is another.
                Turn::Told(_) => {}
                Turn::Interrupted => return None,
                Turn::Mine(_) => break true,
                Turn::Cycle => {
                    load.goes_on_without(state, &key);
                    break false;
                }
            }
        };
        let answer = run();
        if held {
            locks::end(&key);
        }
        answer
    }
}
