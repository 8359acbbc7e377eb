//! Locks per module file: a process-wide table keyed by (interpreter, file), with owners, re-entry, a wait graph that
//! finds a cycle before anybody blocks, and outcomes for those who waited on one attempt.
//!
//! This room knows no CPython. Its caller must not hold the GIL while it waits, and the types make that two steps:
//! [`Table::try_begin`] never blocks and may be called with the GIL held; only [`Ticket::wait`], on what it returns,
//! does block.
//!
//! ```text
//! try_begin ── Acquired(depth) ──────────────── end / finish(outcome)
//!     │
//!     ├─────── Cycle(threads)                    (nobody waits: the caller takes what is half made)
//!     │
//!     └─────── MustWait(ticket) ── check(edges) ─ wait(100 ms) ─┬─ Acquired
//!                      ▲                                        ├─ Told(outcome of the attempt waited on)
//!                      └──────────── StillWaiting(ticket) ──────┘
//! ```
//!
//! Everything is decided under one mutex, which is held for a few map operations and never across a wait: the wait
//! graph is only meaningful if no edge of it can move while it is read.

#![forbid(unsafe_code)]

mod fork;
mod graph;
mod key;
mod state;
mod table;
mod ticket;

pub use fork::Frozen;
pub use key::{Key, ThreadId};
pub use state::{Ended, NotOwner};
pub use table::{Begin, Table};
pub use ticket::{Checked, Ticket, Waited};

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
