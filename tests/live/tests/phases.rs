//! A phase of a request leaves data in its thread for the next phase, and for no other request (R9).

use modpython_live::clients::{Answer, Load};
use modpython_live::expect::{all_good, clean_stop};
use modpython_live::subjects::{EVERYWHERE, PACKAGE};
use modpython_live::wait::wait_until;
use modpython_live::{Module, Mpm, Server, Setup, http, site, site::EVENTS};
use std::{fs, time::Duration};

crate::live_tests! {
    a_phase_finds_what_the_one_before_has_left_and_nothing_else: EVERYWHERE,
    a_nested_request_is_on_its_own_and_its_phases_are_not: EVERYWHERE,
    a_filter_finds_what_its_call_before_has_left: EVERYWHERE,
    an_error_document_is_of_the_request_that_asked: EVERYWHERE,
    destructors_that_leave_heirs_do_not_end_the_child: EVERYWHERE,
    stock_keeps_what_a_phase_leaves_for_whoever_comes_next: PACKAGE,
}

const MPMS: [Mpm; 3] = [Mpm::Worker, Mpm::Event, Mpm::Prefork];
const CLIENTS: usize = 16;
/// The name of requests that do not count.
const WARM: &str = "0";

fn journey(module: Module, mpm: Mpm, interpreter: &str) -> Server {
    let interpreter = format!("PythonInterpreter {interpreter}\n");
    let phases = "PythonAccessHandler journey::access\nPythonLogHandler journey::log\n\
                  PythonCleanupHandler journey::at_end\n";
    let server = Setup::new(module)
        .preload("journey")
        .mpm(mpm, CLIENTS as u32)
        .directives(&site::handler_in("/journey", "journey", &format!("{interpreter}{phases}")))
        .directives(&site::handler_in(
            "/around",
            "journey::around",
            &format!("{interpreter}PythonAccessHandler journey::access"),
        ))
        .directives("PythonOutputFilter journey::counting COUNTING")
        .directives(&site::handler_in(
            "/pieces",
            "journey::in_pieces",
            &format!("{interpreter}SetOutputFilter COUNTING"),
        ))
        .directives(&site::handler_in("/heirs", "journey::heirs", &interpreter))
        .directives(&site::handler_in(
            "/missing",
            "journey::missing",
            &format!("{interpreter}PythonAccessHandler journey::access\nErrorDocument 404 /error"),
        ))
        .directives(&site::handler_in("/error", "journey::error_page", &interpreter))
        .directives(&site::handler_in("/alive", "journey::alive", &interpreter))
        .start()
        .expect("a server");
    // 3.3's importer loads a module again for each of the first requests: each copy has thread-local data of its own.
    for location in ["journey", "around", "pieces", "missing", "heirs"] {
        http::get(server.port(), &format!("/{location}/x?{WARM}")).expect("an answer");
    }
    server
}

/// An answer's request, as `ask` has numbered them.
fn names(answers: &[Answer]) -> Vec<(String, &Answer)> {
    let mut turns = [0; CLIENTS];
    let number = |answer: &Answer, turns: &mut [usize; CLIENTS]| {
        turns[answer.client] += 1;
        format!("{}-{}", answer.client, turns[answer.client] - 1)
    };
    answers.iter().map(|answer| (number(answer, &mut turns), answer)).collect()
}

fn ask(server: &Server, clients: usize, location: &str) -> Vec<Answer> {
    let path = |client, turn| format!("/{location}/x?{client}-{turn}");
    Load::new(server.port(), clients).run_times(40, path).answers
}

/// The findings of the phases after the answer: request, phase, the data that was there.
fn later(server: &Server) -> Vec<[String; 3]> {
    let notes = fs::read_to_string(server.notes().join(EVENTS)).expect("notes");
    let is_warm = |line: &str| line.split('\t').any(|field| field == "id=0" || field == "id=0-inner");
    let of_journey = notes.lines().filter(|line| line.contains("event=journey") && !is_warm(line));
    let field = |line: &str, name| {
        let start = format!("{name}=");
        line.split('\t').find_map(|field| field.strip_prefix(&start)).expect("a field of the note").to_owned()
    };
    of_journey.map(|line| ["id", "phase", "found"].map(|name| field(line, name))).collect()
}

/// The data that a phase finds.
fn before(name: &str, phase: &str) -> String {
    let phases = ["access", "handler", "log", "cleanup", "end", "last"];
    let gone = phases.iter().take_while(|other| **other != phase);
    gone.map(|gone| format!("{name}-{gone}")).collect::<Vec<_>>().join(",")
}

fn a_phase_finds_what_the_one_before_has_left_and_nothing_else() {
    for mpm in MPMS {
        for interpreter in ["main_interpreter", "some"] {
            let server = journey(Module::Relinked, mpm, interpreter);
            for clients in [1, CLIENTS] {
                let answers = ask(&server, clients, "journey");
                all_good(&answers);
                for (name, answer) in names(&answers) {
                    assert_eq!(answer.body, before(&name, "handler"), "{mpm}, {interpreter}, {clients} clients");
                }
            }
            let requests = 40 + 40 * CLIENTS;
            let later = wait_until("the notes of all requests", Duration::from_secs(10), || {
                let later = later(&server);
                Ok((later.len() == 4 * requests).then_some(later))
            });
            let mut elsewhere = 0;
            for [name, phase, found] in later.expect("four notes a request") {
                // event may end a request in another thread than it was served by; there nothing is found.
                if found != before(&name, &phase) {
                    assert!(mpm == Mpm::Event, "{mpm}, {interpreter}: {name}, {phase}: {found}");
                    let foreign = found.split(',').any(|found| !found.starts_with(&name));
                    assert!(found.is_empty() || !foreign, "{mpm}, {interpreter}: {name}, {phase}: {found}");
                    elsewhere += 1;
                }
            }
            println!("{mpm}, {interpreter}: {requests} requests, {elsewhere} phases in another thread");
            // This request's own, and nothing of those before.
            let alive = wait_until("the end of what was left", Duration::from_secs(5), || {
                let alive = http::get(server.port(), "/alive")?.text();
                Ok((alive == "0").then_some(()))
            });
            assert!(alive.is_ok(), "{mpm}, {interpreter}: what requests have left is alive");
            clean_stop(server);
        }
    }
}

fn a_nested_request_is_on_its_own_and_its_phases_are_not() {
    for mpm in MPMS {
        let server = journey(Module::Relinked, mpm, "some");
        let answers = ask(&server, CLIENTS, "around");
        all_good(&answers);
        let later = later(&server);
        let around = |name: &str| later.iter().find(|[id, phase, _]| id == name && phase == "around");
        for (name, answer) in names(&answers) {
            assert_eq!(answer.body, before(&format!("{name}-inner"), "handler"), "{mpm}");
            let found = around(&name).map(|[_, _, found]| found.as_str());
            assert_eq!(found, Some(format!("{name}-access {name}-access,{name}-around").as_str()), "{mpm}");
        }
        clean_stop(server);
    }
}

fn a_filter_finds_what_its_call_before_has_left() {
    for (mpm, interpreter) in [(Mpm::Worker, "main_interpreter"), (Mpm::Prefork, "some"), (Mpm::Event, "some")] {
        let server = journey(Module::Relinked, mpm, interpreter);
        let answers = Load::new(server.port(), CLIENTS).run_times(20, |_, _| "/pieces/x".to_owned()).answers;
        assert!(answers.iter().all(|answer| answer.body == "1:a 2:b 3:c "), "{mpm}: {:?}", answers[0]);
        clean_stop(server);
    }
}

fn an_error_document_is_of_the_request_that_asked() {
    for mpm in MPMS {
        let server = journey(Module::Relinked, mpm, "some");
        let answers = ask(&server, CLIENTS, "missing");
        for (name, answer) in names(&answers) {
            assert_eq!(answer.body, format!("{name}-access,{name}-missing"), "{mpm}");
        }
        let cleanups = wait_until("the cleanups", Duration::from_secs(5), || {
            let later = later(&server);
            Ok((later.len() == answers.len()).then_some(later))
        });
        for [name, _, found] in cleanups.expect("one a request") {
            let own = format!("{name}-access,{name}-missing,{name}-error");
            assert!(found == own || mpm == Mpm::Event && found.is_empty(), "{mpm}: {name}: {found}");
        }
        clean_stop(server);
    }
}

/// A child was aborted where destructors in the main interpreter left something anew, 16 times and more.
fn destructors_that_leave_heirs_do_not_end_the_child() {
    for mpm in MPMS {
        let server = journey(Module::Relinked, mpm, "main_interpreter");
        let answers = Load::new(server.port(), 4).run_times(15, |_, turn| format!("/heirs/x?{}", 10 + turn)).answers;
        assert!(answers.iter().all(|answer| answer.body == "None"), "{mpm}: {answers:?}");
        clean_stop(server);
    }
}

/// Of generation 3.5, in Python 3.9 and later: it keeps the state that it gave back last.
fn stock_keeps_what_a_phase_leaves_for_whoever_comes_next() {
    let server = journey(Module::Stock, Mpm::Prefork, "some");
    let answers = ask(&server, 1, "journey");
    let own = before("0-1", "handler");
    assert!(answers[1].body.ends_with(&own) && answers[1].body != own, "{:?}", answers[1]);
}
