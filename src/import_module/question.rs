//! One thread looks for what several ask for at once (I6): a thread that asks for the same name at the same origin
//! meanwhile waits for the answer, and has nothing to find.
//!
//! A server that starts gets the same request from many clients. Each look at the disk gives up the GIL, and so 32
//! threads that look hold up the one that loads.

use super::locks::{self, Turn};
use super::state::State;
use super::steps;
use crate::pathlock::Key;
use crate::python::calls;
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned, none};
use crate::python::values::bytes;
use std::cell::RefCell;

thread_local! {
    /// The questions that this thread looks into, innermost last; None for one that it holds no lock of (any more).
    static ASKED: RefCell<Vec<Option<Key>>> = const { RefCell::new(Vec::new()) };
}

/// The step `'ask', question, look`: the result of `look()`, unless another thread is at the same question (bytes; None
/// for one that nobody else asks). Then, when that one is done, as `'locked'` has it: None to look again, or the
/// failure.
#[inline(never)]
pub(super) fn ask(gil: &mut Gil, state: &State, question: Object<'_>, look: Object<'_>) -> Option<Owned> {
    let mut held = None;
    if !question.is_none() {
        let key = Key::new(state.interpreter, &[locks::QUESTION, &bytes(gil, question)?].concat());
        match locks::take(gil, state, &key) {
            Turn::Interrupted => return None,
            Turn::Told(failure) => return failure.or_else(|| Some(none(gil))),
            Turn::Mine(_) => held = Some(key),
            // Its thread waits for this one, which will meet it again at the lock of the file.
            Turn::Cycle => {}
        }
    }
    ASKED.with_borrow_mut(|asked| asked.push(held));
    let answer = calls::call(gil, look, []);
    let answer = steps::finish(gil, state, answer);
    // Where nothing was found, those who waited look themselves: there may be something by now.
    drop(Question(ASKED.with_borrow_mut(Vec::pop).flatten()));
    answer
}

/// The question that a load answers: those who have asked it too are told when this goes.
pub(super) struct Question(Option<Key>);

impl Question {
    /// The innermost one of this thread, unless a load has it already.
    pub(super) fn of_this_load() -> Self {
        Self(ASKED.with_borrow_mut(|asked| asked.last_mut().and_then(Option::take)))
    }

    /// The load is over: well, or with this failure. To be called before the thread waits for what others are at, who
    /// may have asked the same. An exception may be pending, and stays.
    pub(super) fn answered(mut self, gil: &Gil, failure: Option<&Owned>) {
        if let Some(key) = self.0.take() {
            locks::finish(&key, failure.map(|failure| failure.clone_ref(gil)));
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        if let Some(key) = self.0.take() {
            locks::finish(&key, None);
        }
    }
}
