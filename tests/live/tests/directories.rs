//! PythonInterpPerDirectory: the interpreter's name comes from the request's memory and has to be copied (R6).

use std::collections::BTreeSet;

use modpython_live::clients::{Load, Record};
use modpython_live::expect::{all_good, clean_stop};
use modpython_live::subjects::{EVERYWHERE, PACKAGE};
use modpython_live::{Module, Server, Setup, observe};

crate::live_tests! {
    eight_directories_have_eight_interpreters_and_the_main_one: EVERYWHERE.shaped(&["3.1"]),
    stock_makes_more_even_without_a_race: PACKAGE,
}

const DIRECTORIES: usize = 8;

fn start(module: Module) -> Server {
    let mut setup = Setup::new(module).preload("who").directives(
        "<Directory \"${HTDOCS}\">\nSetHandler mod_python\nPythonHandler who\nPythonInterpPerDirectory On\n</Directory>",
    );
    for directory in 0..DIRECTORIES {
        setup = setup.file(format!("d{directory}/page"), "");
    }
    setup.start().expect("a server")
}

fn ask(server: &Server, clients: usize, times: usize) -> Record {
    Load::new(server.port(), clients)
        .run_times(times, |client, turn| format!("/d{}/page", (client + turn) % DIRECTORIES))
}

/// Interpreters other than the main one, told apart by their tokens.
fn interpreters(server: &Server, record: &Record) -> BTreeSet<(String, String)> {
    let events = observe::events(&server.notes()).expect("the notes");
    observe::interpreters(&events, &record.answers)
        .into_iter()
        .filter(|((_, name), _)| name != "main_interpreter")
        .flat_map(|((_, name), tokens)| tokens.into_iter().map(move |token| (name.clone(), token)))
        .collect()
}

fn eight_directories_have_eight_interpreters_and_the_main_one() {
    let server = start(Module::Relinked);
    let record = ask(&server, 32, 200);
    all_good(&record.answers);
    let found = interpreters(&server, &record);
    let names: BTreeSet<_> = found.iter().map(|(name, _)| name).collect();
    assert_eq!((names.len(), found.len()), (DIRECTORIES, DIRECTORIES), "{found:?}");
    // Each directory is always answered by its own interpreter.
    for answer in &record.answers {
        let name = observe::field(answer, "interpreter").expect("a name");
        assert!(names.contains(&name));
    }
    let events = observe::events(&server.notes()).expect("the notes");
    let main: BTreeSet<_> = events
        .iter()
        .filter(|event| event.kind == "init" && event.interpreter == "main_interpreter")
        .map(|event| (event.pid, &event.token))
        .collect();
    assert_eq!(main.len(), 1, "{main:?}");
    clean_stop(server);
}

/// One client, one request after the other, so no race: it is the name in memory that was given back.
fn stock_makes_more_even_without_a_race() {
    let server = start(Module::Stock);
    let record = ask(&server, 1, 400);
    let found = interpreters(&server, &record);
    assert!(found.len() > DIRECTORIES, "stock made {} interpreters", found.len());
}
