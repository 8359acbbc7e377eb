//! Signals for a server in whose parent something in Python has set functions for them.

use std::time::Duration;

use modpython_live::expect::clean_stop;
use modpython_live::subjects::{EVERYWHERE, PACKAGE};
use modpython_live::wait::wait_until;
use modpython_live::{Module, Server, Setup, observe, site};

crate::live_tests! {
    a_signal_during_a_restart_ended_a_server_whose_parent_had_handlers_in_python: EVERYWHERE,
    a_function_that_exits_ended_the_server_at_the_restart_after_its_signal: EVERYWHERE,
    the_shim_is_compiled_when_the_server_has_set_its_functions: PACKAGE,
}

fn start(module: &str) -> Server {
    let setup = Setup::new(Module::Relinked).environment(site::EXTENSION_VARIABLE, module);
    setup.preload("who").directives(&site::handler("who")).start().expect("a server")
}

/// The end of Python set the default for the signals that it had handled, though httpd's functions were there by then.
fn a_signal_during_a_restart_ended_a_server_whose_parent_had_handlers_in_python() {
    let mut server = start("signalled");
    let restarted = server.restart_to_a_new_process(|server| {
        server.signal(libc::SIGUSR1);
        wait_until("the next start of Python", Duration::from_secs(20), || {
            Ok(observe::events(&server.notes())?.iter().any(|event| event.kind == "waits").then_some(()))
        })?;
        server.signal(libc::SIGUSR1);
        site::set_flag(&server.notes(), "go-on")
    });
    restarted.unwrap_or_else(|error| panic!("{error}\n{}", server.error_log()));
    clean_stop(server);
}

/// The function is run by the next line of Python in the parent. With stock there is none; the end of Python had some,
/// and obeyed the SystemExit.
fn a_function_that_exits_ended_the_server_at_the_restart_after_its_signal() {
    let mut server = start("exits");
    server.signal(libc::SIGUSR2);
    for _ in 0..2 {
        let restarted = server.restart_to_a_new_process(Server::graceful);
        restarted.unwrap_or_else(|error| panic!("{error}\n{}", server.error_log()));
    }
    clean_stop(server);
}

/// Until then a signal does what Python has set: the time between is as short as with stock.
fn the_shim_is_compiled_when_the_server_has_set_its_functions() {
    let mut server = start("compiles");
    for compilations in 1..3 {
        let notes = observe::events(&server.notes()).expect("notes");
        let count = |kind| notes.iter().filter(|event| event.kind == kind).count();
        assert_eq!((count("compiles-in-time"), count("compiles-early")), (compilations, 0));
        let parent = u64::from(server.parent());
        let elsewhere = notes.iter().filter(|event| event.kind == "compiles-in-time" && event.pid != parent);
        assert_eq!(elsewhere.count(), 0, "for all children at once");
        let restarted = server.restart_to_a_new_process(Server::graceful);
        restarted.unwrap_or_else(|error| panic!("{error}\n{}", server.error_log()));
    }
    clean_stop(server);
}
