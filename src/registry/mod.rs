//! Name to interpreter: its creator, waiting threads, the end of a failure (R1-R5, R7, R8, R10). Knows no CPython.
//!
//! A name has one of these states. All but `ready` are kept under one mutex, which is held for a few instructions and
//! never while anybody creates or waits:
//!
//! | state | meaning | a thread that asks |
//! |---|---|---|
//! | absent | nobody has asked, or the last attempt failed | becomes the creator |
//! | in progress | one thread is creating it, or making its callback | waits for the end of that attempt |
//! | incomplete | the interpreter is there, its callback failed | makes the callback alone |
//! | ready | published in the table | gets it, without a lock |
//!
//! The registry takes no GIL and calls nobody back: [`Registry::claim`] says what the caller is to do, and the caller
//! reports with the [`Attempt`] it was given. `claim` may block, so it is called without the GIL.
#![forbid(unsafe_code)]

mod table;

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, not(loom), not(shuttle)))]
mod unit;

use crate::{
    error::Refusal,
    sync::{
        self, Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};
use std::collections::HashMap;
pub use table::Entry;
use table::Table;

/// Tells threads apart: any number that no two living threads share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ThreadKey(pub u64);

/// The next step of the caller of [`Registry::claim`].
pub enum Claim<'r, I, C> {
    /// Use this interpreter.
    Ready(&'r Entry<I, C>),
    /// Create the interpreter and its callback, and report with the attempt.
    Create(Attempt),
    /// Make the callback of this interpreter, and report with the attempt.
    Finish(Attempt, I),
    /// Answer with the failure value.
    Refused(Refusal),
}

/// The right, and the duty, to report how the one attempt to make an interpreter ended: by [`Registry::publish`] or
/// [`Registry::fail`]. Threads wait for that, so it must not be dropped; it does not report by itself on drop, because
/// a thread that ends inside CPython while Python shuts down does not run destructors.
#[must_use = "others wait until the attempt is published or failed"]
#[derive(Debug)]
pub struct Attempt {
    name: Box<[u8]>,
    number: u64,
}

impl Attempt {
    /// The name that is being made.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Counts the attempts of this process from 1, for a log line.
    pub fn number(&self) -> u64 {
        self.number
    }
}

/// Where the waiters of one attempt wait. Each attempt has its own, so that a waiter who wakes late, when the next
/// attempt is already running, still learns that its own has ended (R4).
struct Gate {
    opened: Condvar,
    /// Set under the registry's mutex.
    ended: AtomicBool,
}

/// A name that is not ready: in progress if it has an owner, else incomplete.
struct Pending<I> {
    interpreter: Option<I>,
    owner: Option<ThreadKey>,
    gate: Arc<Gate>,
    adopted: bool,
}

impl<I> Pending<I> {
    fn new(interpreter: Option<I>, owner: Option<ThreadKey>, adopted: bool) -> Self {
        let gate = Arc::new(Gate { opened: Condvar::new(), ended: AtomicBool::new(false) });
        Self { interpreter, owner, gate, adopted }
    }

    fn end_attempt(&mut self) {
        let next = Self::new(None, None, self.adopted).gate;
        let gate = std::mem::replace(&mut self.gate, next);
        self.owner = None;
        gate.ended.store(true, Ordering::Relaxed);
        gate.opened.notify_all();
    }
}

/// The data under the mutex: every name that is not ready.
pub struct Slow<I> {
    pending: HashMap<Box<[u8]>, Pending<I>>,
    /// Names that count towards the limit: ready, in progress and incomplete ones, not the adopted.
    counted: usize,
    attempts: u64,
    /// The threads that wait at this moment, and for which attempt, by its name and gate.
    waiting: HashMap<ThreadKey, (Box<[u8]>, Arc<Gate>)>,
}

impl<I> Slow<I> {
    /// Whether `me`, if it waited for `name`, would wait for itself: the thread that is making `name` waits for a name
    /// whose maker waits, and so on, for one that `me` is making (R7).
    fn would_close_a_cycle(&self, name: &[u8], me: ThreadKey) -> bool {
        let mut name = name;
        // Ends: each thread waits for one attempt, and no cycle has been closed before.
        while let Some(owner) = self.pending.get(name).and_then(|pending| pending.owner) {
            if owner == me {
                return true;
            }
            match self.waiting.get(&owner) {
                // A wait that already has its answer is not an edge; its thread is about to run.
                Some((next, gate)) if !gate.ended.load(Ordering::Relaxed) => name = next,
                _ => return false,
            }
        }
        false
    }
}

/// Name to interpreter, as the head of this file says.
///
/// `I` stands for the interpreter, `C` for its callback object; both are handles.
pub struct Registry<I, C> {
    ready: Table<I, C>,
    slow: Mutex<Slow<I>>,
    limit: usize,
}

impl<I: Copy, C> Registry<I, C> {
    /// An empty registry that refuses to have more than `limit` interpreters, adopted ones not counted (R10).
    pub fn new(limit: Option<usize>) -> Self {
        let slow = Slow { pending: HashMap::new(), counted: 0, attempts: 0, waiting: HashMap::new() };
        Self { ready: Table::new(), slow: Mutex::new(slow), limit: limit.unwrap_or(usize::MAX) }
    }

    /// Takes in an interpreter that exists already, without its callback: Python's main one, which is never counted
    /// or refused, and outlives a fork. Adopting a name again changes nothing.
    pub fn adopt(&self, name: &[u8], interpreter: I) {
        let mut slow = sync::lock(&self.slow);
        if self.ready.get(name).is_none() && !slow.pending.contains_key(name) {
            slow.pending.insert(name.into(), Pending::new(Some(interpreter), None, true));
        }
    }

    /// The interpreter of that name if it is ready: the hit path. One hash, one chain, no lock, no write (R5).
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<&Entry<I, C>> {
        self.ready.get(name)
    }

    /// Asks for an interpreter on behalf of the thread `me`, which must not hold the GIL: waits while another thread
    /// is making it, then says what the attempt came to. The name is copied where it has to be kept (R6).
    pub fn claim(&self, name: &[u8], me: ThreadKey) -> Claim<'_, I, C> {
        match self.get(name) {
            Some(entry) => Claim::Ready(entry),
            None => self.claim_slowly(name, me),
        }
    }

    #[cold]
    fn claim_slowly(&self, name: &[u8], me: ThreadKey) -> Claim<'_, I, C> {
        let mut slow = sync::lock(&self.slow);
        // Published between the look-up and the lock: creating it now would make a second one (R1).
        if let Some(entry) = self.ready.get(name) {
            return Claim::Ready(entry);
        }
        let Slow { pending, counted, attempts, .. } = &mut *slow;
        match pending.get_mut(name) {
            None if *counted >= self.limit => return Claim::Refused(Refusal::Limit(self.limit)),
            None => {
                pending.insert(name.into(), Pending::new(None, Some(me), false));
                *counted += 1;
                *attempts += 1;
                return Claim::Create(Attempt { name: name.into(), number: *attempts });
            }
            Some(Pending { owner: Some(owner), .. }) if *owner == me => return Claim::Refused(Refusal::Reentrant),
            Some(incomplete @ Pending { owner: None, .. }) => {
                incomplete.owner = Some(me);
                *attempts += 1;
                let attempt = Attempt { name: name.into(), number: *attempts };
                let interpreter = incomplete.interpreter.expect("only an interpreter without a callback has no owner");
                return Claim::Finish(attempt, interpreter);
            }
            Some(in_progress) => {
                let gate = Arc::clone(&in_progress.gate);
                if slow.would_close_a_cycle(name, me) {
                    return Claim::Refused(Refusal::Cycle);
                }
                slow.waiting.insert(me, (name.into(), Arc::clone(&gate)));
                while !gate.ended.load(Ordering::Relaxed) {
                    slow = sync::wait(&gate.opened, slow);
                }
                slow.waiting.remove(&me);
            }
        }
        // A thread that waited takes the present state and starts no attempt: 32 waiters would otherwise run 32
        // failing attempts one after the other (R4).
        match self.ready.get(name) {
            Some(entry) => Claim::Ready(entry),
            None => Claim::Refused(Refusal::AttemptFailed),
        }
    }

    /// Tells that the interpreter of `attempt` exists now, so that a failing callback does not lose it: it could not be
    /// destroyed while another thread state of it lives (Py_EndInterpreter is fatal then).
    pub fn made(&self, attempt: &Attempt, interpreter: I) {
        let mut slow = sync::lock(&self.slow);
        if let Some(pending) = slow.pending.get_mut(&attempt.name) {
            pending.interpreter = Some(interpreter);
        }
    }

    /// Ends the attempt: from now on `interpreter` with its `callback` is what everybody gets under that name.
    pub fn publish(&self, attempt: Attempt, interpreter: I, callback: C) -> &Entry<I, C> {
        let mut slow = sync::lock(&self.slow);
        let pending = slow.pending.remove(&attempt.name);
        let lasting = pending.as_ref().is_some_and(|pending| pending.adopted);
        // The table first, the gate after: a waiter that wakes looks into the table.
        let entry = self.ready.insert(attempt.name, interpreter, callback, lasting);
        if let Some(mut pending) = pending {
            pending.end_attempt();
        }
        entry
    }

    /// Ends the attempt without a result: its waiters are refused, and the next to ask tries again. An interpreter
    /// that was reported as [`made`](Self::made) is kept for that; else nothing stays behind.
    pub fn fail(&self, attempt: Attempt) {
        let mut slow = sync::lock(&self.slow);
        if let Some(pending) = slow.pending.get_mut(&attempt.name) {
            pending.end_attempt();
            if pending.interpreter.is_none() {
                slow.pending.remove(&attempt.name);
                slow.counted -= 1;
            }
        }
    }

    /// The names that are ready.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.ready.entries().map(Entry::name)
    }

    /// Threads that wait at this moment for an attempt to end.
    pub fn waiters(&self) -> usize {
        sync::lock(&self.slow).waiting.len()
    }

    /// Keeps every other thread out of the slow path while this thread forks: a mutex that another thread holds at
    /// that moment would stay locked in the child for ever (R8). The parent just drops the guard.
    pub fn freeze(&self) -> MutexGuard<'_, Slow<I>> {
        sync::lock(&self.slow)
    }

    /// To be called in the child of a fork with the guard of [`freeze`](Self::freeze): gives up the attempts of
    /// threads that no longer exist, and the interpreters that Python deletes there (all but the adopted one).
    pub fn after_fork_in_child(&self, mut slow: MutexGuard<'_, Slow<I>>, me: ThreadKey) {
        self.ready.forget_all_but_lasting();
        slow.pending.retain(|_, pending| pending.adopted || pending.owner == Some(me));
        for pending in slow.pending.values_mut().filter(|pending| pending.owner != Some(me)) {
            pending.end_attempt();
        }
        slow.counted = slow.pending.values().filter(|pending| !pending.adopted).count();
        slow.waiting.clear();
    }
}
