//! A place in the queue of one lock: how a thread waits for it, asks about cycles meanwhile, and leaves.

use super::graph::{self, Edge};
use super::key::ThreadId;
use super::state::{Answer, State};
use crate::sync::{self, Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// A place in the queue of one lock. Dropping it leaves the queue; if the lock had been handed to this thread by
/// then, it goes on to the next.
#[must_use = "dropping the ticket gives up this thread's place in the queue"]
pub struct Ticket<'t, O: Clone> {
    state: &'t Mutex<State<O>>,
    number: u64,
    wake: Arc<Condvar>,
}

/// The end of a wait.
pub enum Waited<'t, O: Clone> {
    /// The lock is this thread's, held once.
    Acquired,
    /// The attempt that this thread waited on is over, and went like this. The lock is not this thread's.
    Told(O),
    /// The time is up; the place in the queue is kept.
    StillWaiting(Ticket<'t, O>),
}

/// The answer of [`Ticket::check`].
pub enum Checked<'t, O: Clone> {
    /// No cycle: go on waiting.
    Clear(Ticket<'t, O>),
    /// A cycle, as in [`Begin::Cycle`](super::Begin::Cycle). This thread has left the queue, which breaks it.
    Cycle(Vec<ThreadId>),
}

impl<'t, O: Clone> Ticket<'t, O> {
    pub(super) fn new(state: &'t Mutex<State<O>>, number: u64, wake: Arc<Condvar>) -> Self {
        Self { state, number, wake }
    }

    /// Blocks for at most `timeout` (`Duration::MAX`: without an end). The caller must not hold the GIL.
    pub fn wait(self, timeout: Duration) -> Waited<'t, O> {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = sync::lock(self.state);
        loop {
            if let Some(answer) = self.take_answer(&mut state) {
                return match answer {
                    Answer::Granted => Waited::Acquired,
                    Answer::Told(outcome) => Waited::Told(outcome),
                };
            }
            state = match deadline.map(|at| at.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => {
                    drop(state);
                    return Waited::StillWaiting(self);
                }
                Some(left) => self.wake.wait_timeout(state, left).unwrap_or_else(|poisoned| poisoned.into_inner()).0,
                None => sync::wait(&self.wake, state),
            };
        }
    }

    /// Looks for a cycle through `foreign` edges as well: pairs (thread that waits, thread it waits for) of locks that
    /// are not in this table, importlib's for one. If there is one, this thread leaves the queue in the same section,
    /// so that of several threads in one cycle exactly one leaves it.
    pub fn check(self, foreign: &[Edge]) -> Checked<'t, O> {
        let mut state = sync::lock(self.state);
        let waits_for = match state.waits.get(&self.number) {
            Some(wait) if wait.answer.is_none() => state.locks.get(&wait.key).map(|lock| (wait.thread, lock.owner)),
            _ => None,
        };
        let found = waits_for.and_then(|(me, owner)| {
            let mut edges = state.edges();
            edges.extend_from_slice(foreign);
            graph::cycle(me, owner, &edges)
        });
        if found.is_some() {
            state.withdraw(self.number);
        }
        drop(state);
        match found {
            Some(threads) => Checked::Cycle(threads),
            None => Checked::Clear(self),
        }
    }

    fn take_answer(&self, state: &mut State<O>) -> Option<Answer<O>> {
        state.waits.get_mut(&self.number)?.answer.take().inspect(|_| {
            state.waits.remove(&self.number);
        })
    }
}

impl<O: Clone> Drop for Ticket<'_, O> {
    fn drop(&mut self) {
        let left = sync::lock(self.state).withdraw(self.number);
        // An outcome nobody picked up is dropped here, outside the mutex: to drop one may mean to call Python.
        drop(left);
    }
}

impl<O: Clone> State<O> {
    /// Takes a wait out. A lock granted to it goes to the next in the queue.
    fn withdraw(&mut self, number: u64) -> Option<Answer<O>> {
        let wait = self.waits.remove(&number)?;
        match &wait.answer {
            Some(Answer::Granted) => {
                self.hand_over(&wait.key);
            }
            Some(Answer::Told(_)) => {}
            None => {
                if let Some(lock) = self.locks.get_mut(&wait.key) {
                    lock.queue.retain(|&queued| queued != number);
                }
            }
        }
        wait.answer
    }
}
