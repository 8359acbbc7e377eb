//! The table itself: keys, owners, depths, queues. Nothing here blocks.

use super::graph::{self, Edge};
use super::ticket::Ticket;
use crate::sync::{self, Arc, Condvar, Mutex, MutexGuard};
use std::collections::{HashMap, VecDeque};

/// A thread, named by the number that Python's `threading.get_ident()` has for it, so that the edges of importlib's
/// own locks can be followed together with ours.
pub type ThreadId = u64;

/// What a lock is for: one file in one interpreter. Interpreters share no modules, so the same file in two of them
/// is two locks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The interpreter, by `PyInterpreterState_GetID`.
    pub interpreter: i64,
    /// The path of the file, as bytes: a name of the file system need not be UTF-8.
    pub file: std::sync::Arc<[u8]>,
}

impl Key {
    /// A key for `file` in `interpreter`.
    pub fn new(interpreter: i64, file: &[u8]) -> Self {
        Self { interpreter, file: file.into() }
    }
}

/// What [`Table::try_begin`] found.
pub enum Begin<'t, O: Clone> {
    /// The lock is this thread's, now held this many times over. More than 1 means that an outer call of the same
    /// thread already holds it.
    Acquired(u32),
    /// Another thread holds it; the ticket keeps this thread's place in the queue.
    MustWait(Ticket<'t, O>),
    /// Waiting would never end: these threads, the caller first, each wait for the next, and the last for the caller.
    Cycle(Vec<ThreadId>),
}

/// What a release has done.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// The thread still holds the lock, this many times.
    StillHeld(u32),
    /// The longest-waiting thread holds it now.
    HandedOver(ThreadId),
    /// Nobody holds it; its entry is gone. This many threads were told the outcome.
    Free(usize),
}

/// The caller does not hold the lock that it wanted to release.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("thread {thread} does not hold the lock of {file}")]
pub struct NotOwner {
    /// The thread that tried.
    pub thread: ThreadId,
    /// The file of the key, with what is not UTF-8 replaced.
    pub file: String,
}

/// The answer to a waiting thread.
pub(super) enum Answer<O> {
    Granted,
    Told(O),
}

/// One thread waiting for one key. Its entry stays until the thread has picked up its answer.
pub(super) struct Wait<O> {
    pub(super) thread: ThreadId,
    pub(super) key: Key,
    pub(super) answer: Option<Answer<O>>,
    /// One condvar per waiting thread, so that a release wakes the one it concerns and not a herd.
    pub(super) wake: Arc<Condvar>,
}

pub(super) struct Lock {
    pub(super) owner: ThreadId,
    pub(super) depth: u32,
    /// Numbers of the waits, the longest first.
    pub(super) queue: VecDeque<u64>,
}

pub(super) struct State<O> {
    pub(super) locks: HashMap<Key, Lock>,
    pub(super) waits: HashMap<u64, Wait<O>>,
    next_wait: u64,
}

/// A table of locks. `O` is the outcome that an owner can leave to those who waited on its attempt.
pub struct Table<O: Clone> {
    state: Mutex<State<O>>,
}

impl<O: Clone> Table<O> {
    /// An empty table.
    pub fn new() -> Self {
        let state = State { locks: HashMap::new(), waits: HashMap::new(), next_wait: 0 };
        Self { state: Mutex::new(state) }
    }

    /// Takes the lock of `key` for thread `me` if that needs no waiting. Never blocks.
    pub fn try_begin(&self, key: &Key, me: ThreadId) -> Begin<'_, O> {
        let mut state = self.state();
        let Some(lock) = state.locks.get_mut(key) else {
            state.locks.insert(key.clone(), Lock { owner: me, depth: 1, queue: VecDeque::new() });
            return Begin::Acquired(1);
        };
        if lock.owner == me {
            lock.depth += 1;
            return Begin::Acquired(lock.depth);
        }
        let owner = lock.owner;
        // The cycle is looked for in the same section that adds the edge. Apart, two threads could both look, see
        // none, and then close one together.
        if let Some(threads) = graph::cycle(me, owner, &state.edges()) {
            return Begin::Cycle(threads);
        }
        let number = state.next_wait;
        state.next_wait += 1;
        let wake = Arc::new(Condvar::new());
        if let Some(lock) = state.locks.get_mut(key) {
            lock.queue.push_back(number);
        }
        state.waits.insert(number, Wait { thread: me, key: key.clone(), answer: None, wake: Arc::clone(&wake) });
        Begin::MustWait(Ticket::new(self, number, wake))
    }

    /// Gives the lock up once, with nothing to tell: the longest-waiting thread gets it.
    ///
    /// # Errors
    /// [`NotOwner`] if `me` does not hold it; nothing has changed then.
    pub fn end(&self, key: &Key, me: ThreadId) -> Result<Ended, NotOwner> {
        let mut state = self.state();
        match state.leave(key, me)? {
            0 => Ok(state.hand_over(key)),
            depth => Ok(Ended::StillHeld(depth)),
        }
    }

    /// Gives the lock up once and tells everyone who waited for it how the attempt went; none of them gets the lock,
    /// and who wants it still begins anew. Where an outer call of the thread still holds it, this is [`Table::end`]:
    /// the attempt is not over.
    ///
    /// # Errors
    /// [`NotOwner`] if `me` does not hold it; nothing has changed then.
    pub fn finish(&self, key: &Key, me: ThreadId, outcome: &O) -> Result<Ended, NotOwner> {
        let mut state = self.state();
        match state.leave(key, me)? {
            0 => Ok(state.tell_all(key, outcome)),
            depth => Ok(Ended::StillHeld(depth)),
        }
    }

    /// The number of locks held now. 0 when nothing is being loaded: an entry goes with its last user.
    pub fn len(&self) -> usize {
        self.state().locks.len()
    }

    /// Whether no lock is held now.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of threads that wait for `key` now.
    pub fn waiting_for(&self, key: &Key) -> usize {
        self.state().locks.get(key).map_or(0, |lock| lock.queue.len())
    }

    /// The number of threads that wait now for `key`, or for another lock of its owner's that is of that kind.
    pub fn waiting_for_owner(&self, key: &Key, is_of_kind: impl Fn(&Key) -> bool) -> usize {
        let state = self.state();
        let Some(owner) = state.locks.get(key).map(|lock| lock.owner) else { return 0 };
        let counts = |other: &Key, lock: &Lock| other == key || lock.owner == owner && is_of_kind(other);
        state.locks.iter().filter(|(other, lock)| counts(other, lock)).map(|(_, lock)| lock.queue.len()).sum()
    }

    /// The locks that the thread which holds `key` has now, in no order.
    pub fn held_by_owner(&self, key: &Key) -> Vec<Key> {
        let state = self.state();
        let Some(owner) = state.locks.get(key).map(|lock| lock.owner) else { return Vec::new() };
        state.locks.iter().filter(|(_, lock)| lock.owner == owner).map(|(key, _)| key.clone()).collect()
    }

    /// The thread that holds `key` now.
    pub fn owner(&self, key: &Key) -> Option<ThreadId> {
        self.state().locks.get(key).map(|lock| lock.owner)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State<O>> {
        sync::lock(&self.state)
    }
}

impl<O: Clone> Default for Table<O> {
    fn default() -> Self {
        Self::new()
    }
}

impl<O: Clone> State<O> {
    /// Every edge of the graph. A wait that has its answer is none: its thread is about to run.
    pub(super) fn edges(&self) -> Vec<Edge> {
        let blocked = self.waits.values().filter(|wait| wait.answer.is_none());
        blocked.filter_map(|wait| Some((wait.thread, self.locks.get(&wait.key)?.owner))).collect()
    }

    /// Takes one off the depth of `me`'s hold and returns what is left.
    fn leave(&mut self, key: &Key, me: ThreadId) -> Result<u32, NotOwner> {
        match self.locks.get_mut(key) {
            Some(lock) if lock.owner == me => {
                lock.depth -= 1;
                Ok(lock.depth)
            }
            _ => Err(NotOwner { thread: me, file: String::from_utf8_lossy(&key.file).into_owned() }),
        }
    }

    /// Gives the free lock of `key` to the longest-waiting thread. It becomes the owner here and now, not when it
    /// wakes: a third thread that comes by in between must queue behind it.
    pub(super) fn hand_over(&mut self, key: &Key) -> Ended {
        let Some(lock) = self.locks.get_mut(key) else { return Ended::Free(0) };
        let heir = lock.queue.pop_front().and_then(|number| self.waits.get_mut(&number));
        let Some(wait) = heir else {
            self.locks.remove(key);
            return Ended::Free(0);
        };
        lock.owner = wait.thread;
        lock.depth = 1;
        wait.answer = Some(Answer::Granted);
        wait.wake.notify_one();
        Ended::HandedOver(wait.thread)
    }

    fn tell_all(&mut self, key: &Key, outcome: &O) -> Ended {
        let Some(lock) = self.locks.remove(key) else { return Ended::Free(0) };
        for number in &lock.queue {
            if let Some(wait) = self.waits.get_mut(number) {
                wait.answer = Some(Answer::Told(outcome.clone()));
                wait.wake.notify_one();
            }
        }
        Ended::Free(lock.queue.len())
    }
}
