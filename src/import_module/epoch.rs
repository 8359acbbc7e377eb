//! A number that is another in the child of a fork.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How often this process or one that it comes from has forked.
static EPOCH: AtomicUsize = AtomicUsize::new(0);

pub(super) fn current() -> usize {
    EPOCH.load(Ordering::Relaxed)
}

/// To be called in the child of each fork.
pub(super) fn begin_another() {
    EPOCH.fetch_add(1, Ordering::Relaxed);
}
