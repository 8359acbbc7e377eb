//! The table of the requests of a process, and of the data that each has left.

use super::{Interpreter, Record, Request};
use std::{
    num::NonZeroU64,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The part of a request in one interpreter, thread and nesting.
struct Part<L> {
    interpreter: Interpreter,
    thread: libc::pthread_t,
    /// An acquisition runs it.
    is_running: bool,
    luggage: Option<Box<L>>,
}

impl<L> Part<L> {
    fn is_free_for(&self, interpreter: Interpreter, thread: libc::pthread_t) -> bool {
        self.interpreter == interpreter && self.thread == thread && !self.is_running
    }
}

/// A request that has begun and not ended, or space for one.
struct Known<L> {
    /// None has it now.
    number: Option<NonZeroU64>,
    /// The address of its first `request_rec`.
    root: usize,
    /// The addresses of the Python objects of all its `request_rec`s, each with how many had been named before it.
    objects: Vec<(usize, u64)>,
    /// As many of them have begun and not ended.
    open: usize,
    parts: Vec<Part<L>>,
}

/// The requests of a process that have begun and not ended.
pub struct Requests<L>(Mutex<Table<L>>);

/// The data that the table's lock guards. Public so that it can be held still across a fork.
pub struct Table<L> {
    next: NonZeroU64,
    /// Used again, with the memory that they have, so that a request allocates nothing here.
    known: Vec<Known<L>>,
    /// Places in `known` that no request has.
    free: Vec<usize>,
    /// How many objects have been named.
    namings: u64,
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
        Self(Mutex::new(Table {
            next: NonZeroU64::MIN,
            known: Vec::new(),
            free: Vec::new(),
            namings: 0,
            named: [None; NAMED],
        }))
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

    /// The one among those that have not ended whose answer is the newest: an address freed under one request may
    /// have come to another.
    fn find(&self, newest: impl Fn(&Known<L>) -> Option<u64>) -> Option<Request> {
        let all = self.known.iter().enumerate();
        let has = all.filter_map(|(place, known)| Some((newest(known)?, Request { number: known.number?, place })));
        has.max_by_key(|(age, _)| *age).map(|(_, request)| request)
    }

    pub(super) fn open(&mut self, record: Record) -> Request {
        let Record { root, is_first } = record;
        // One that Apache has made of another. Those are rare, and no more requests are looked through than threads and
        // connections have begun.
        let known = if is_first {
            None
        } else {
            self.find(|known| known.number.filter(|_| known.root == root).map(NonZeroU64::get))
        };
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

    pub(super) fn name(&mut self, request: Request, object: usize) {
        let naming = self.namings;
        if let Some(known) = self.get(request) {
            known.objects.push((object, naming));
            self.namings += 1;
            self.named[place_of(object)] = Some((object, request));
        }
    }

    /// The request of that object. Another one's may have had its address before, a newer request's too: the object of
    /// a redirect comes late in an old one.
    pub(super) fn of(&mut self, object: usize) -> Option<Request> {
        let named = self.named[place_of(object)].filter(|(named, _)| *named == object);
        match named.filter(|(_, request)| self.get(*request).is_some()) {
            Some((_, request)) => Some(request),
            None => self.find(|known| {
                known.objects.iter().filter(|(named, _)| *named == object).map(|(_, naming)| *naming).max()
            }),
        }
    }

    /// The place of the part that an acquisition goes on with, and its luggage; each `None` if there is no luggage.
    /// An object that is bound to its thread (a connection of sqlite3) is of no use in another one, which therefore
    /// finds nothing.
    pub(super) fn take_up(
        &mut self,
        request: Request,
        interpreter: Interpreter,
        thread: libc::pthread_t,
    ) -> Option<(Option<usize>, Option<Box<L>>)> {
        let parts = &mut self.get(request)?.parts;
        let place = parts.iter().position(|part| part.is_free_for(interpreter, thread));
        let place = place.filter(|place| parts[*place].luggage.is_some());
        let luggage = place.and_then(|place| {
            parts[place].is_running = true;
            parts[place].luggage.take()
        });
        Some((place, luggage))
    }

    /// The place of the part that an acquisition runs, made if need be.
    pub(super) fn reserve(
        &mut self,
        request: Request,
        interpreter: Interpreter,
        thread: libc::pthread_t,
    ) -> Option<usize> {
        let parts = &mut self.get(request)?.parts;
        let place = parts.iter().position(|part| part.is_free_for(interpreter, thread)).unwrap_or_else(|| {
            parts.push(Part { interpreter, thread, is_running: false, luggage: None });
            parts.len() - 1
        });
        parts[place].is_running = true;
        Some(place)
    }

    /// Ends the run of a part, which leaves that luggage. Returns luggage that has no place there.
    pub(super) fn put_down(
        &mut self,
        request: Request,
        place: Option<usize>,
        luggage: Option<Box<L>>,
    ) -> Option<Box<L>> {
        match place.and_then(|place| self.get(request)?.parts.get_mut(place)) {
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
    pub(super) fn end(&mut self, request: Request) -> bool {
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
    pub(super) fn left(&mut self, request: Request) -> Option<(Interpreter, &mut Option<Box<L>>)> {
        let left = self.get(request)?.parts.iter_mut().find(|part| part.luggage.is_some())?;
        Some((left.interpreter, &mut left.luggage))
    }

    /// Forgets a request. Objects of its that nobody has given up stay alive.
    pub(super) fn close(&mut self, request: Request) {
        let Some(known) = self.get(request) else { return };
        known.number = None;
        known.parts.clear();
        known.parts.shrink_to(ROOM_KEPT);
        known.objects.clear();
        known.objects.shrink_to(ROOM_KEPT);
        self.free.push(request.place);
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// A request that ends in another thread, as event has it, has freed its object and is still open. A redirect of an
    /// older one gets the object's address; its next phase was taken for one of the newer, and found nothing.
    #[test]
    fn an_address_is_of_the_object_that_was_named_last() {
        const OBJECT: usize = 0x7000;
        // In the same place of the table of names.
        let other = (1..).map(|step| OBJECT + step * 16).find(|other| place_of(*other) == place_of(OBJECT));
        let requests = Requests::<()>::new();
        let mut table = requests.freeze();
        let [older, newer] = [0x100, 0x200].map(|root| table.open(Record { root, is_first: true }));
        table.name(newer, OBJECT);
        table.name(older, OBJECT);
        assert_eq!(table.of(OBJECT), Some(older));
        table.name(newer, other.expect("an address"));
        assert_eq!(table.of(OBJECT), Some(older));
        table.close(older);
        assert_eq!(table.of(OBJECT), Some(newer));
    }
}
