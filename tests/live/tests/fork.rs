//! Requests that fork, among others that do not (R8).
//!
//! All of them run in the main interpreter. With a sub-interpreter in the process, Python 3.11 hangs in every child of
//! `os.fork`, stock mod_python or not: `PyOS_AfterFork_Child` deletes the other interpreters while it holds a lock that
//! clearing an interpreter takes (python/cpython issue 84139). For that reason, forks while interpreters are made are
//! left to the registry's own tests.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use modpython_live::expect::{all_good, clean_stop};
use modpython_live::load::Load;
use modpython_live::observe::{self, field};
use modpython_live::places::EVERYWHERE;
use modpython_live::{Module, Setup, site};

crate::live_tests! {
    the_child_of_a_request_that_forks_gets_interpreters: EVERYWHERE.shaped(&["3.1"]),
}

const DURATION: Duration = Duration::from_secs(3);

fn the_child_of_a_request_that_forks_gets_interpreters() {
    let main =
        |location: &str, handler: &str| site::handler_in(location, handler, "PythonInterpreter main_interpreter");
    let server = Setup::new(Module::Relinked)
        .preload("who forker")
        .directives(&main("/busy", "who"))
        .directives(&main("/fork", "forker"))
        // What the child of a fork asks for: the interpreter it is in, and one that it has to make itself.
        .directives(&main("/main", "forker::reporter"))
        .directives(&site::handler_in("/named", "forker::reporter", "PythonInterpreter named"))
        .start()
        .expect("a server");
    let (forks, others) = thread::scope(|scope| {
        let forks = scope
            .spawn(|| Load::new(server.port(), 4).run_for(DURATION, |_, _| "/fork?/main,/named".to_owned()).answers);
        let others = Load::new(server.port(), 12).run_for(DURATION, |_, _| "/busy".to_owned()).answers;
        (forks.join().expect("the forking clients"), others)
    });
    println!("{} forks among {} other requests", forks.len(), others.len());
    all_good(&others);
    all_good(&forks);
    let told: BTreeSet<_> =
        forks.iter().map(|answer| ["said", "status", "hung"].map(|name| field(answer, name))).collect();
    let well = ["python main_interpreter named ", "0", "false"].map(|text| Some(text.to_owned()));
    assert_eq!(told, BTreeSet::from([well]));
    // Interpreters were made in children of forks alone.
    let events = observe::events(&server.notes()).expect("the notes");
    let served: BTreeSet<_> = others.iter().filter_map(|answer| field(answer, "pid")).collect();
    let named = events.iter().filter(|event| event.kind == "init" && event.interpreter == "named");
    assert!(named.clone().all(|event| !served.contains(&event.pid.to_string())));
    assert_eq!(named.count(), forks.len());
    clean_stop(server);
}
