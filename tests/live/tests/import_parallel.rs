//! Different files load in parallel (I3): twelve slow handlers, asked for at once.

use std::time::Duration;

use modpython_live::clients::{Load, Record};
use modpython_live::expect::{all_good, clean_stop, shown};
use modpython_live::loads::{all_at_once, loads};
use modpython_live::observe::{last_first_answer, outcomes};
use modpython_live::subjects::EVERYWHERE;
use modpython_live::versions::versioned;
use modpython_live::wait::wait_until;
use modpython_live::{Module, Server, Setup, site, subject};

crate::live_tests! {
    twelve_slow_handlers_load_at_once_and_once: EVERYWHERE.shaped(&["3.1"]),
    who_asks_during_a_load_gets_the_whole_module: EVERYWHERE.shaped(&["3.1"]),
    stock_answers_from_a_handler_that_is_half_loaded: EVERYWHERE.shaped(&["3.1"]).from_source(),
}

const CLIENTS: usize = 32;
const HANDLERS: usize = 12;
/// Seconds that one import takes.
const IMPORT: f64 = 0.4;
/// Seconds that the rest may take until the last client has its first answer.
const ALLOWANCE: f64 = 0.25;
const COLD_STARTS: usize = 5;
/// Series of cold starts, for a machine that has something else to do during one.
const SERIES: usize = 3;

/// A server whose interpreter is warm, and whose handlers nobody has asked for.
fn start(module: Module) -> Server {
    let mut setup = Setup::new(module).preload("who").directives(&site::handler("who"));
    let mut directives = "<Directory \"${HTDOCS}/app\">\nSetHandler mod_python\n".to_owned();
    for number in 0..HANDLERS {
        directives.push_str(&format!("PythonHandler slow{number} | .slow{number}\n"));
        setup = setup.file(format!("app/slow{number}.py"), &versioned(1, IMPORT));
    }
    let server = setup.directives(&format!("{directives}</Directory>")).start().expect("a server");
    // The interpreter and its threads are there before: this is about modules alone. One client comes first, for stock
    // would make several interpreters, and with them there are no half-loaded modules to meet.
    for clients in [1, CLIENTS] {
        all_good(&Load::new(server.port(), clients).run_times(1, |_, _| "/who".to_owned()).answers);
        server.settle().expect("connections to end");
    }
    server
}

fn path(number: usize) -> String {
    format!("/app/page.slow{number}")
}

fn twelve_slow_handlers_load_at_once_and_once() {
    let in_time = (0..SERIES).any(|_| median_of_cold_starts() <= IMPORT + ALLOWANCE);
    assert!(in_time, "the last client had its answer after more than {:.3} s each time", IMPORT + ALLOWANCE);
}

/// When the last client had its answer, in seconds.
fn median_of_cold_starts() -> f64 {
    let mut last = Vec::new();
    for _ in 0..COLD_STARTS {
        let server = start(Module::Relinked);
        let record = Load::new(server.port(), CLIENTS).run_times(1, |client, _| path(client % HANDLERS));
        all_good(&record.answers);
        let loads = loads(&server.notes()).expect("the notes");
        for number in 0..HANDLERS {
            let file = format!("slow{number}.py");
            assert_eq!(loads.iter().filter(|load| load.is_of(&file)).count(), 1, "{file}");
        }
        assert!(all_at_once(&loads), "{loads:?}");
        last.push(last_first_answer(&record.answers) as f64 / 1e6);
        clean_stop(server);
    }
    last.sort_by(f64::total_cmp);
    println!("relinked: every client had its answer after {last:.3?} s");
    last[COLD_STARTS / 2]
}

/// A client that asks together with the first one waits for importlib's own lock. A client that asks once the load has
/// begun does not wait, except the first: it looks whether the file is newer than the module that is there.
fn ask_once_all_loads_have_begun(server: &Server) -> Record {
    let begun = || Ok((loads(&server.notes())?.len() >= HANDLERS).then_some(()));
    Load::new(server.port(), CLIENTS).run_times(1, |client, _| {
        if client < HANDLERS {
            return path(client);
        }
        wait_until("all loads to begin", Duration::from_secs(10), begun).expect("loads");
        path(0)
    })
}

fn who_asks_during_a_load_gets_the_whole_module() {
    let server = start(Module::Relinked);
    all_good(&ask_once_all_loads_have_begun(&server).answers);
    clean_stop(server);
}

fn stock_answers_from_a_handler_that_is_half_loaded() {
    shown("a bad answer during a load, or a second load in 3.1", || {
        let server = start(Module::Stock);
        let record = ask_once_all_loads_have_begun(&server);
        let loads = loads(&server.notes()).expect("the notes").len();
        println!("stock: {:?}, {loads} loads of {HANDLERS} handlers", outcomes(&record.answers));
        // 3.1.x takes a module that is being loaded for one that has changed, and runs its file again.
        let again = subject().is_lookalike() && loads > HANDLERS;
        again || record.answers.iter().any(|answer| !answer.is_good())
    });
}
