//! How far this thread is in the sequence of calls that acquires an interpreter, or in the start of the module.

use super::data::Block;
use crate::python::{
    Cpython3,
    threads::{Kept, Outer, Threads},
};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

/// Where an acquisition stands between two calls of the module.
pub enum Step {
    /// Nothing has begun.
    Idle,
    /// `PyEval_RestoreThread(token)` has been called; apr_hash_get comes next. No GIL.
    Asked(Outer),
    /// There will be no interpreter; Py_NewInterpreter comes next and answers NULL. No GIL.
    Refused(Outer),
    /// The interpreter is known; apr_array_pop and PyThreadState_Swap come next.
    Chosen {
        /// This thread's state of it.
        kept: Rc<Kept<Block>>,
        /// The GIL is held with it already: this thread has just created the interpreter.
        attached: bool,
        /// What the thread ran on before.
        outer: Outer,
    },
}

/// Where the start of the module stands, in the thread that runs it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Not at all.
    None,
    /// python_init has called Py_Initialize; apr_hash_make comes next.
    Initialized,
    /// The hash is made; PyEval_SaveThread comes next.
    HashMade,
    /// The child's start holds the GIL with the global state.
    ChildEntered,
    /// And has entered the main interpreter in the hash; PyEval_SaveThread comes next.
    MainEntered,
}

/// One thread.
pub struct Thread {
    /// Its states and acquisitions.
    pub threads: Threads<Cpython3, Block>,
    /// See [`Step`].
    pub step: RefCell<Step>,
    /// See [`Start`].
    pub start: Cell<Start>,
}

thread_local! {
    static THREAD: Thread = const {
        Thread { threads: Threads::new(), step: RefCell::new(Step::Idle), start: Cell::new(Start::None) }
    };
}

/// Runs `with` on this thread's record. Nothing in a thread that is ending and has lost it: there calls pass through.
#[inline]
pub fn here<R>(with: impl FnOnce(&Thread) -> R) -> Option<R> {
    THREAD.try_with(with).ok()
}

impl Thread {
    /// Takes the step that was reached, leaving nothing begun.
    pub fn take_step(&self) -> Step {
        self.step.replace(Step::Idle)
    }

    /// Notes the step that is reached.
    pub fn reach(&self, step: Step) {
        self.step.replace(step);
    }
}
