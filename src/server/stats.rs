//! Counters of what is rare, for tests and for whoever looks into a running server.
//!
//! The hit path counts nothing: a counter that all threads write would cost more than the look-up.

use crossbeam_utils::CachePadded;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counters of this process, in the order in which `modpython_core_stats` hands them out.
        #[derive(Default)]
        pub struct Stats {
            $($(#[$doc])* pub $name: AtomicU64,)*
        }

        impl Stats {
            const fn new() -> Self {
                Self { $($name: AtomicU64::new(0),)* }
            }

            /// All counters, in the order of their declaration.
            pub fn read(&self) -> impl Iterator<Item = u64> + '_ {
                [$(&self.$name,)*].into_iter().map(|counter| counter.load(Ordering::Relaxed))
            }
        }
    };
}

counters! {
    /// Interpreters created.
    interpreters,
    /// Callback objects made.
    callbacks,
    /// Attempts to make one of the two that failed.
    failures,
    /// Requests that were refused, those that waited for a failing attempt among them.
    refusals,
}

/// The counters of this process, in cache lines of their own: beside what is written may lie what every request reads.
pub static STATS: CachePadded<Stats> = CachePadded::new(Stats::new());

/// Adds one.
pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
