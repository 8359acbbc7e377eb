//! Drives the replacement imports of generation 3.5 as a module of that generation does, with a real CPython.
//!
//! Python and the registry exist once a process, so each scenario runs in a process of its own: this test starts itself
//! again with its name, and a scenario that hangs is ended and fails.

#[path = "rebind/host35.rs"]
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

use host::GENERATION;
use runner::{log_of, run};

#[test]
fn a_graceful_restart_works_while_switched_off() {
    let log = log_of(&run("a_graceful_restart_works_while_switched_off", &[("MODPYTHON_CORE", "off")]));
    assert!(log.contains("switched off by MODPYTHON_CORE=off"), "{log}");
}

#[test]
fn a_module_that_starts_otherwise_is_left_alone_with_one_warning() {
    let log = log_of(&run("a_module_that_starts_otherwise_is_left_alone_with_one_warning", &[]));
    assert_eq!(log.matches(&format!("does not start as generation {GENERATION} does")).count(), 1, "{log}");
}
