//! Loads that fail: everybody who waits shares one attempt (I5), and service begins once the file is repaired.

use std::io::Result;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use modpython_live::clients::{Answer, Load, Outcome, Record};
use modpython_live::expect::{all_answered, all_good, clean_stop};
use modpython_live::loads::loads_of;
use modpython_live::observe::outcomes;
use modpython_live::subjects::EVERYWHERE;
use modpython_live::versions::{let_all_write, replace, versioned};
use modpython_live::wait::wait_until;
use modpython_live::{Module, Mpm, Server, Setup, http, site, subject};

crate::live_tests! {
    one_attempt_fails_for_all_who_wait: EVERYWHERE.shaped(&["3.1"]),
    stock_does_not_wait_for_the_load_to_end: EVERYWHERE.shaped(&["3.1"]).from_source(),
    each_failure_is_a_500_and_one_line_until_the_file_is_repaired: EVERYWHERE.shaped(&["3.1"]),
}

const CLIENTS: usize = 32;
/// More than clients: while all of them wait, somebody has to tell so.
const WORKERS: u32 = 40;
/// The flag that the load waits for.
const FAIL: &str = "fail-now";
/// So many looks in a row have to find no thread moving.
const STILL: usize = 20;
/// Seconds from the end of the attempt until the last client that waited for it has its answer, at most. One of so many
/// tries has to hold this: a machine may have something else to do in another.
const ALLOWANCE: f64 = 0.3;
const TRIES: usize = 4;

fn start(module: Module, text: &str) -> Server {
    let server = Setup::new(module)
        .mpm(Mpm::Worker, WORKERS)
        .preload("waiting loadnotes")
        .directives(&site::handler("waiting"))
        .directives("<Directory \"${HTDOCS}/app\">\nSetHandler mod_python\nPythonHandler failing\n</Directory>")
        .file("app/failing.py", text)
        .start()
        .expect("a server");
    let_all_write(&server.htdocs().join("app")).expect("permissions");
    server
}

fn ask(server: &Server, times: usize) -> Record {
    Load::new(server.port(), CLIENTS).run_times(times, |_, _| "/app/page".to_owned())
}

/// The places of the threads that import the handler without running its file, and their number.
fn waiting(server: &Server) -> Result<(u64, String)> {
    let body: serde_json::Value = serde_json::from_slice(&http::get(server.port(), "/waiting?failing")?.body)?;
    Ok((body["threads"].as_u64().unwrap_or_default(), body["places"].to_string()))
}

/// Waits until all clients but the one whose thread runs the file rest inside of import_module.
fn wait_for_all(server: &Server) {
    let (mut last, mut still) = (String::new(), 0);
    wait_until("all clients to wait", Duration::from_secs(10), || {
        let (threads, places) = waiting(server)?;
        still = if threads == CLIENTS as u64 - 1 && places == last { still + 1 } else { 0 };
        last = places;
        Ok((still >= STILL).then_some(()))
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", server.error_log()));
}

#[track_caller]
fn all_failed(answers: &[Answer]) {
    assert!(answers.iter().all(|answer| answer.outcome == Outcome::Status(500)), "{:?}", outcomes(answers));
}

/// Our lines of the error log, one for each attempt.
fn attempts_logged(server: &Server) -> usize {
    server.logged("mod_python: import of module 'failing'").len()
}

fn repair(server: &Server) {
    replace(&server.htdocs().join("app/failing.py"), &versioned(7, 0.0)).expect("a repaired file");
    all_good(&ask(server, 3).answers);
}

fn one_attempt_fails_for_all_who_wait() {
    let in_time = (0..TRIES).any(|_| last_answer_of_a_failure() <= ALLOWANCE);
    assert!(in_time, "the last of those who waited had its answer after more than {ALLOWANCE} s each time");
}

/// When the last of all who waited had its answer, in seconds after the end of the attempt.
fn last_answer_of_a_failure() -> f64 {
    let server = start(Module::Relinked, include_str!("../python/failing.py"));
    let record = thread::scope(|scope| {
        let clients = scope.spawn(|| ask(&server, 1));
        wait_for_all(&server);
        site::set_flag(&server.notes(), FAIL).expect("a flag");
        clients.join().expect("the clients")
    });
    all_failed(&record.answers);
    assert_eq!(record.answers.len(), CLIENTS);
    let loads = loads_of(&server.notes(), "app/failing.py").expect("the notes");
    assert_eq!(loads.len(), 1, "{loads:?}");
    let end = loads[0].end.expect("the end of the attempt");
    // Clients begin a moment after the load does, so these times are early, by less than some milliseconds.
    let answered = |answer: &Answer| record.began + answer.end as f64 / 1e6;
    let first = record.answers.iter().map(answered).fold(f64::INFINITY, f64::min) - end;
    let last = record.answers.iter().map(answered).fold(f64::NEG_INFINITY, f64::max) - end;
    println!("relinked: {CLIENTS} answers from {first:.3} to {last:.3} s after the end of the one attempt");
    assert_eq!(attempts_logged(&server), 1, "{}", server.error_log());
    repair(&server);
    clean_stop(server);
    last
}

/// Those who ask together with the first one wait for importlib's own lock. Those who come once the load has begun do
/// not: the flag is set only when one of them has an answer. In 3.1.x they run the file themselves, and the flag is set
/// only when one of them has begun to.
fn stock_does_not_wait_for_the_load_to_end() {
    let server = start(Module::Stock, include_str!("../python/failing.py"));
    // One client makes the interpreter: stock would otherwise make many, each with a load of its own.
    waiting(&server).expect("an answer");
    let begun = || Ok((!loads_of(&server.notes(), "app/failing.py")?.is_empty()).then_some(()));
    let answered = AtomicUsize::new(0);
    let (early, record) = thread::scope(|scope| {
        let clients = scope.spawn(|| {
            Load::new(server.port(), CLIENTS).run(|client, turn, _| {
                if turn > 0 {
                    answered.fetch_add(1, Ordering::Relaxed);
                    return ControlFlow::Break(());
                }
                if client > 0 {
                    wait_until("the load to begin", Duration::from_secs(10), begun).expect("a load");
                }
                ControlFlow::Continue("/app/page".to_owned())
            })
        });
        let early = wait_until("an answer or another load during the load", Duration::from_secs(10), || {
            let answered = answered.load(Ordering::Relaxed);
            let again = subject().is_lookalike() && loads_of(&server.notes(), "app/failing.py")?.len() > 1;
            Ok((again || answered > 0).then_some(answered))
        });
        site::set_flag(&server.notes(), FAIL).expect("a flag");
        (early, clients.join().expect("the clients"))
    });
    let early = early.expect("stock waited");
    let attempts = loads_of(&server.notes(), "app/failing.py").expect("the notes").len();
    println!("stock: {early} or more of {} answers during the load; {attempts} attempts", record.answers.len());
}

/// Ways to fail, as the text of the file and what our line names.
const FAILURES: [(&str, &str); 4] = [
    ("def handler(req:\n    return\n", "SyntaxError"),
    ("import loadnotes\nloadnotes.Load(__file__)\nraise ValueError('broken on purpose')\n", "ValueError"),
    ("import loadnotes, time\nloadnotes.Load(__file__)\ntime.sleep(0.2)\nraise SystemExit(3)\n", "SystemExit"),
    (
        "import loadnotes, time\nloadnotes.Load(__file__)\ntime.sleep(0.2)\nraise KeyboardInterrupt\n",
        "KeyboardInterrupt",
    ),
];

fn each_failure_is_a_500_and_one_line_until_the_file_is_repaired() {
    for (text, named) in FAILURES {
        let server = start(Module::Relinked, text);
        // One request after the other, so each is an attempt of its own.
        let answers = Load::new(server.port(), 1).run_times(3, |_, _| "/app/page".to_owned()).answers;
        all_answered(&answers);
        all_failed(&answers);
        assert_eq!(attempts_logged(&server), 3, "{named}:\n{}", server.error_log());
        let record = ask(&server, 2);
        all_answered(&record.answers);
        all_failed(&record.answers);
        let lines = server.logged("mod_python: import of module 'failing'");
        assert!(lines.iter().all(|line| line.contains(named)), "{lines:?}");
        let runs = loads_of(&server.notes(), "app/failing.py").expect("the notes").len();
        println!("relinked, {named}: {} answers, {} attempts", answers.len() + record.answers.len(), lines.len());
        // A file that does not compile leaves no note of its own.
        if named != "SyntaxError" {
            assert_eq!(lines.len(), runs, "{named}");
        }
        assert!(lines.len() > 3 && lines.len() <= 3 + record.answers.len(), "{named}: {lines:?}");
        repair(&server);
        assert_eq!(attempts_logged(&server), lines.len(), "{named}");
        clean_stop(server);
    }
}
