//! Defects of 3.1.x that leak or mix up: each is shown by the stock look-alike, and cured in the relinked one.
//!
//! Defects that crash or hang the stock look-alike are in `lookalike_defects`.

use std::fs;

use modpython_live::clients::Load;
use modpython_live::expect::{all_good, clean_stop, shown};
use modpython_live::observe::{self, Event};
use modpython_live::subjects::{LOOKALIKE, UNTIL_3_2};
use modpython_live::{Module, Server, Setup, site};

crate::live_tests! {
    what_a_request_leaves_in_its_thread_goes_with_it: LOOKALIKE,
    stock_keeps_what_each_request_leaves_in_its_thread: LOOKALIKE.shaped(UNTIL_3_2).from_source(),
    handlers_in_six_phases_keep_no_memory: LOOKALIKE,
    stock_keeps_memory_for_each_phase: LOOKALIKE.shaped(UNTIL_3_2).from_source(),
    cleanups_of_the_server_run_in_their_interpreter: LOOKALIKE,
    stock_runs_cleanups_of_the_server_elsewhere: LOOKALIKE.shaped(&["3.1"]).from_source(),
}

/// Requests of one client, one after the other.
const TURNS: usize = 200;

/// The stock module may hang at its end, on Python 3.
fn stop(module: Module, server: Server) {
    if module == Module::Relinked {
        clean_stop(server);
    }
}

/// Each request leaves an object in `threading.local`, where it ought to live no longer than the request
/// (MODPYTHON-194). How many of them are alive at most, as a later request sees it.
fn leftovers(module: Module) -> usize {
    let server = Setup::new(module)
        .preload("defects")
        .directives(&site::handler_in("/leaves", "defects::leaves", ""))
        .start()
        .expect("a server");
    let answers = Load::new(server.port(), 1).run_times(TURNS, |_, _| "/leaves".to_owned()).answers;
    all_good(&answers);
    let alive = answers.iter().map(|answer| answer.body.parse().expect("a number")).max().expect("an answer");
    println!("{module}: of {TURNS} objects in threading.local {alive} were alive at once");
    stop(module, server);
    alive
}

fn what_a_request_leaves_in_its_thread_goes_with_it() {
    // The one that asks sees its own.
    assert_eq!(leftovers(Module::Relinked), 1);
}

fn stock_keeps_what_each_request_leaves_in_its_thread() {
    assert_eq!(leftovers(Module::Stock), TURNS);
}

/// Requests that go through handlers in six phases, after the same number of them to warm up.
const PHASED: usize = 1500;
/// The stock module keeps more than this of each, in bytes, and the relinked one keeps less.
const KEPT: u64 = 4096;

/// How much the one child has grown, in bytes a request.
fn growth_in_six_phases(module: Module, disabled: &str) -> u64 {
    let phases =
        ["PythonInitHandler", "PythonAccessHandler", "PythonTypeHandler", "PythonFixupHandler", "PythonLogHandler"];
    let handlers: String = phases.iter().map(|phase| format!("{phase} defects::nothing\n")).collect();
    let server = Setup::new(module)
        .environment("MODPYTHON_CORE_DISABLE", disabled)
        .preload("defects")
        .directives(&site::handler_in("/phases", "defects::nothing", &handlers))
        .start()
        .expect("a server");
    let ask = || all_good(&Load::new(server.port(), 1).run_times(PHASED, |_, _| "/phases".to_owned()).answers);
    ask();
    let before = resident(&server);
    ask();
    let grown = resident(&server).saturating_sub(before) / PHASED as u64;
    println!("{module}: {grown} bytes more after each request with handlers in six phases");
    stop(module, server);
    grown
}

/// Memory of the one child.
fn resident(server: &Server) -> u64 {
    let children = server.children().expect("the children");
    let [child] = children[..] else { panic!("not one child: {children:?}") };
    let statm = fs::read_to_string(format!("/proc/{child}/statm")).expect("a process");
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    // SAFETY: sysconf reads no memory of ours.
    pages * u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).expect("a size")
}

fn handlers_in_six_phases_keep_no_memory() {
    let grown = growth_in_six_phases(Module::Relinked, "");
    assert!(grown < KEPT, "{grown} bytes a request");
}

fn stock_keeps_memory_for_each_phase() {
    let grown = growth_in_six_phases(Module::Stock, "");
    assert!(grown > KEPT, "{grown} bytes a request");
    let grown = growth_in_six_phases(Module::Relinked, "handler-lists");
    assert!(grown > KEPT, "{grown} bytes a request with the remedy left out");
}

/// Requests of two interpreters in turn, on one connection, of which the first kind has a function called when the
/// process ends. The name of its interpreter was in the request's memory: by then another one is there, or
/// no name at all, which may crash the process. How many of those functions ran in their own interpreter, and all that
/// ran.
fn cleanups(module: Module) -> (usize, usize) {
    let interpreter = |name: &str| format!("PythonInterpreter {name}");
    let mut server = Setup::new(module)
        .preload("defects")
        .directives(&site::handler_in("/mine/", "defects::registers", &interpreter("mine")))
        .directives(&site::handler_in("/else/", "defects::nothing", &interpreter("else")))
        .start()
        .expect("a server");
    let path = |_, turn| if turn % 2 == 0 { "/mine/".to_owned() } else { "/else/".to_owned() };
    all_good(&Load::new(server.port(), 1).run_times(2 * TURNS, path).answers);
    server.settle().expect("connections to end");
    server.stop().expect("a stop");
    let events = observe::events(&server.notes()).expect("the notes");
    let ran: Vec<&Event> = events.iter().filter(|event| event.kind == "cleaned").collect();
    let right = ran.iter().filter(|event| event.interpreter == event.module && event.module == "mine").count();
    println!("{module}: of {TURNS} cleanups {} ran, {right} of them in their own interpreter", ran.len());
    (right, ran.len())
}

fn cleanups_of_the_server_run_in_their_interpreter() {
    assert_eq!(cleanups(Module::Relinked), (TURNS, TURNS));
}

fn stock_runs_cleanups_of_the_server_elsewhere() {
    shown("cleanups that run in another interpreter, or not at all", || cleanups(Module::Stock).0 < TURNS);
}
