//! The data under the table's mutex: locks, waits and the graph between them. Nothing here blocks.

use super::graph::Edge;
use super::key::{Key, ThreadId};
use crate::sync::{Arc, Condvar};
use std::collections::{HashMap, VecDeque};

/// The outcome of a release.
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
    pub(super) next_wait: u64,
}

impl<O: Clone> State<O> {
    /// Every edge of the graph. A wait that already has its answer is not an edge; its thread is about to run.
    pub(super) fn edges(&self) -> Vec<Edge> {
        let blocked = self.waits.values().filter(|wait| wait.answer.is_none());
        blocked.filter_map(|wait| Some((wait.thread, self.locks.get(&wait.key)?.owner))).collect()
    }

    /// Takes one off the depth of `me`'s hold and returns what is left.
    pub(super) fn leave(&mut self, key: &Key, me: ThreadId) -> Result<u32, NotOwner> {
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

    pub(super) fn tell_all(&mut self, key: &Key, outcome: &O) -> Ended {
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
