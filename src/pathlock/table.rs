//! The table itself. Nothing here blocks.

use super::graph;
use super::key::{Key, ThreadId};
use super::state::{Ended, Lock, NotOwner, State, Wait};
use super::ticket::Ticket;
use crate::sync::{self, Arc, Condvar, Mutex, MutexGuard};
use std::collections::{HashMap, VecDeque};

/// The answer of [`Table::try_begin`].
pub enum Begin<'t, O: Clone> {
    /// The lock is this thread's, now held this many times over. More than 1 means that an outer call of the same
    /// thread already holds it.
    Acquired(u32),
    /// Another thread holds it; the ticket keeps this thread's place in the queue.
    MustWait(Ticket<'t, O>),
    /// Waiting would never end: these threads, the caller first, each wait for the next, and the last for the caller.
    Cycle(Vec<ThreadId>),
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
        Begin::MustWait(Ticket::new(&self.state, number, wake))
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

    /// The number of threads that wait now for `key`, or for another lock of its owner's that is of that kind.
    pub fn waiting_for(&self, key: &Key, is_of_kind: impl Fn(&Key) -> bool) -> usize {
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

    /// Whether the thread waits for a key, or has not yet taken notice that it no longer has to.
    pub fn is_waiting(&self, thread: ThreadId) -> bool {
        self.state().waits.values().any(|wait| wait.thread == thread)
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
