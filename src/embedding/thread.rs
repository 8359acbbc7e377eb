//! State kept per thread: its thread states and acquisitions; and, of a relinked module, its progress through the
//! sequence of calls that acquires an interpreter, or that starts the module.

use super::{interpreterdata::HandedOut, process};
use crate::python::{
    Python,
    threads::{OwnState, Suspended, ThreadStates},
};
use std::{
    cell::{Cell, RefCell},
    ffi::c_void,
    ptr,
    rc::Rc,
};

/// The progress of an acquisition between two calls of a relinked module.
pub enum Progress {
    /// Nothing has begun.
    Idle,
    /// The GIL has been asked for; the look-up of the name comes next. No GIL.
    Asked(Suspended),
    /// There will be no interpreter; Py_NewInterpreter comes next and answers NULL. No GIL.
    Refused(Suspended),
    /// The interpreter is known; the calls that go over to it come next.
    Chosen {
        /// This thread's state of it.
        kept: Rc<OwnState<HandedOut>>,
        /// The GIL is held with it already: this thread has just created the interpreter.
        attached: bool,
        /// How the thread held the GIL before.
        outer: Suspended,
    },
}

/// The progress of a relinked module's start, in the thread that runs it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Not at all.
    None,
    /// python_init has called Py_Initialize; the making of the table of interpreters comes next.
    Initialized,
    /// The table is made; the end of python_init comes next, which gives the GIL up.
    TableMade,
    /// The child's start holds the GIL.
    ChildEntered,
    /// And has entered the main interpreter in the table (3.5), or told Python of the fork (3.1).
    MainEntered,
    /// It has given the GIL up (3.1); the registration of python_finalize comes next.
    ChildReady,
}

thread_local! {
    // Beside the record, which has a destructor: the server's parent starts modules too, and a mod_python.so with the
    // library inside is not unloaded at a graceful restart once the parent's thread has a destructor of ours to run.
    static START: Cell<Start> = const { Cell::new(Start::None) };
}

impl Start {
    /// Where this thread is.
    pub fn reached() -> Self {
        START.get()
    }

    /// Notes what this thread has reached.
    pub fn reach(self) {
        START.set(self);
    }
}

/// One thread.
pub struct Thread {
    /// Its states and acquisitions.
    pub threads: ThreadStates<Python, HandedOut>,
    /// See [`Progress`].
    pub progress: RefCell<Progress>,
    /// The state of the acquisition that was released last: generation 3.1 deletes it afterwards.
    pub released: Cell<*mut c_void>,
    /// A signal handler asks for an interpreter although it cannot have one ([`Suspended::Interrupted`]). Beside
    /// `progress`, which is that of what it has interrupted.
    interrupted: Cell<bool>,
}

thread_local! {
    static THREAD: Thread = const {
        Thread {
            threads: ThreadStates::new(process::requests()),
            progress: RefCell::new(Progress::Idle),
            released: Cell::new(ptr::null_mut()),
            interrupted: Cell::new(false),
        }
    };
}

/// Runs `with` on this thread's record. Nothing in a thread that is ending and has lost it: there calls pass through.
#[inline]
pub fn with_current_thread<R>(with: impl FnOnce(&Thread) -> R) -> Option<R> {
    THREAD.try_with(with).ok()
}

impl Thread {
    /// A relinked module begins an acquisition: gives the GIL up, if it is held.
    pub fn ask(&self) {
        // In the middle of another one only a signal handler can begin.
        let between = self.progress.try_borrow_mut().is_ok_and(|progress| matches!(*progress, Progress::Idle));
        match if between { self.threads.leave() } else { Suspended::Interrupted } {
            Suspended::Interrupted => self.interrupted.set(true),
            outer => self.reach(Progress::Asked(outer)),
        }
    }

    /// Whether the acquisition that has begun last is a signal handler's, which gets nothing.
    #[inline]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.get()
    }

    /// The acquisition of a signal handler is over.
    pub fn end_interruption(&self) -> bool {
        self.interrupted.replace(false)
    }

    /// Takes what was reached, leaving nothing begun. In one piece for a signal handler.
    pub fn take_progress(&self) -> Progress {
        self.threads.closed(|| self.progress.replace(Progress::Idle))
    }

    /// The result of `read` on the state that has been chosen and is not entered yet; `None` without one. No signal
    /// handler comes here between two borrows: its own acquisition gets no further than the look-up.
    #[inline]
    pub fn on_chosen<R>(&self, read: impl FnOnce(&OwnState<HandedOut>) -> R) -> Option<R> {
        match &*self.progress.borrow() {
            Progress::Chosen { kept, .. } => Some(read(kept)),
            _ => None,
        }
    }

    /// Notes what is reached. In one piece for a signal handler.
    pub fn reach(&self, progress: Progress) {
        let before = self.threads.closed(|| self.progress.replace(progress));
        drop(before);
    }
}
