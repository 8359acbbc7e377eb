//! The thread-local data and context variables that a request keeps between its phases: an access handler, the
//! handler, the log handler and the cleanups acquire an interpreter each, and each finds the values of those before it
//! (as in mod_python 3.5 under prefork, which keeps its states; there the next request finds them too).
//!
//! A state is made as new at each release all the same. The data travels: it is packed up before, and unpacked when the
//! same thread runs the same request, and no other, in the same interpreter. It ends with the request.
//!
//! - A client's demand is one request here, with all that Apache makes of it: internal redirects, error documents,
//!   subrequests. The first of its `request_rec`s identifies it.
//! - A nested acquisition, in a phase that runs, does not see what that phase has. It has a part of its own, so that
//!   the calls of a filter, or the phases of a redirect within a handler, find what the ones before have left.

mod table;

use super::{Cpython, Interpreter, OwnState, ThreadState, ThreadStates};
use std::{cell::Cell, num::NonZeroU64};
pub use table::{Requests, Table};

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// No other of this process has had it.
    number: NonZeroU64,
    /// Where the table has it, and may have another one afterwards.
    place: usize,
}

/// A `request_rec`, by the first of those that Apache has made of what a client has asked for.
#[derive(Clone, Copy)]
pub struct Record {
    /// The address of the first.
    pub root: usize,
    /// It is the first itself.
    pub is_first: bool,
}

/// The run of an acquisition, kept beside its state.
pub struct Runs {
    /// The request, as far as is known, and which part of it.
    part: Cell<Option<Running>>,
    /// The request begun in it, and dispatched next.
    opened: Cell<Option<Request>>,
    /// Something has been dispatched in it.
    has_run: Cell<bool>,
}

/// The request that an acquisition runs, and the place of its part. None while there is nothing to keep there: most
/// requests leave nothing in their threads, and are then looked at once.
pub(super) type Running = (Request, Option<usize>);

impl Runs {
    pub(super) const fn nothing() -> Self {
        Self { part: Cell::new(None), opened: Cell::new(None), has_run: Cell::new(false) }
    }

    /// An acquisition begins. `has_run`: nothing will be dispatched in it.
    pub(super) fn begin(&self, has_run: bool) {
        self.part.set(None);
        self.opened.set(None);
        self.has_run.set(has_run);
    }

    /// The acquisition ends.
    pub(super) fn end(&self) -> Option<Running> {
        self.part.take()
    }
}

impl<P: Cpython, D> ThreadStates<P, D> {
    /// Works on the table, with signal handlers kept out.
    fn table<R>(&self, work: impl FnOnce(&mut Table<P::Luggage>) -> R) -> R {
        self.closed(|| work(&mut self.requests.freeze()))
    }

    /// A `request_rec` begins in the innermost acquisition, before anything is dispatched in it: it is the one that is
    /// dispatched next. Nothing, and `record` is not called, if there is no acquisition, or if something runs in it.
    pub fn open_request(&self, record: impl FnOnce() -> Record) -> Option<Request> {
        self.on_innermost(|kept| kept.runs.has_run.get()).filter(|has_run| !has_run)?;
        let record = record();
        let request = self.table(|table| table.open(record));
        self.on_innermost(|kept| kept.runs.opened.set(Some(request)));
        Some(request)
    }

    /// The request that the innermost acquisition runs.
    pub fn running_request(&self) -> Option<Request> {
        self.on_innermost(|kept| kept.runs.part.get())?.map(|(request, _)| request)
    }

    /// The innermost acquisition is going to run Python code; where a request's object is known that it is for, it goes
    /// on with what the request has left in this thread.
    ///
    /// # Safety
    ///
    /// This thread holds the GIL with the state of that acquisition, and no Python code runs on it.
    pub unsafe fn dispatch(&self, object: Option<usize>) {
        let begun = self.on_innermost(|kept| {
            kept.runs.has_run.set(true);
            kept.runs.opened.take()
        });
        let (Some(opened), Some(object)) = (begun, object) else { return };
        let request = self.table(|table| match opened {
            Some(request) => {
                table.name(request, object);
                Some(request)
            }
            None => table.of(object),
        });
        if let Some(request) = request {
            // SAFETY: the caller's promise.
            unsafe { self.resume(request) };
        }
    }

    /// The innermost acquisition runs this request.
    ///
    /// # Safety
    ///
    /// As for [`dispatch`](Self::dispatch).
    pub(super) unsafe fn resume(&self, request: Request) {
        let innermost = self.look(|inner| {
            let (kept, below) = inner.held.split_last()?;
            Some((kept.interpreter, kept.state(), kept.runs.part.get(), !below.is_empty()))
        });
        let Some((interpreter, state, running, is_nested)) = innermost.flatten() else { return };
        if running.is_some_and(|(running, _)| running == request) {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe { self.put_down(interpreter, state, running) };
        let thread = self.this_thread();
        if is_nested {
            self.reserve_below(request, interpreter, thread);
        }
        let found = self.table(|table| table.take_up(request, interpreter, thread));
        self.on_innermost(|kept| kept.runs.part.set(found.as_ref().map(|(place, _)| (request, *place))));
        if let Some((_, Some(luggage))) = found {
            // SAFETY: the caller's promise; the luggage was packed in this interpreter.
            unsafe { P::unpack(state, luggage) };
        }
    }

    /// The acquisitions that are interrupted here get places of their own in the request: this one has another.
    #[cold]
    fn reserve_below(&self, request: Request, interpreter: Interpreter, thread: libc::pthread_t) {
        let is_interrupted =
            |kept: &OwnState<D>| kept.interpreter == interpreter && kept.runs.part.get() == Some((request, None));
        self.look(|inner| {
            for kept in inner.held.iter().rev().skip(1).filter(|kept| is_interrupted(kept)) {
                let place = self.requests.freeze().reserve(request, interpreter, thread);
                kept.runs.part.set(Some((request, place)));
            }
        });
    }

    /// Packs up the data of the request that an acquisition has run, if any.
    ///
    /// # Safety
    ///
    /// As for [`dispatch`](Self::dispatch).
    #[inline]
    pub(super) unsafe fn put_down(&self, interpreter: Interpreter, state: ThreadState, running: Option<Running>) {
        if let Some((request, place)) = running {
            // SAFETY: handed on.
            unsafe { self.pack(interpreter, state, request, place) };
        }
    }

    /// # Safety
    ///
    /// As for [`dispatch`](Self::dispatch).
    unsafe fn pack(&self, interpreter: Interpreter, state: ThreadState, request: Request, place: Option<usize>) {
        let unclaimed = self.closed(|| {
            // SAFETY: the caller's promise.
            let luggage = unsafe { P::pack(state) };
            if luggage.is_none() && place.is_none() {
                return None;
            }
            let thread = self.this_thread();
            let mut table = self.requests.freeze();
            let place = place.or_else(|| table.reserve(request, interpreter, thread));
            table.put_down(request, place, luggage)
        });
        if let Some(luggage) = unclaimed {
            // The state is made as new with it.
            // SAFETY: the caller's promise.
            unsafe { P::unpack(state, luggage) };
        }
    }

    /// Does `work`, in which everything is acquired for this request, or for none, and not dispatched: cleanups.
    pub fn acquiring_for<R>(&self, request: Option<Request>, work: impl FnOnce() -> R) -> R {
        let before = self.expected.replace(request);
        let result = work();
        self.expected.set(before);
        result
    }

    /// One of the request's `request_rec`s ends. After the last, this thread gives up the data of the request in
    /// its interpreters.
    pub fn close_request(&self, request: Request, data: fn(Interpreter) -> D) {
        // A signal handler that has interrupted a change of the lists ends the process; it runs no Python code.
        if self.closed.get() || !self.table(|table| table.end(request)) {
            return;
        }
        self.acquiring_for(None, || {
            while let Some(interpreter) = self.table(|table| table.left(request).map(|(interpreter, _)| interpreter)) {
                let give_up = |state| {
                    let luggage = self.table(|table| match table.left(request) {
                        Some((place, luggage)) if place == interpreter => luggage.take(),
                        _ => None,
                    });
                    if let Some(luggage) = luggage {
                        // The state is made as new with it.
                        // SAFETY: the GIL is held with that state, on which nothing runs.
                        unsafe { P::unpack(state, luggage) };
                    }
                };
                // SAFETY: interpreters are not destroyed.
                if unsafe { self.within(interpreter, data, give_up) }.is_none() {
                    break;
                }
            }
        });
        self.table(|table| table.close(request));
    }
}
