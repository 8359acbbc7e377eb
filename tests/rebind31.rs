//! Drives the replacement imports of generation 3.1 as a module of that generation does, with a real CPython.
//!
//! Python and the registry exist once a process, so each scenario runs in a process of its own: this test starts itself
//! again with its name, and a scenario that hangs is ended and fails.

#![cfg(not(feature = "python3"))]

#[path = "rebind/host31.rs"]
mod host;
#[path = "rebind/phases.rs"]
mod phases;
#[path = "rebind/pool.rs"]
mod pool;
#[path = "rebind/requests.rs"]
mod requests;
#[path = "rebind/runner.rs"]
mod runner;
#[path = "rebind/scenarios.rs"]
mod scenarios;
#[path = "rebind/separate.rs"]
mod separate;
#[path = "rebind/shared.rs"]
mod shared;
