//! Real applications of the distribution under load: every answer is the one that stock gives in one process to one
//! client. `MODPYTHON_LIVE_LONG=1` makes it long.

use std::env;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use modpython_live::bed::ground::{Ground, Kind};
use modpython_live::bed::oracle::{self, Answers};
use modpython_live::bed::run::Run;
use modpython_live::bed::visit::Visit;
use modpython_live::bed::visits;
use modpython_live::subjects::PACKAGE;
use modpython_live::{Module, Mpm};

crate::live_tests! {
    applications_under_worker_in_a_named_interpreter: PACKAGE,
    applications_under_worker_in_the_main_interpreter: PACKAGE,
    applications_under_event_in_a_named_interpreter: PACKAGE,
    applications_under_event_in_the_main_interpreter: PACKAGE,
    applications_under_prefork_in_a_named_interpreter: PACKAGE,
    applications_under_prefork_in_the_main_interpreter: PACKAGE,
    applications_with_a_debugging_allocator: PACKAGE,
}

struct Bed {
    ground: Ground,
    visits: Vec<Visit>,
    answers: Answers,
}

/// Laid out once for all tests of this binary: the oracle takes its time.
static BED: Mutex<Option<Arc<Bed>>> = Mutex::new(None);

fn kept() -> MutexGuard<'static, Option<Arc<Bed>>> {
    BED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bed() -> Arc<Bed> {
    Arc::clone(kept().get_or_insert_with(|| {
        let begin = Instant::now();
        let ground = Ground::new().expect("the applications");
        let visits = visits::all();
        let answers = oracle::ask(&ground, &visits).unwrap_or_else(|error| panic!("{error}"));
        let all: usize = visits.iter().map(Visit::length).sum();
        println!("the oracle: {} visits, {all} requests, {:.0} s", visits.len(), begin.elapsed().as_secs_f64());
        Arc::new(Bed { ground, visits, answers })
    }))
}

/// Removes what was laid out, after the last test.
pub fn clear() {
    kept().take();
}

fn long() -> bool {
    env::var_os("MODPYTHON_LIVE_LONG").is_some()
}

fn duration() -> Duration {
    Duration::from_secs(if long() { 60 } else { 3 })
}

/// Stock fails, and only shows its figures. Ours must not.
fn applications(mpm: Mpm, kind: Kind, debug_malloc: bool, beside_stock: bool) {
    let bed = bed();
    let run = |module| {
        let run = Run { module, mpm, kind, duration: duration(), debug_malloc };
        let outcome = run.run(&bed.ground, &bed.visits, &bed.answers).expect("a run");
        println!("{run}: {outcome}");
        outcome
    };
    if beside_stock || long() {
        run(Module::Stock);
    }
    let outcome = run(Module::Relinked);
    let sites: Vec<_> = outcome.sites.iter().filter(|(_, counts)| counts.right > 0).map(|(site, _)| site).collect();
    assert!(outcome.is_good(), "{}\n{:?}\n{:?}", outcome.examples.join("\n"), outcome.crashes, outcome.changed);
    assert!(outcome.unchanged > 0, "no request around another one was asked");
    assert_eq!(sites.len(), bed.visits.iter().map(|visit| visit.site).collect::<std::collections::BTreeSet<_>>().len());
}

fn applications_under_worker_in_a_named_interpreter() {
    applications(Mpm::Worker, Kind::Named, false, true);
}

fn applications_under_worker_in_the_main_interpreter() {
    applications(Mpm::Worker, Kind::Main, false, false);
}

fn applications_under_event_in_a_named_interpreter() {
    applications(Mpm::Event, Kind::Named, false, false);
}

fn applications_under_event_in_the_main_interpreter() {
    applications(Mpm::Event, Kind::Main, false, false);
}

fn applications_under_prefork_in_a_named_interpreter() {
    applications(Mpm::Prefork, Kind::Named, false, false);
}

fn applications_under_prefork_in_the_main_interpreter() {
    applications(Mpm::Prefork, Kind::Main, false, false);
}

/// Memory that is used after it was given back, or written past its end, ends the process.
fn applications_with_a_debugging_allocator() {
    applications(Mpm::Worker, Kind::Named, true, false);
}
