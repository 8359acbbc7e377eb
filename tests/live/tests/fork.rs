//! Requests that fork, among others that do not (R8), and the forks of the parent itself.
//!
//! All of these requests run in the main interpreter. With a sub-interpreter in the process, Python 3.11 hangs in every
//! child of `os.fork`, stock mod_python or not: `PyOS_AfterFork_Child` deletes the other interpreters while it holds a
//! lock that clearing an interpreter takes (python/cpython issue 84139). For that reason, forks while interpreters are
//! made are left to the registry's own tests.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use modpython_live::clients::Load;
use modpython_live::expect::{all_good, clean_stop, shown};
use modpython_live::http::Client;
use modpython_live::observe::{self, field};
use modpython_live::subjects::{EVERYWHERE, PACKAGE};
use modpython_live::wait::wait_until;
use modpython_live::{Module, Mpm, Server, Setup, site};

crate::live_tests! {
    the_child_of_a_request_that_forks_gets_interpreters: EVERYWHERE.shaped(&["3.1"]),
    children_start_while_a_thread_of_python_runs_in_the_parent: EVERYWHERE.shaped(&["3.1", "3.3"]),
    a_parent_whose_lock_is_never_given_up_can_be_stopped: PACKAGE,
    stocks_children_hang_where_a_thread_of_python_runs_in_the_parent:
        EVERYWHERE.shaped(&["3.1", "3.3"]).from_source(),
}

const DURATION: Duration = Duration::from_secs(3);
const CHILDREN: usize = 20;
/// How long a child may take to answer, beside a thread that takes the processor.
const PATIENCE: Duration = Duration::from_secs(10);

fn the_child_of_a_request_that_forks_gets_interpreters() {
    let main =
        |location: &str, handler: &str| site::handler_in(location, handler, "PythonInterpreter main_interpreter");
    let server = Setup::new(Module::Relinked)
        .preload("who forker")
        .directives(&main("/busy", "who"))
        .directives(&main("/fork", "forker"))
        // The child of a fork asks for the interpreter it is in, and for one that it has to make itself.
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

/// A server whose parent runs a thread of that module, and starts a child for each connection.
fn start_beside(module: Module, thread: &str) -> std::io::Result<Server> {
    Setup::new(module)
        .mpm(Mpm::Prefork, 4)
        .environment(site::EXTENSION_VARIABLE, thread)
        .preload("who")
        .directives(&site::handler("who"))
        .directives("MaxConnectionsPerChild 1")
        .start()
}

/// How many children one after the other answered, of so many, while a thread of Python ran in the parent all the time.
fn children_beside_a_thread(module: Module, wanted: usize) -> usize {
    let mut server = match start_beside(module, "spinner") {
        Ok(server) => server,
        // In the shape of 3.3 its parent aborts now and then, before it has a child.
        Err(error) if module == Module::Stock && error.to_string().contains("Fatal Python error") => return 0,
        Err(error) => panic!("{error}"),
    };
    let mut seen = BTreeSet::new();
    while seen.len() < wanted {
        let answer = Client::new(server.port(), false, PATIENCE).get("/who");
        let Some(pid) = answer.ok().and_then(|answer| answer.pid()) else { break };
        seen.insert(pid);
    }
    println!("{module}: {} children of {wanted} have answered", seen.len());
    if module == Module::Relinked {
        // prefork's own handler of SIGTERM frees memory: a child that allocates just then, while it starts, waits for
        // itself if a thread in the parent has had the C library lock there.
        server.settle().expect("children at rest");
        let stop = server.stop().expect("a stop");
        assert!(!stop.hung, "{stop:?}");
        assert_eq!(server.crashes(), Vec::<String>::new(), "{}\n{}", server.error_log(), server.crash_report());
    }
    seen.len()
}

fn children_start_while_a_thread_of_python_runs_in_the_parent() {
    assert_eq!(children_beside_a_thread(Module::Relinked, CHILDREN), CHILDREN);
}

fn stocks_children_hang_where_a_thread_of_python_runs_in_the_parent() {
    shown("a child that never answers", || children_beside_a_thread(Module::Stock, CHILDREN) < CHILDREN);
}

/// Its children hang, with stock as well; but the parent waited for the lock, too, and only SIGKILL ended it.
fn a_parent_whose_lock_is_never_given_up_can_be_stopped() {
    let mut server = start_beside(Module::Relinked, "hog").expect("a server");
    wait_until("the thread to take the lock", PATIENCE, || {
        Ok(observe::events(&server.notes())?.iter().any(|event| event.kind == "hogs").then_some(()))
    })
    .expect("a thread");
    // A child that answers was forked before that, and ends then: the parent has to start others.
    for _ in 0..8 {
        let _ = Client::new(server.port(), false, Duration::from_secs(1)).get("/who");
    }
    let stop = server.stop().expect("a stop");
    // httpd itself kills children that hang after ten seconds.
    assert!(stop.took < Duration::from_secs(20), "{stop:?}\n{}", server.error_log());
}
