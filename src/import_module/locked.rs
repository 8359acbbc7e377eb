//! The calls that take something, run the shim's code and give it back, with no bytecode between (I13): an exception
//! that a signal handler or a watchdog throws at any point leaves no lock behind.

use super::half_made::Load;
use super::locks::{self, Turn};
use super::question::Question;
use super::state::State;
use super::steps;
use crate::pathlock::Key;
use crate::python::errors::Pending;
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned, none};
use crate::python::values::{boolean, exactly, file_name};
use crate::python::{calls, exceptions};

/// `locked(file, real_file, decide, failed)`: `decide(nested)` under the lock of a file (bytes), and under that of the
/// file that it leads to if that is another (None if not). Gives its answer; None if another thread's attempt has
/// gone well meanwhile, and the caller has to look again; or the result of `failed(error)`, where that attempt failed.
///
/// `nested` says that this thread is running the file already, or that the thread which runs it waits for this one.
pub(super) fn locked(gil: &mut Gil, state: &State, given: &[Object<'_>]) -> Option<Owned> {
    let given = exactly(gil, "locked", given)?;
    locked_by(gil, state, given)
}

/// The same, for [`steps`], with its arguments in their order.
#[inline(never)]
pub(super) fn locked_by(gil: &mut Gil, state: &State, given: [Object<'_>; 4]) -> Option<Owned> {
    let [file, real, decide, failed] = given;
    let file = file_name(gil, file)?;
    let key = Key::new(state.interpreter, file.as_bytes());
    let question = Question::of_this_load();
    let load = Load::begin();
    let depth = match locks::take(gil, state, &key) {
        Turn::Interrupted => return None,
        Turn::Told(failure) => {
            question.answered(gil, failure.as_ref());
            return failure.or_else(|| Some(none(gil)));
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
    let answer = with_real_file(gil, state, real, &load, |gil| {
        let nested = boolean(gil, depth != Some(1))?;
        let decided = calls::call(gil, decide, [nested.object()]);
        steps::finish(gil, state, decided)
    });
    if depth == Some(1) {
        give_names_back(state, &file);
    }
    let mut failure = None;
    if answer.is_none() {
        let error = Pending::take(gil);
        if let Some(value) = error.raised_string(gil).or(error.value()) {
            failure = calls::call(gil, failed, [value.object()]);
            // An exception that comes now is dropped for the one that is on its way; threads that waited look again.
            exceptions::clear(gil);
        }
        error.restore(gil);
    }
    question.answered(gil, failure.as_ref());
    if depth.is_some() {
        locks::finish(&key, failure);
    }
    if !load.end(gil, state, &file, answer.is_some()) {
        return None;
    }
    answer
}

/// The names that the load had claimed are `sys.modules`' to give now. An exception may be pending, and stays.
fn give_names_back(state: &State, file: &std::ffi::CStr) {
    if let Ok(mut modules) = state.modules.try_borrow_mut() {
        modules.give_back(file);
    }
}

/// A symbolic link has a module of its own, but shares the lock of the file it leads to.
fn with_real_file(
    gil: &mut Gil,
    state: &State,
    real: Object<'_>,
    load: &Load,
    run: impl FnOnce(&mut Gil) -> Option<Owned>,
) -> Option<Owned> {
    if real.is_none() {
        return run(gil);
    }
    let key = Key::new(state.interpreter, file_name(gil, real)?.as_bytes());
    let held = loop {
        match locks::take(gil, state, &key) {
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
    let answer = run(gil);
    if held {
        locks::end(&key);
    }
    answer
}
