//! Thread states: `PyGILState_*` works in the main interpreter (R6), and no request sees what another left (R9).

use modpython_live::clients::{Answer, Load};
use modpython_live::expect::{all_good, clean_stop};
use modpython_live::observe::field;
use modpython_live::subjects::{EVERYWHERE, PACKAGE};
use modpython_live::{Module, Mpm, Server, Setup, site, subject};

crate::live_tests! {
    gilstate_knows_every_request_in_the_main_interpreter: EVERYWHERE.shaped(&["3.1"]),
    gilstate_of_stock_does_not_know_all_of_them: EVERYWHERE.shaped(&["3.1"]).from_source(),
    nothing_of_a_request_is_seen_by_the_next: EVERYWHERE.shaped(&["3.1"]),
    stock_shows_one_users_data_to_the_next: PACKAGE,
}

const MPMS: [Mpm; 3] = [Mpm::Worker, Mpm::Event, Mpm::Prefork];
const CLIENTS: usize = 8;

/// Everything runs in the main interpreter: as soon as another one exists, PyGILState_Check answers 1 to everybody, and
/// on Python 3 its own answer is looked at too.
fn in_main(module: Module, mpm: Mpm) -> Server {
    Setup::new(module)
        .preload("gilstate")
        .mpm(mpm, CLIENTS as u32)
        .directives(&site::handler_in("/gilstate", "gilstate", "PythonInterpreter main_interpreter"))
        .start()
        .expect("a server")
}

fn checks(answers: &[Answer]) -> Vec<String> {
    answers
        .iter()
        .flat_map(|answer| {
            // "outer=1": the answer that the request around a nested one saw.
            let outer = field(answer, "outer").and_then(|outer| outer.strip_prefix("outer=").map(str::to_owned));
            [field(answer, "check"), field(answer, "python"), outer].into_iter().flatten()
        })
        .collect()
}

fn gilstate_knows_every_request_in_the_main_interpreter() {
    for mpm in MPMS {
        let server = in_main(Module::Relinked, mpm);
        let paths = ["/gilstate/plain", "/gilstate/nested", "/gilstate/ensure"];
        let record = Load::new(server.port(), CLIENTS)
            .run_times(60, |client, turn| paths[(client + turn) % paths.len()].to_owned());
        all_good(&record.answers);
        let checks = checks(&record.answers);
        let own = record.answers.iter().filter(|answer| field(answer, "python").is_some()).count();
        assert_eq!(own, if subject().is_python2() { 0 } else { record.answers.len() }, "{mpm}");
        // A nested request reports twice.
        assert!(checks.len() > record.answers.len() + own, "{mpm}: {} reports", checks.len());
        // 3.1.x has a sub-interpreter of that name.
        let main = |answer: &Answer| field(answer, "main").as_deref() == Some("true");
        assert!(record.answers.iter().all(main), "{mpm}: main_interpreter is not the real one");
        assert!(checks.iter().all(|check| check == "1"), "{mpm}: {checks:?}");
        clean_stop(server);
    }
}

/// No PyGILState_Ensure here: with the stock module that request would never end.
fn gilstate_of_stock_does_not_know_all_of_them() {
    for mpm in MPMS {
        let server = in_main(Module::Stock, mpm);
        let record = Load::new(server.port(), CLIENTS).run_times(20, |_, turn| {
            let path = if turn % 2 == 0 { "plain" } else { "nested" };
            format!("/gilstate/{path}")
        });
        let checks = checks(&record.answers);
        assert!(checks.iter().any(|check| check == "0"), "{mpm}: {checks:?}");
    }
}

fn leftovers(module: Module, interpreter: &str) -> Server {
    Setup::new(module)
        .preload("leftovers")
        .directives(&site::handler_in("/leftovers", "leftovers", &format!("PythonInterpreter {interpreter}")))
        .start()
        .expect("a server")
}

/// The fields that a handler reports, with the answer if nothing was left.
fn what_could_be_left() -> &'static [(&'static str, &'static str)] {
    const ALL: [(&str, &str); 4] = [("local", "null"), ("trace", "false"), ("profile", "false"), ("context", "null")];
    // Python 2 has no context variables.
    if subject().is_python2() { &ALL[..3] } else { &ALL }
}

fn ask_as_users(server: &Server, clients: usize) -> Vec<Answer> {
    Load::new(server.port(), clients).run_times(50, |client, turn| format!("/leftovers/x?user-{client}-{turn}")).answers
}

fn nothing_of_a_request_is_seen_by_the_next() {
    for interpreter in ["main_interpreter", "some"] {
        let server = leftovers(Module::Relinked, interpreter);
        for clients in [1, 32] {
            let answers = ask_as_users(&server, clients);
            all_good(&answers);
            for answer in &answers {
                for (name, nothing) in what_could_be_left() {
                    let found = field(answer, name);
                    assert_eq!(
                        found.as_deref(),
                        Some(*nothing),
                        "{interpreter}, {clients} clients: {name}, {answer:?}"
                    );
                }
            }
        }
        clean_stop(server);
    }
}

fn stock_shows_one_users_data_to_the_next() {
    let server = leftovers(Module::Stock, "some");
    let answers = ask_as_users(&server, 1);
    for (name, _) in what_could_be_left() {
        let kept = answers
            .iter()
            .filter(|answer| field(answer, name).is_some_and(|found| found != "null" && found != "false"))
            .count();
        println!("stock, {name}: kept from one request to the next {kept} of {} times", answers.len());
    }
    assert!(answers.iter().any(|answer| field(answer, "local").is_some_and(|user| user.starts_with("user-"))));
}
