//! Repairs the table in a forked child, where only the thread that forked lives on.

use super::key::ThreadId;
use super::state::State;
use super::table::Table;
use crate::sync::MutexGuard;

/// The table, held still across a fork: made before it, dropped after it in the parent and in the child.
///
/// Without it a fork could copy the table's mutex locked by a thread that the child does not have.
#[must_use = "the table is held still only as long as this lives"]
pub struct Frozen<'t, O: Clone> {
    state: MutexGuard<'t, State<O>>,
}

impl<O: Clone> Table<O> {
    /// Holds the table still, for a handler that runs before a fork.
    pub fn freeze(&self) -> Frozen<'_, O> {
        Frozen { state: self.state() }
    }
}

impl<O: Clone> Frozen<'_, O> {
    /// In the child: keeps what `me`, the thread that forked, holds, and forgets every other thread and every wait.
    pub fn after_fork_in_child(&mut self, me: ThreadId) {
        let state = &mut *self.state;
        state.locks.retain(|_, lock| lock.owner == me);
        for lock in state.locks.values_mut() {
            lock.queue.clear();
        }
        // Forgotten, not dropped: an outcome told to a thread that is gone may refer to Python objects, and the child
        // of a fork made outside Python does not hold the GIL here.
        std::mem::forget(std::mem::take(&mut state.waits));
    }
}
