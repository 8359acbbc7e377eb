//! What a request leaves in its thread between its phases: an access handler, the handler, the log handler and the
//! cleanups acquire an interpreter each, and what one of them puts into thread-local data or context variables is there
//! for the next (as in mod_python 3.5 under prefork, which keeps its states; there the next request finds it too).
//!
//! A state is made as new at each release all the same. What is to stay travels: it is packed up before, and unpacked
//! where the same request, and no other, is run by the same thread in the same interpreter. It ends with the request.
//!
//! - What a client has asked for is one request here, with all that Apache makes of it: internal redirects, error
//!   documents, subrequests. It is known by the first of its `request_rec`s.
//! - A nested acquisition, in a phase that runs, does not see what that phase has. It has a part of its own, so that
//!   the calls of a filter, or the phases of a redirect within a handler, find what the ones before have left.

use super::{Cpython, Interpreter, ThreadState, Threads};
use std::{
    cell::Cell,
    num::NonZeroU64,
    sync::{Mutex, MutexGuard, PoisonError},
};

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

/// What an acquisition runs, kept beside its state.
pub struct Runs {
    /// The request, and which part of it, as far as is known.
    part: Cell<Option<(Request, usize)>>,
    /// What has begun in it, and is dispatched next.
    opened: Cell<Option<Request>>,
    /// Something has been dispatched in it.
    has_run: Cell<bool>,
}

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
    pub(super) fn end(&self) -> Option<(Request, usize)> {
        self.part.take()
    }
}

/// What a request does and has in one interpreter, thread and nesting.
struct Part<L> {
    interpreter: Interpreter,
    thread: libc::pthread_t,
    /// An acquisition runs it.
    is_running: bool,
    luggage: Option<Box<L>>,
}

/// A request that has begun and not ended, or room for one.
struct Known<L> {
    /// None has it now.
    number: Option<NonZeroU64>,
    /// The address of its first `request_rec`.
    root: usize,
    /// The addresses of the Python objects of all its `request_rec`s.
    objects: Vec<usize>,
    /// As many of them have begun and not ended.
    open: usize,
    parts: Vec<Part<L>>,
}

/// The requests of a process that have begun and not ended.
pub struct Requests<L>(Mutex<Table<L>>);

/// What the table's lock guards. Public so that it can be held still across a fork.
pub struct Table<L> {
    next: NonZeroU64,
    /// Used again, with the memory that they have, so that a request allocates nothing here.
    known: Vec<Known<L>>,
    /// Places in `known` that no request has.
    free: Vec<usize>,
    /// The Python objects named last, and their requests, each at the place that its address gives.
    named: [Option<(usize, Request)>; NAMED],
}

/// Of the objects and parts of one request the table keeps the memory for so many.
const ROOM_KEPT: usize = 64;
const NAMED: usize = 256;

/// Where `named` has an object, if no other has taken its place. Objects lie 16 bytes apart at least.
fn place_of(object: usize) -> usize {
    (object >> 4 ^ object >> 12) % NAMED
}

impl<L> Default for Requests<L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<L> Requests<L> {
    /// None is known yet.
    pub const fn new() -> Self {
        Self(Mutex::new(Table { next: NonZeroU64::MIN, known: Vec::new(), free: Vec::new(), named: [None; NAMED] }))
    }

    /// The table, held still across a fork.
    pub fn freeze(&self) -> MutexGuard<'_, Table<L>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L> Table<L> {
    /// The request, if it has not ended.
    fn get(&mut self, request: Request) -> Option<&mut Known<L>> {
        self.known.get_mut(request.place).filter(|known| known.number == Some(request.number))
    }

    /// The one among those that have not ended of which `is_it` is true. The newest: what has been freed under an older
    /// one may have come to another at the same address.
    fn find(&self, is_it: impl Fn(&Known<L>) -> bool) -> Option<Request> {
        let all = self.known.iter().enumerate().filter(|(_, known)| is_it(known));
        let open = all.filter_map(|(place, known)| known.number.map(|number| Request { number, place }));
        open.max_by_key(|request| request.number)
    }

    fn open(&mut self, record: Record) -> Request {
        let Record { root, is_first } = record;
        // One that Apache has made of another. Those are rare, and no more requests are looked through than threads and
        // connections have begun.
        let known = if is_first { None } else { self.find(|known| known.root == root) };
        if let Some(request) = known {
            self.known[request.place].open += 1;
            return request;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.known.push(Known { number: None, root: 0, objects: Vec::new(), open: 0, parts: Vec::new() });
            self.known.len() - 1
        });
        let request = Request { number: self.next, place };
        self.next = self.next.saturating_add(1);
        let known = &mut self.known[place];
        (known.number, known.root, known.open) = (Some(request.number), root, 1);
        request
    }

    fn name(&mut self, request: Request, object: usize) {
        if let Some(known) = self.get(request) {
            known.objects.push(object);
            self.named[place_of(object)] = Some((object, request));
        }
    }

    /// The request of that object. Another one's may have had its address before.
    fn of(&mut self, object: usize) -> Option<Request> {
        let named = self.named[place_of(object)].filter(|(named, _)| *named == object);
        match named.filter(|(_, request)| self.get(*request).is_some()) {
            Some((_, request)) => Some(request),
            None => self.find(|known| known.objects.contains(&object)),
        }
    }

    /// The part that an acquisition runs, made if need be, and what it finds there. An object that is bound to its
    /// thread (a connection of sqlite3) is of no use in another one, which therefore finds nothing.
    fn take_up(
        &mut self,
        request: Request,
        interpreter: Interpreter,
        thread: libc::pthread_t,
    ) -> Option<(usize, Option<Box<L>>)> {
        let parts = &mut self.get(request)?.parts;
        let is_free = |part: &Part<L>| part.interpreter == interpreter && part.thread == thread && !part.is_running;
        let place = parts.iter().position(is_free).unwrap_or_else(|| {
            parts.push(Part { interpreter, thread, is_running: false, luggage: None });
            parts.len() - 1
        });
        parts[place].is_running = true;
        Some((place, parts[place].luggage.take()))
    }

    fn put_down(&mut self, request: Request, place: usize, luggage: Option<Box<L>>) -> Option<Box<L>> {
        match self.get(request).and_then(|known| known.parts.get_mut(place)) {
            Some(part) => {
                part.is_running = false;
                std::mem::replace(&mut part.luggage, luggage)
            }
            // It has ended meanwhile.
            None => luggage,
        }
    }

    /// Ends one of a request's `request_rec`s. After the last the request is forgotten, but if it has left something
    /// that is to be given up first: true.
    fn end(&mut self, request: Request) -> bool {
        let Some(known) = self.get(request) else { return false };
        known.open -= 1;
        if known.open > 0 {
            return false;
        }
        let has_left = known.parts.iter().any(|part| part.luggage.is_some());
        if !has_left {
            self.close(request);
        }
        has_left
    }

    /// An interpreter where the request has left something, and what.
    fn left(&mut self, request: Request) -> Option<(Interpreter, &mut Option<Box<L>>)> {
        let left = self.get(request)?.parts.iter_mut().find(|part| part.luggage.is_some())?;
        Some((left.interpreter, &mut left.luggage))
    }

    /// Forgets a request. What it has left and nobody has given up stays alive.
    fn close(&mut self, request: Request) {
        let Some(known) = self.get(request) else { return };
        known.number = None;
        known.parts.clear();
        known.parts.shrink_to(ROOM_KEPT);
        known.objects.clear();
        known.objects.shrink_to(ROOM_KEPT);
        self.free.push(request.place);
    }
}

impl<P: Cpython, D> Threads<P, D> {
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
        let innermost = self.on_innermost(|kept| (kept.interpreter, kept.state(), kept.runs.part.get()));
        let Some((interpreter, state, running)) = innermost else { return };
        if running.is_some_and(|(running, _)| running == request) {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe { self.put_down(state, running) };
        let thread = self.this_thread();
        let found = self.table(|table| table.take_up(request, interpreter, thread));
        self.on_innermost(|kept| kept.runs.part.set(found.as_ref().map(|(place, _)| (request, *place))));
        if let Some((_, Some(luggage))) = found {
            // SAFETY: the caller's promise; the luggage was packed in this interpreter.
            unsafe { P::unpack(state, luggage) };
        }
    }

    /// What an acquisition has run is put down, before the state is made as new.
    ///
    /// # Safety
    ///
    /// As for [`dispatch`](Self::dispatch).
    #[inline]
    pub(super) unsafe fn put_down(&self, state: ThreadState, part: Option<(Request, usize)>) {
        if let Some((request, place)) = part {
            // SAFETY: handed on.
            unsafe { self.pack(state, request, place) };
        }
    }

    /// # Safety
    ///
    /// As for [`dispatch`](Self::dispatch).
    unsafe fn pack(&self, state: ThreadState, request: Request, place: usize) {
        let unclaimed = self.closed(|| {
            // SAFETY: the caller's promise.
            let luggage = unsafe { P::pack(state) };
            self.requests.freeze().put_down(request, place, luggage)
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

    /// One of the request's `request_rec`s ends. After the last, what the request has left is given up in its
    /// interpreters, in this thread.
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
