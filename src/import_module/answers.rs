//! How a generator of the shim is told what it has called gave, in Python 2.4: one cannot be sent a value there, and no
//! exception can be raised in it from outside. It is asked for the next step, and asks for its answer itself.

use super::state::State;
use crate::python::calls;
use crate::python::errors::Pending;
use crate::python::exceptions::{Exception, raise};
use crate::python::gil::Gil;
use crate::python::object::Owned;
use std::cell::Cell;
use std::mem::ManuallyDrop;

/// The outcome of a step.
pub(super) enum Answer {
    Given(Owned),
    Raised(Pending),
}

thread_local! {
    /// For the generator that this thread is about to go on with. The end of a thread, which has no GIL, does not drop
    /// it, and need not: `resume` leaves nothing in it.
    static ANSWER: Cell<Option<ManuallyDrop<Answer>>> = const { Cell::new(None) };
}

/// Gives the generator that answer, and gets the next step that it yields. None at its end, or with an exception set.
pub(super) fn resume(gil: &Gil, state: &State, generator: &Owned, answer: Answer) -> Option<Owned> {
    let outer = ANSWER.replace(Some(ManuallyDrop::new(answer)));
    let next = calls::call_method(gil, generator, &state.names.next, []);
    // One that begins has asked for nothing, and its answer would be None.
    drop(ANSWER.replace(outer).map(ManuallyDrop::into_inner));
    next
}

/// `answer()`: the result of the step that the caller has yielded, or its exception.
pub(super) fn answer(gil: &mut Gil, _: &State) -> Option<Owned> {
    match ANSWER.take().map(ManuallyDrop::into_inner) {
        Some(Answer::Given(result)) => Some(result),
        Some(Answer::Raised(error)) => {
            error.restore(gil);
            None
        }
        None => raise(gil, Exception::System, "modpython-core: an answer that nobody has left"),
    }
}
