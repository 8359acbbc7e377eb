//! Restarts and stops of a server in whose parent something in Python has set functions for signals, or has objects
//! that do something at their end.

use std::time::Duration;

use modpython_live::clients::Load;
use modpython_live::expect::clean_stop;
use modpython_live::subjects::{EVERYWHERE, PACKAGE};
use modpython_live::wait::wait_until;
use modpython_live::{Module, Mpm, Server, Setup, observe, site};

crate::live_tests! {
    a_signal_during_a_restart_ended_a_server_whose_parent_had_handlers_in_python: EVERYWHERE,
    a_function_that_exits_ended_the_server_at_the_restart_after_its_signal: EVERYWHERE,
    the_shim_is_compiled_when_the_server_has_set_its_functions: PACKAGE,
    objects_in_the_parent_do_not_end_at_a_restart_nor_a_stop: PACKAGE,
    objects_in_the_parent_do_not_end_at_a_stop_either_where_libpython_stays: EVERYWHERE,
    a_libpython_that_something_else_keeps_starts_again: PACKAGE,
    a_hard_restart_crashed_processes_in_the_midst_of_python: EVERYWHERE,
}

fn start(module: &str) -> Server {
    let setup = Setup::new(Module::Relinked).environment(site::EXTENSION_VARIABLE, module);
    setup.preload("who").directives(&site::handler("who")).start().expect("a server")
}

/// The end of Python set the default for the signals that it had handled, though httpd's functions were there by then.
fn a_signal_during_a_restart_ended_a_server_whose_parent_had_handlers_in_python() {
    let setup = Setup::new(Module::Relinked).environment(site::EXTENSION_VARIABLE, "signalled");
    let logs = site::handler("who") + "CustomLog \"|/bin/cat\" %h\n";
    let mut server = setup.preload("who").directives(&logs).start().expect("a server");
    let restarted = server.restart_to_a_new_process(|server| {
        let before = server.children()?;
        server.signal(libc::SIGUSR1);
        wait_until("the next start of Python", Duration::from_secs(20), || {
            Ok(observe::events(&server.notes())?.iter().any(|event| event.kind == "waits").then_some(()))
        })?;
        // Nothing is done until then at a signal that httpd has no function for; its default would end the server.
        server.signal(libc::SIGUSR2);
        let ignored = wait_until("the program of a piped log", Duration::from_secs(20), || {
            let programs = server.children()?.into_iter().filter(|pid| !before.contains(pid));
            Ok(programs.filter(|pid| program(*pid).ends_with("cat")).find_map(ignored_signals))
        })?;
        assert_eq!(ignored & 1 << (libc::SIGUSR2 - 1), 0, "the program goes on to ignore the signal");
        server.signal(libc::SIGUSR1);
        site::set_flag(&server.notes(), "go-on")
    });
    restarted.unwrap_or_else(|error| panic!("{error}\n{}", server.error_log()));
    clean_stop(server);
}

/// The name of the program that a process runs, or nothing if it has ended.
fn program(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}

/// The signals that a process ignores, one bit each.
fn ignored_signals(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
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

/// Until then a signal does what Python has set: the time between is as short as with stock. Once for all children, and
/// for those of later configurations too.
fn the_shim_is_compiled_when_the_server_has_set_its_functions() {
    let mut server = start("compiles");
    for _ in 0..3 {
        let notes = observe::events(&server.notes()).expect("notes");
        let count = |kind| notes.iter().filter(|event| event.kind == kind).count();
        assert_eq!((count("compiles-in-time"), count("compiles-early")), (1, 0));
        let parent = u64::from(server.parent());
        let elsewhere = notes.iter().filter(|event| event.kind == "compiles-in-time" && event.pid != parent);
        assert_eq!(elsewhere.count(), 0);
        let restarted = server.restart_to_a_new_process(Server::graceful);
        restarted.unwrap_or_else(|error| panic!("{error}\n{}", server.error_log()));
    }
    clean_stop(server);
}

/// An object whose end waits for a peer held every restart and stop up, where stock does not end Python. The
/// instrumentation itself imports extension modules where Python 2 has them for `time`.
fn objects_in_the_parent_do_not_end_at_a_restart_nor_a_stop() {
    let mut server = start("farewell");
    for restart in [Server::graceful, Server::hard_restart] {
        let restarted = server.restart_to_a_new_process(restart);
        restarted.unwrap_or_else(|error| panic!("{error}\n{}", server.error_log()));
    }
    stops_without_a_farewell(server);
}

/// At a restart they do: stock does not survive that one.
fn objects_in_the_parent_do_not_end_at_a_stop_either_where_libpython_stays() {
    stops_without_a_farewell(start("farewell_of_json"));
}

fn stops_without_a_farewell(mut server: Server) {
    let parent = u64::from(server.parent());
    server.stop().expect("a stop");
    let notes = observe::events(&server.notes()).expect("notes");
    let farewells = notes.iter().filter(|event| event.kind == "goes" && event.pid == parent);
    assert_eq!(farewells.count(), 0, "{}", server.error_log());
    assert_eq!(server.crashes(), Vec::<String>::new(), "{}", server.crash_report());
}

/// Nothing that is loaded after Python's start says so.
fn a_libpython_that_something_else_keeps_starts_again() {
    let server = start("exits");
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", server.parent())).expect("the parent's files");
    drop(server);
    let libpython = maps.split_whitespace().find(|file| file.contains("/libpython")).expect("libpython");
    let setup = Setup::new(Module::Relinked).environment("LD_PRELOAD", libpython);
    let mut server = setup.preload("who").directives(&site::handler("who")).start().expect("a server");
    for _ in 0..2 {
        let restarted = server.restart_to_a_new_process(Server::graceful);
        restarted.unwrap_or_else(|error| panic!("{error}\n{}", server.error_log()));
    }
    clean_stop(server);
}

/// prefork's child ends in the handler of the signal, and its cleanups ran Python there; at SIGTERM they did not.
fn a_hard_restart_crashed_processes_in_the_midst_of_python() {
    const CLIENTS: u32 = 6;
    const RESTARTS: usize = 3;
    let directives = site::handler_in("/collects", "defects::collects", "PythonInterpreter alpha");
    let setup = Setup::new(Module::Relinked).mpm(Mpm::Prefork, CLIENTS).directives(&directives);
    let mut server = setup.start().expect("a server");
    let collecting = |server: &Server| {
        let events = observe::events(&server.notes()).expect("notes");
        events.iter().filter(|event| event.kind == "collects").count()
    };
    for _ in 0..RESTARTS {
        let goal = collecting(&server) + CLIENTS as usize;
        let mut load = Load::new(server.port(), CLIENTS as usize).closing();
        // None of the answers comes.
        load.timeout = Duration::from_secs(30);
        std::thread::scope(|scope| {
            scope.spawn(|| load.run_times(1, |_, _| "/collects".to_owned()));
            wait_until("requests", Duration::from_secs(20), || Ok((collecting(&server) >= goal).then_some(())))
                .expect("requests that collect garbage");
            server.hard_restart().unwrap_or_else(|error| panic!("{error}\n{}", server.error_log()));
        });
        assert_eq!(server.crashes(), Vec::<String>::new(), "{}", server.crash_report());
    }
    clean_stop(server);
}
