//! While an interpreter is being made, others answer (R3).
//!
//! R7 (a thread that asks for the name it is itself making) has no test here: stock mod_python offers no way back into
//! `get_interpreter` from Python code that survives its answer NULL. The registry's own tests show it.

use std::thread;
use std::time::Duration;

use modpython_live::clients::{Answer, Load};
use modpython_live::expect::{all_good, clean_stop, shown};
use modpython_live::http;
use modpython_live::observe;
use modpython_live::subjects::EVERYWHERE;
use modpython_live::wait::wait_until;
use modpython_live::{Module, Server, Setup, site, subject};

crate::live_tests! {
    a_slow_interpreter_start_does_not_hold_up_others: EVERYWHERE.shaped(&["3.1"]),
    a_slow_init_does_not_hold_up_others: EVERYWHERE.shaped(&["3.1"]),
    stock_makes_several_during_a_slow_start: EVERYWHERE.shaped(&["3.1"]).from_source(),
    stock_calls_init_again_during_a_slow_init: EVERYWHERE.shaped(&["3.1"]).from_source(),
}

/// How long the instrumentation sleeps in a slow start.
const SLOW: u64 = 2_000_000;
/// Far above what an answer takes (about a millisecond), far below what it would take behind a slow start.
const USUAL: u64 = 1_000_000;
const WAITERS: usize = 4;

fn with_interpreters(module: Module, names: &[&str]) -> Server {
    let setup = names.iter().fold(Setup::new(module).preload("who"), |setup, name| {
        setup.directives(&site::handler_in(&format!("/{name}"), "who", &format!("PythonInterpreter {name}")))
    });
    setup.start().expect("a server")
}

fn interpreters_of(server: &Server, name: &str, answers: &[Answer]) -> usize {
    let events = observe::events(&server.notes()).expect("the notes");
    observe::interpreters(&events, answers)
        .iter()
        .filter(|((_, found), _)| found == name)
        .map(|(_, tokens)| tokens.len())
        .sum()
}

/// So many clients ask for the slow interpreter; while it starts, `meanwhile` runs.
fn during_a_slow_start(server: &Server, flag: &str, clients: usize, meanwhile: impl FnOnce()) -> Vec<Answer> {
    site::set_flag(&server.notes(), flag).expect("a flag");
    thread::scope(|scope| {
        let slow = scope.spawn(|| Load::new(server.port(), clients).run_times(1, |_, _| "/slow".to_owned()));
        let flag = server.notes().join(flag);
        wait_until("the slow start to begin", Duration::from_secs(10), || Ok((!flag.exists()).then_some(())))
            .expect("a slow start");
        meanwhile();
        slow.join().expect("the slow clients").answers
    })
}

fn assert_slow(answers: &[Answer]) {
    all_good(answers);
    assert!(answers.iter().any(|answer| answer.end >= SLOW), "nobody waited for the slow start: {answers:?}");
}

fn others_answer_during(flag: &str) {
    let server = with_interpreters(Module::Relinked, &["quick", "fresh", "slow", "main_interpreter"]);
    for path in ["/quick", "/main_interpreter"] {
        assert_eq!(http::get(server.port(), path).expect("an answer").status, 200);
    }
    let slow = during_a_slow_start(&server, flag, WAITERS, || {
        // One that exists, the main one, and one that has yet to be made. In Python 2, an interpreter starts with the
        // process's one lock for imports held, and so no module can start one meanwhile.
        let fresh = flag != site::SLOW_START || !subject().is_python2();
        let paths = ["/quick", "/main_interpreter", "/fresh"];
        let paths = if fresh { &paths[..] } else { &paths[..2] };
        let record = Load::new(server.port(), paths.len())
            .run_for(Duration::from_millis(300), |client, _| paths[client].to_owned());
        all_good(&record.answers);
        let longest = record.answers.iter().map(|answer| answer.end - answer.start).max();
        println!("{flag}: the longest of {} answers meanwhile took {longest:?} µs", record.answers.len());
        assert!(longest.is_some_and(|took| took < USUAL), "{longest:?} µs");
    });
    assert_slow(&slow);
    assert_eq!(interpreters_of(&server, "slow", &slow), 1);
    clean_stop(server);
}

fn a_slow_interpreter_start_does_not_hold_up_others() {
    others_answer_during(site::SLOW_START);
}

fn a_slow_init_does_not_hold_up_others() {
    others_answer_during(site::SLOW_INIT);
}

/// Stock holds up nobody, because it does not wait: everybody who asks meanwhile makes an interpreter of their own.
fn stock_makes_several_during_a_slow_start() {
    shown("several interpreters under one name", || {
        let server = with_interpreters(Module::Stock, &["slow"]);
        let slow = during_a_slow_start(&server, site::SLOW_START, WAITERS, || ());
        interpreters_of(&server, "slow", &slow) > 1
    });
}

/// A request during its maker's `init` finds the interpreter without its object, and calls `init` too.
fn stock_calls_init_again_during_a_slow_init() {
    shown("a second call of init in one interpreter", || {
        let server = with_interpreters(Module::Stock, &["slow"]);
        during_a_slow_start(&server, site::SLOW_INIT, 1, || {
            assert_eq!(http::get(server.port(), "/slow").expect("an answer").status, 200);
        });
        observe::inits(&observe::events(&server.notes()).expect("the notes")).into_values().any(|calls| calls > 1)
    });
}
