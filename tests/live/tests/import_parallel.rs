//! Different files load in parallel (I3): twelve slow handlers, asked for at once.

use modpython_live::expect::{all_good, alone, clean_stop};
use modpython_live::load::{Answer, Load};
use modpython_live::loads::{ModuleLoad, all_at_once, loads};
use modpython_live::observe::{last_first_answer, outcomes};
use modpython_live::versions::versioned;
use modpython_live::{Module, Server, Setup, site};

const CLIENTS: usize = 32;
const HANDLERS: usize = 12;
/// What one import takes.
const IMPORT: f64 = 0.4;
/// What everything else may take until the last client has its first answer.
const ALLOWANCE: f64 = 0.25;
const COLD_STARTS: usize = 5;

struct ColdStart {
    server: Server,
    answers: Vec<Answer>,
    loads: Vec<ModuleLoad>,
}

fn cold_start(module: Module) -> ColdStart {
    let mut setup = Setup::new(module).preload("who").directives(&site::handler("who"));
    let mut directives = "<Directory \"${HTDOCS}/app\">\nSetHandler mod_python\n".to_owned();
    for number in 0..HANDLERS {
        directives.push_str(&format!("PythonHandler slow{number} | .slow{number}\n"));
        setup = setup.file(format!("app/slow{number}.py"), &versioned(1, IMPORT));
    }
    let server = setup.directives(&format!("{directives}</Directory>")).start().expect("a server");
    // The interpreter and its threads are there before: this is about modules alone.
    all_good(&Load::new(server.port(), CLIENTS).run_times(1, |_, _| "/who".to_owned()).answers);
    server.settle().expect("connections to end");
    let record = Load::new(server.port(), CLIENTS)
        .run_times(1, |client, _| format!("/app/page.slow{number}", number = client % HANDLERS));
    let loads = loads(&server.notes()).expect("the notes");
    ColdStart { server, answers: record.answers, loads }
}

#[test]
fn twelve_slow_handlers_load_at_once_and_once() {
    let _alone = alone();
    let mut last = Vec::new();
    for _ in 0..COLD_STARTS {
        let outcome = cold_start(Module::Relinked);
        all_good(&outcome.answers);
        for number in 0..HANDLERS {
            let file = format!("slow{number}.py");
            assert_eq!(outcome.loads.iter().filter(|load| load.is_of(&file)).count(), 1, "{file}");
        }
        assert!(all_at_once(&outcome.loads), "{:?}", outcome.loads);
        last.push(last_first_answer(&outcome.answers) as f64 / 1e6);
        clean_stop(outcome.server);
    }
    last.sort_by(f64::total_cmp);
    println!("relinked: every client had its answer after {last:.3?} s");
    let median = last[COLD_STARTS / 2];
    assert!(median <= IMPORT + ALLOWANCE, "the last client had its answer after {median:.3} s, median of {last:?}");
}

#[test]
fn stock_answers_from_handlers_that_are_half_loaded() {
    let _alone = alone();
    let outcome = cold_start(Module::Stock);
    println!("stock: {:?}", outcomes(&outcome.answers));
    assert!(outcome.answers.iter().any(|answer| !answer.is_good()));
}
