//! Interpreters that cannot be had: the answers to requests for them, while nobody else is hurt (R4, R10).

use std::collections::BTreeSet;
use std::time::Duration;

use modpython_live::clients::{Answer, Load, Outcome};
use modpython_live::expect::{all_answered, all_good, clean_stop, shown};
use modpython_live::subjects::{EVERYWHERE, PACKAGE};
use modpython_live::wait::wait_until;
use modpython_live::{Module, Server, Setup, crash, http, observe, site};

crate::live_tests! {
    a_third_interpreter_past_a_limit_of_two_is_refused: EVERYWHERE.shaped(&["3.1"]),
    stock_knows_no_limit: EVERYWHERE.shaped(&["3.1"]).from_source(),
    service_begins_when_the_package_is_repaired: EVERYWHERE.shaped(&["3.1"]),
    stock_makes_several_interpreters_when_the_package_is_broken: EVERYWHERE.shaped(&["3.1"]).from_source(),
    a_crash_tells_its_place: PACKAGE,
}

const LIMIT: &str = "MODPYTHON_CORE_MAX_INTERPRETERS";
const CLIENTS: usize = 32;
/// httpd looks for children that have ended once a second, and a core file takes its time.
const LINE: Duration = Duration::from_secs(20);

fn limited(module: Module) -> Server {
    ["a", "b", "c", "main_interpreter"]
        .iter()
        .fold(Setup::new(module).preload("who").environment(LIMIT, "2"), |setup, name| {
            setup.directives(&site::handler_in(&format!("/{name}"), "who", &format!("PythonInterpreter {name}")))
        })
        .start()
        .expect("a server")
}

fn status(server: &Server, path: &str) -> u16 {
    http::get(server.port(), path).expect("an answer").status
}

fn a_third_interpreter_past_a_limit_of_two_is_refused() {
    let server = limited(Module::Relinked);
    for (path, expected) in [("/a", 200), ("/b", 200), ("/c", 500), ("/a", 200), ("/main_interpreter", 200)] {
        assert_eq!(status(&server, path), expected, "{path}\n{}", server.error_log());
    }
    let lines = server.logged(LIMIT);
    assert!(
        lines.iter().any(|line| line.contains("modpython-core") && line.contains('2')),
        "no line names the limit and its variable:\n{}",
        server.error_log()
    );
    // Under load from everybody at once, each still gets what it got alone.
    let paths = ["/a", "/b", "/c", "/main_interpreter"];
    let record = Load::new(server.port(), CLIENTS).run_times(100, |client, _| paths[client % paths.len()].to_owned());
    for answer in &record.answers {
        let expected = if paths[answer.client % paths.len()] == "/c" { 500 } else { 200 };
        assert_eq!(answer.outcome, Outcome::Status(expected), "{answer:?}");
    }
    clean_stop(server);
}

/// The third interpreter is there without a limit: it is the limit that the test above sees.
fn stock_knows_no_limit() {
    let server = limited(Module::Stock);
    for path in ["/a", "/b", "/c"] {
        assert_eq!(status(&server, path), 200, "{path}");
    }
}

/// All ask while mod_python's package cannot be imported, and again once it can.
fn broken_then_repaired(module: Module) -> (Server, Vec<Answer>, Vec<Answer>) {
    let server = Setup::new(module).preload("who").directives(&site::handler("who")).start().expect("a server");
    let load = Load::new(server.port(), CLIENTS);
    site::set_flag(&server.notes(), site::BREAK_PACKAGE).expect("a flag");
    let broken = load.run_times(3, |_, _| "/who".to_owned()).answers;
    site::clear_flag(&server.notes(), site::BREAK_PACKAGE).expect("a flag");
    let repaired = load.run_times(20, |_, _| "/who".to_owned()).answers;
    (server, broken, repaired)
}

fn service_begins_when_the_package_is_repaired() {
    let (server, broken, repaired) = broken_then_repaired(Module::Relinked);
    all_answered(&broken);
    assert!(broken.iter().all(|answer| answer.outcome == Outcome::Status(500)), "{:?}", observe::outcomes(&broken));
    all_good(&repaired);
    let events = observe::events(&server.notes()).expect("the notes");
    let interpreters = observe::interpreters(&events, &repaired);
    assert!(interpreters.values().all(|tokens| tokens.len() == 1), "{interpreters:?}");
    clean_stop(server);
}

fn stock_makes_several_interpreters_when_the_package_is_broken() {
    shown("several interpreters where none can be used", || {
        let (server, _, repaired) = broken_then_repaired(Module::Stock);
        let events = observe::events(&server.notes()).expect("the notes");
        let names: BTreeSet<_> = observe::interpreters(&events, &repaired).into_keys().collect();
        let started = events.iter().filter(|event| event.kind == "start").count();
        // One start is Python's own, in httpd's parent.
        started > 1 + names.len()
    });
}

/// What all other tests rely on when one run of a thousand crashes or hangs, which nobody can repeat.
fn a_crash_tells_its_place() {
    let setup = Setup::new(Module::Relinked).directives(&site::handler_in("/crash", "crashing", ""));
    let server = setup.start().expect("a server");
    assert!(server.calls_of_children().expect("children").contains("\nThread "));
    http::get(server.port(), "/crash").expect_err("an answer of a process that has crashed");
    wait_until("the line of the crash", LINE, || Ok((!server.crashes().is_empty()).then_some(()))).expect("a crash");
    if crash::cores_are_kept().expect("a process that crashes") {
        let report = server.crash_report();
        assert!(report.contains("_PyEval_EvalFrameDefault"), "{report}");
    }
}
