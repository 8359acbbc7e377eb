//! The locks and atomics of this crate: those of std, or of the model checker that looks at every interleaving.
//!
//! `--cfg loom` gives loom's, `--cfg shuttle` shuttle's. The rooms that are model-checked name their primitives
//! through this module alone. The publish-once cell is ours, because neither checker has one.

#[cfg(loom)]
pub use loom::{
    sync::{Arc, Condvar, Mutex, MutexGuard, atomic},
    thread,
};
#[cfg(shuttle)]
pub use shuttle::{
    sync::{Arc, Condvar, Mutex, MutexGuard, atomic},
    thread,
};
#[cfg(not(any(loom, shuttle)))]
pub use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, atomic},
    thread,
};

use atomic::{AtomicU8, Ordering};
use std::mem::MaybeUninit;

/// Loom's cell checks each access for a data race; std's is given the same face here.
#[cfg(loom)]
use loom::cell::UnsafeCell;
#[cfg(not(loom))]
struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }
    #[inline]
    fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
        access(self.0.get())
    }
    fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        access(self.0.get())
    }
}

/// Locks `mutex`, also after a panic under it: what it guards is changed in one piece by every section of this crate,
/// so that a panic cannot leave it half-made, and a poisoned lock would refuse every later request.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Waits on `condvar`, with the same view of poisoning as [`lock`].
pub fn wait<'m, T>(condvar: &Condvar, guard: MutexGuard<'m, T>) -> MutexGuard<'m, T> {
    condvar.wait(guard).unwrap_or_else(|poisoned| poisoned.into_inner())
}

const EMPTY: u8 = 0;
const WRITING: u8 = 1;
const PUBLISHED: u8 = 2;

/// A value that is written once, and from then on read by any thread with one load.
///
/// Unlike `std::sync::OnceLock` it never blocks: a second writer gets its value back at once.
pub struct PublishOnce<T> {
    state: AtomicU8,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: the value is handed to other threads by reference (T: Sync) and may be dropped by another than its
// writer (T: Send); `state` orders the one write before every read.
unsafe impl<T: Send + Sync> Sync for PublishOnce<T> {}
// SAFETY: the cell owns its value, and has no tie to the thread that made it.
unsafe impl<T: Send> Send for PublishOnce<T> {}

impl<T> PublishOnce<T> {
    /// An empty cell.
    pub fn new() -> Self {
        Self { state: AtomicU8::new(EMPTY), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// The value, if it has been published.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        if self.state.load(Ordering::Acquire) != PUBLISHED {
            return None;
        }
        // SAFETY: PUBLISHED is stored with Release after the one write, and nothing writes after it, so the value is
        // initialised and shared references to it may live as long as the cell.
        Some(self.value.with(|value| unsafe { (*value).assume_init_ref() }))
    }

    /// Publishes `value`, or gives it back if another value is there or on its way.
    pub fn publish(&self, value: T) -> Result<&T, T> {
        // Must be a compare-and-swap, not a load and a store: of two writers one has to be turned away before it
        // touches the value.
        if self.state.compare_exchange(EMPTY, WRITING, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return Err(value);
        }
        // SAFETY: only the thread that moved EMPTY to WRITING comes here, once in the cell's life, and readers stay
        // away until PUBLISHED.
        self.value.with_mut(|slot| unsafe { (*slot).write(value) });
        self.state.store(PUBLISHED, Ordering::Release);
        // SAFETY: as in `get`; this thread has just published.
        Ok(self.value.with(|value| unsafe { (*value).assume_init_ref() }))
    }
}

impl<T> Default for PublishOnce<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for PublishOnce<T> {
    fn drop(&mut self) {
        if self.state.load(Ordering::Relaxed) == PUBLISHED {
            // SAFETY: the value was published, `&mut self` says that nobody reads it, and it is dropped once.
            self.value.with_mut(|value| unsafe { (*value).assume_init_drop() });
        }
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;

    #[test]
    fn of_two_that_publish_at_once_one_is_turned_away() {
        loom::model(|| {
            let cell = Arc::new(PublishOnce::new());
            let other = {
                let cell = Arc::clone(&cell);
                thread::spawn(move || cell.publish(1).is_ok())
            };
            let here = cell.publish(2).is_ok();
            let there = other.join().unwrap();
            assert!(here != there, "each cell is written once");
            assert_eq!(cell.get(), Some(if here { &2 } else { &1 }));
        });
    }
}
