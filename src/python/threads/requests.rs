//! What a request leaves in its thread between its phases: an access handler, the handler, the log handler and the
//! cleanups acquire an interpreter each, and what one of them puts into thread-local data or context variables is there
//! for the next (as in mod_python 3.5 under prefork, which keeps its state; there the next request finds it too).
//!
//! A state is made as new at each release all the same. What is to stay travels: it is packed up before, and unpacked
//! where the same request, and no other, is run by the same thread in the same interpreter. It ends with the request.

use super::{Cpython, Interpreter, Outer, ThreadState, Threads};
use std::{
    cell::Cell,
    collections::BTreeMap,
    num::NonZeroU64,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A request, by a number that no other of this process has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request(NonZeroU64);

/// What an acquisition runs, kept beside its state.
pub struct Runs {
    /// The request, as far as is known.
    request: Cell<Option<Request>>,
    /// What has begun in it, and is dispatched next.
    opened: Cell<Option<Request>>,
    /// Something has been dispatched in it.
    has_run: Cell<bool>,
}

impl Runs {
    pub(super) const fn nothing() -> Self {
        Self { request: Cell::new(None), opened: Cell::new(None), has_run: Cell::new(false) }
    }

    /// An acquisition begins. `has_run`: nothing will be dispatched in it.
    pub(super) fn begin(&self, has_run: bool) {
        self.request.set(None);
        self.opened.set(None);
        self.has_run.set(has_run);
    }

    /// The acquisition ends.
    pub(super) fn end(&self) -> Option<Request> {
        self.request.take()
    }
}

/// What a request does and has in one interpreter.
struct Part<L> {
    interpreter: Interpreter,
    /// The thread that has packed up, or runs it now.
    thread: libc::pthread_t,
    /// An acquisition runs it: one that is nested in it gets nothing of what it has.
    is_running: bool,
    luggage: Option<L>,
}

/// A request that has been dispatched, and whose pool has not been destroyed.
struct Known<L> {
    /// The address of its Python object.
    object: usize,
    parts: Vec<Part<L>>,
}

/// The requests of a process whose pools have not been destroyed.
pub struct Requests<L>(Mutex<Table<L>>);

/// What the table's lock guards. Public so that it can be held still across a fork.
pub struct Table<L> {
    next: NonZeroU64,
    known: BTreeMap<Request, Known<L>>,
    /// By the address of the Python object, which another request's may have after the request's end.
    by_object: BTreeMap<usize, Request>,
}

/// How a thread goes on with a request.
enum Next<L> {
    /// With what it has left there.
    Luggage(L),
    /// With nothing, so far.
    Empty,
    /// It is another thread's, or runs already: the acquisition is on its own.
    NotHere,
}

impl<L> Default for Requests<L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<L> Requests<L> {
    /// None is known yet.
    pub const fn new() -> Self {
        Self(Mutex::new(Table { next: NonZeroU64::MIN, known: BTreeMap::new(), by_object: BTreeMap::new() }))
    }

    /// The table, held still across a fork.
    pub fn freeze(&self) -> MutexGuard<'_, Table<L>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L> Table<L> {
    fn name(&mut self, request: Request, object: usize) {
        self.known.insert(request, Known { object, parts: Vec::new() });
        self.by_object.insert(object, request);
    }

    fn part(&mut self, request: Request, interpreter: Interpreter) -> Option<&mut Part<L>> {
        self.known.get_mut(&request)?.parts.iter_mut().find(|part| part.interpreter == interpreter)
    }

    fn take_up(&mut self, request: Request, interpreter: Interpreter, thread: libc::pthread_t) -> Next<L> {
        if let Some(part) = self.part(request, interpreter) {
            // An object that is bound to its thread (a connection of sqlite3) is of no use in another one.
            if part.is_running || part.luggage.is_some() && part.thread != thread {
                return Next::NotHere;
            }
            (part.is_running, part.thread) = (true, thread);
            return part.luggage.take().map_or(Next::Empty, Next::Luggage);
        }
        let Some(known) = self.known.get_mut(&request) else { return Next::NotHere };
        known.parts.push(Part { interpreter, thread, is_running: true, luggage: None });
        Next::Empty
    }

    fn put_down(&mut self, request: Request, interpreter: Interpreter, luggage: Option<L>) {
        if let Some(part) = self.part(request, interpreter) {
            (part.is_running, part.luggage) = (false, luggage);
        }
    }

    /// An interpreter where the request has left something.
    fn left_in(&self, request: Request) -> Option<Interpreter> {
        let left = self.known.get(&request)?.parts.iter().find(|part| part.luggage.is_some());
        left.map(|part| part.interpreter)
    }

    /// Forgets a request. What it has left and nobody has given up stays alive.
    fn close(&mut self, request: Request) {
        if let Some(known) = self.known.remove(&request) {
            if self.by_object.get(&known.object) == Some(&request) {
                self.by_object.remove(&known.object);
            }
        }
    }
}

impl<P: Cpython, D> Threads<P, D> {
    /// Works on the table, with signal handlers kept out.
    fn table<R>(&self, work: impl FnOnce(&mut Table<P::Luggage>) -> R) -> R {
        self.closed(|| work(&mut self.requests.freeze()))
    }

    /// A request begins in the innermost acquisition, before anything is dispatched in it: it is the one that is
    /// dispatched next. Nothing if there is no acquisition, or if something runs in it.
    pub fn open_request(&self) -> Option<Request> {
        let kept = self.innermost().filter(|kept| !kept.runs.has_run.get())?;
        let request = self.table(|table| {
            let request = Request(table.next);
            table.next = table.next.saturating_add(1);
            request
        });
        kept.runs.opened.set(Some(request));
        Some(request)
    }

    /// The innermost acquisition is going to run Python code; where a request's object is known that it is for, it goes
    /// on with what the request has left in this thread.
    ///
    /// # Safety
    ///
    /// This thread holds the GIL with the state of that acquisition, and no Python code runs on it.
    pub unsafe fn dispatch(&self, object: Option<usize>) {
        let Some(kept) = self.innermost() else { return };
        kept.runs.has_run.set(true);
        let opened = kept.runs.opened.take();
        let Some(object) = object else { return };
        let request = self.table(|table| match opened {
            Some(request) => {
                table.name(request, object);
                Some(request)
            }
            None => table.by_object.get(&object).copied(),
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
        let Some(kept) = self.innermost() else { return };
        let (interpreter, state, running) = (kept.interpreter, kept.state(), kept.runs.request.get());
        if running == Some(request) {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe { self.put_down(interpreter, state, running) };
        let thread = self.this_thread();
        let next = self.table(|table| table.take_up(request, interpreter, thread));
        kept.runs.request.set((!matches!(next, Next::NotHere)).then_some(request));
        if let Next::Luggage(luggage) = next {
            // SAFETY: the caller's promise; the luggage was packed in this interpreter.
            unsafe { P::unpack(state, luggage) };
        }
    }

    /// The request that an acquisition has run is put down, before the state is made as new.
    ///
    /// # Safety
    ///
    /// As for [`dispatch`](Self::dispatch).
    pub(super) unsafe fn put_down(&self, interpreter: Interpreter, state: ThreadState, request: Option<Request>) {
        if let Some(request) = request {
            self.closed(|| {
                // SAFETY: the caller's promise.
                let luggage = unsafe { P::pack(state) };
                self.requests.freeze().put_down(request, interpreter, luggage);
            });
        }
    }

    /// The pool of the request is being destroyed: what is acquired in this thread until [`close_request`] is acquired
    /// for its cleanups, which are not dispatched.
    ///
    /// [`close_request`]: Self::close_request
    pub fn expect(&self, request: Request) {
        // A signal handler that has interrupted a change of the lists ends the process; it runs no Python code.
        if !self.closed.get() {
            self.lists(|inner| {
                inner.expected.retain(|expected| *expected != request);
                inner.expected.push(request);
            });
        }
    }

    /// The request has ended. What it has left is given up in its interpreters, in this thread.
    pub fn close_request(&self, request: Request, data: fn(Interpreter) -> D) {
        if self.closed.get() {
            return;
        }
        self.lists(|inner| inner.expected.retain(|expected| *expected != request));
        while let Some(interpreter) = self.table(|table| table.left_in(request)) {
            // SAFETY: interpreters are not destroyed.
            if !unsafe { self.give_up(request, interpreter, data) } {
                break;
            }
        }
        self.table(|table| table.close(request));
    }

    /// Gives up what the request has left in an interpreter, whichever thread it was. False if the process ends, or if
    /// there is no memory.
    ///
    /// # Safety
    ///
    /// The interpreter is alive.
    unsafe fn give_up(&self, request: Request, interpreter: Interpreter, data: fn(Interpreter) -> D) -> bool {
        let outer = self.leave();
        if matches!(outer, Outer::Interrupted) {
            return false;
        }
        // SAFETY: the caller's promise.
        let Some(kept) = (unsafe { self.select(interpreter, data) }) else {
            self.reenter(outer);
            return false;
        };
        let state = kept.state();
        // SAFETY: `leave` has given the GIL up; from `enter` on it is held with that state, on which nothing runs.
        unsafe {
            self.enter(kept, outer);
            if let Some(luggage) = self.table(|table| table.part(request, interpreter)?.luggage.take()) {
                P::unpack(state, luggage);
            }
            self.release();
        }
        true
    }
}
