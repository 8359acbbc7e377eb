//! Drives the shim's generators, so that none of their frames is on the stack during a call.
//!
//! The run of a module's code, and what leads to it, is called by no function of the shim. Those on the way are
//! generators: each yields what is to be called next, gets its result, and is no frame on the stack meanwhile. So an
//! import of a sibling costs no more of Python's limit of frames than any other import, and no frame of ours is
//! between the importer and what it imports, in a traceback or where `warnings.warn` counts levels.
//!
//! A generator yields another one, or a tuple:
//!
//! | tuple | what is done |
//! |---|---|
//! | `None, x` | nothing; the result is `x`, or what that gives if it is such a generator |
//! | the name of an operation, and arguments | see `operations` |
//! | a function, and arguments | the function of importlib or a loader |
//!
//! The last result is the generator's own. A call that fails raises its exception at the yield. One that goes through a
//! generator has the traceback of before: the code in which it arose is on it, and not the way to there.
//!
//! In Python 2.4 a generator asks for its result: see `answers`.

#[cfg(lowered)]
use super::answers::{self, Answer};
use super::state::State;
use crate::python::errors::Pending;
use crate::python::exceptions::{Exception, is_pending, raise};
use crate::python::ffi;
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned, none};
use crate::python::{calls, sequence, text};

/// The last result of a function of the shim that has returned `answer`: the same, unless that is a generator of the
/// shim. None with an exception set, in both directions.
pub(super) fn finish(gil: &mut Gil, state: &State, answer: Option<Owned>) -> Option<Owned> {
    let answer = answer?;
    if is_driven(gil, state, &answer)? { drive(gil, state, answer) } else { Some(answer) }
}

/// Whether it is a generator of the shim's code: a site may have one of its own in `sys.modules`, in a module's place.
/// The attributes that are asked for are fields, and to read one runs no Python code.
#[inline(never)]
fn is_driven(gil: &Gil, state: &State, answer: &Owned) -> Option<bool> {
    if !answer.object().is_exactly(&raw mut ffi::PyGen_Type) {
        return Some(false);
    }
    let code = code_of(gil, state, answer)?;
    if code.is_none() {
        return Some(false);
    }
    let file = calls::attribute(gil, &code, &state.names.co_filename)?;
    Some(text::encoded(gil, &file)?.starts_with(b"modpython_core/"))
}

#[cfg(feature = "python3")]
fn code_of(gil: &Gil, state: &State, generator: &Owned) -> Option<Owned> {
    calls::attribute(gil, generator, &state.names.gi_code)
}

/// By its frame: 2.5 offers no other way. Python's None for a generator that has ended, which has no frame.
#[cfg(not(feature = "python3"))]
fn code_of(gil: &Gil, state: &State, generator: &Owned) -> Option<Owned> {
    let frame = calls::attribute(gil, generator, &state.names.gi_frame)?;
    if frame.is_none() { Some(frame) } else { calls::attribute(gil, &frame, &state.names.f_code) }
}

/// Drives a generator of the shim to its end.
///
/// It is called once more in each module that a module imports: like what leads from here to there, it is not inlined,
/// so that what is not needed meanwhile is off the thread's own stack.
#[inline(never)]
fn drive(gil: &mut Gil, state: &State, generator: Owned) -> Option<Owned> {
    // Those that wait for another of them are in a list, so that less of the thread's own stack is in use.
    let mut waiting = vec![generator];
    let mut last = Some(none(gil));
    while let Some(generator) = waiting.last() {
        let yielded = match &last {
            Some(result) => send(gil, state, generator, result),
            None => throw(gil, state, generator),
        };
        let Some(step) = yielded else {
            if is_pending(gil) {
                last = None;
            } else if last.is_none() {
                last = Some(none(gil));
            }
            waiting.pop();
            continue;
        };
        let given = only_given(gil, &step);
        let is_given = given.is_some();
        let step = given.unwrap_or(step);
        match is_driven(gil, state, &step) {
            Some(true) => {
                waiting.push(step);
                last = Some(none(gil));
            }
            Some(false) => last = if is_given { Some(step) } else { perform(gil, state, &step) },
            None => last = None,
        }
    }
    last
}

/// The object of a step that calls nothing.
fn only_given(gil: &Gil, step: &Owned) -> Option<Owned> {
    match *sequence::items(step) {
        [call, given] if call.is_none() => Some(given.clone_ref(gil)),
        _ => None,
    }
}

/// The step that the generator yields next. None at its end, or with an exception set.
#[inline(never)]
fn send(gil: &Gil, state: &State, generator: &Owned, result: &Owned) -> Option<Owned> {
    #[cfg(not(lowered))]
    let next = calls::call_method(gil, generator, &state.names.send, [result.object()]);
    #[cfg(lowered)]
    let next = answers::resume(gil, state, generator, Answer::Given(result.clone_ref(gil)));
    if next.is_none() {
        unless_at_its_end(gil, raised(gil));
    }
    next
}

/// The exception that has come out of a generator, taken off the thread.
fn raised(gil: &Gil) -> Pending {
    let error = Pending::take(gil);
    #[cfg(feature = "python3")]
    let error = error.into_raised(gil);
    error
}

/// Makes what has come out of a generator pending again, if it is not that it has come to its end.
fn unless_at_its_end(gil: &Gil, error: Pending) {
    // A StopIteration that code has raised has a traceback.
    if error.traceback(gil).is_some() || !error.is_of(gil, Exception::StopIteration) {
        error.restore(gil);
    }
}

/// Raises the pending exception in the generator, and gives the step that it yields then. None with an exception set:
/// the same, unless the generator has raised another.
#[cold]
#[inline(never)]
fn throw(gil: &Gil, state: &State, generator: &Owned) -> Option<Owned> {
    let thrown = Pending::take(gil);
    let (value, traceback) = (thrown.value().map(|value| value.clone_ref(gil)), thrown.traceback(gil));
    #[cfg(not(lowered))]
    let next = thrown.throw_into(gil, generator, &state.names.throw);
    #[cfg(lowered)]
    let next = answers::resume(gil, state, generator, Answer::Raised(thrown));
    if next.is_none() {
        let mut raised = raised(gil);
        if raised.value().map(Owned::as_ptr) == value.as_ref().map(Owned::as_ptr) {
            raised.set_traceback(gil, traceback);
            raised.restore(gil);
        } else {
            unless_at_its_end(gil, raised);
        }
    }
    next
}

#[inline(never)]
fn perform(gil: &mut Gil, state: &State, step: &Owned) -> Option<Owned> {
    let Some((&call, given)) = sequence::items(step).split_first() else {
        return raise(gil, Exception::System, "modpython-core: a step that is no tuple");
    };
    if !text::is_text(call) {
        return called(gil, call, step);
    }
    let name = text::encoded(gil, call)?;
    (state.operations)(gil, state, &name, given)
}

/// Calls a function that is not ours. `step` is the tuple of the function and its arguments.
#[inline(never)]
fn called(gil: &Gil, function: Object<'_>, step: &Owned) -> Option<Owned> {
    let given = sequence::rest(gil, step)?;
    let answer = calls::call_with_tuple(gil, function, &given);
    #[cfg(feature = "python3")]
    if answer.is_none() {
        super::traceback::cut_importlib_off(gil);
    }
    answer
}

/// `drive(answer)`: the last result of a function of the shim that has returned `answer`.
pub(super) fn drive_to_the_end(gil: &mut Gil, state: &State, answer: Object<'_>) -> Option<Owned> {
    let answer = answer.clone_ref(gil);
    finish(gil, state, Some(answer))
}
