//! Cold starts under load: one interpreter per name, one call of `init` for each (R1, R2).
//!
//! That it is not so with the stock module is shown in `creation`, where the starts are slow: in a cold start as it
//! comes, a busy machine may let all of its threads find the interpreter that the first of them has made.

use std::time::Duration;

use modpython_live::coldstart::{CLIENTS, ColdStart, Outcome};
use modpython_live::expect::{STOP, all_answered};
use modpython_live::subjects::EVERYWHERE;
use modpython_live::{Module, Mpm, observe, subject};

crate::live_tests! {
    twenty_of_the_relinked_module_under_worker: EVERYWHERE.shaped(&["3.1"]),
    three_of_the_relinked_module_under_event_and_prefork: EVERYWHERE.shaped(&["3.1"]),
}

const LOAD: Duration = Duration::from_millis(700);

fn cold_start(module: Module, mpm: Mpm, autoreload: bool) -> Outcome {
    ColdStart { module, mpm, autoreload, load: LOAD }.run().expect("a cold start")
}

fn assert_sound(outcome: &Outcome) {
    assert_eq!(outcome.crashes, Vec::<String>::new());
    assert!(!outcome.stop.hung && outcome.stop.took <= STOP, "{:?}", outcome.stop);
    all_answered(&outcome.answers);
    let interpreters = observe::interpreters(&outcome.events, &outcome.answers);
    assert!(interpreters.keys().any(|(_, name)| name == "live.test"), "{interpreters:?}");
    assert!(interpreters.values().all(|tokens| tokens.len() == 1), "{interpreters:?}");
    let inits = observe::inits(&outcome.events);
    assert!(inits.values().all(|calls| *calls == 1), "{inits:?}");
    // Every interpreter that was started has a name: none was made and then not used.
    let started = outcome.events.iter().filter(|event| event.kind == "start" && event.time > outcome.began).count();
    let named = interpreters.keys().filter(|(_, name)| name != "main_interpreter").count();
    assert_eq!(started, named, "{interpreters:?}");
}

fn twenty_of_the_relinked_module_under_worker() {
    for number in 0..subject().times(20) {
        let outcome = cold_start(Module::Relinked, Mpm::Worker, number % 2 == 0);
        assert_sound(&outcome);
        let clients = outcome.answers.iter().map(|answer| answer.client).max();
        assert_eq!(clients, Some(CLIENTS - 1));
    }
}

fn three_of_the_relinked_module_under_event_and_prefork() {
    for mpm in [Mpm::Event, Mpm::Prefork] {
        for _ in 0..3 {
            assert_sound(&cold_start(Module::Relinked, mpm, true));
        }
    }
}
