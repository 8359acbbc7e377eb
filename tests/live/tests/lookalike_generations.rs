//! The changes of the include header, in the shape of each generation: every macro has a test that a look-alike built
//! from source passes, and a table says which. `make check-lookalike` runs it for each shape.
//!
//! Most tests ask both modules: the relinked one has to do right where stock does.

use std::collections::BTreeSet;
use std::time::Duration;

use modpython_live::clients::{Answer, Load};
use modpython_live::expect::{all_good, clean_stop};
use modpython_live::http::{self, Client};
use modpython_live::observe;
use modpython_live::subjects::{EVERYWHERE, LOOKALIKE, SHAPES};
use modpython_live::wait::wait_until;
use modpython_live::{Module, Server, Setup, site};

crate::live_tests! {
    every_macro_has_a_test_in_every_generation: EVERYWHERE,
    handlers_in_two_phases_answer: LOOKALIKE,
    handlers_in_seven_phases_answer: LOOKALIKE,
    several_handlers_of_a_phase_answer: LOOKALIKE,
    a_handler_is_added_to_a_phase_with_directives_and_to_one_without: LOOKALIKE,
    interpreters_by_directory_and_by_directive: LOOKALIKE,
    the_main_interpreter_has_its_name_though_the_first_to_ask_gives_none: LOOKALIKE,
    modules_of_python_import_are_there_before_the_first_request: LOOKALIKE,
    a_handler_of_connections_is_called: LOOKALIKE,
}

const CLIENTS: usize = 32;
const LOAD: Duration = Duration::from_secs(2);

/// For each macro of after.h a test that fails where it does harm, or not what it is for.
const COVERED_BY: [(&str, &str); 13] = [
    ("PyOS_AfterFork", "one_notice_at_child_start_says_what_is_active"),
    ("PyOS_AfterFork_Child", "one_notice_at_child_start_says_what_is_active"),
    ("PyImport_AppendInittab", "four_graceful_restarts_under_load_with_worker"),
    ("Py_Initialize", "four_graceful_restarts_under_load_with_worker"),
    ("Py_IsInitialized", "switched_off_the_module_is_as_stock"),
    ("PyEval_ReleaseLock", "four_graceful_restarts_under_load_with_worker"),
    ("PyObject_CallMethod", "references_to_a_shared_status_are_counted_right"),
    ("apr_hash_get", "a_handler_is_added_to_a_phase_with_directives_and_to_one_without"),
    ("apr_table_overlap", "sections_with_directives_stand_load"),
    ("MpHList_FromHLEntry", "handlers_in_seven_phases_answer"),
    ("apr_global_mutex_create", "sessions_go_on_over_a_graceful_restart"),
    ("apr_global_mutex_destroy", "sessions_go_on_over_a_graceful_restart"),
    ("apr_pool_cleanup_register", "a_busy_process_ends_at_once"),
];

const SOURCES: [&str; 6] = [
    include_str!("lookalike_generations.rs"),
    include_str!("lookalike_defects.rs"),
    include_str!("lookalike_leaks.rs"),
    include_str!("lookalike_remedies.rs"),
    include_str!("restarts.rs"),
    include_str!("switch.rs"),
];

/// A macro without a test, or a generation in which the tests are not run, is one that nobody has tried: the macro for
/// a request's list of handlers once crashed every request of 3.3 to 3.5, and every test was green.
fn every_macro_has_a_test_in_every_generation() {
    let header = include_str!("../../../capi/include/modpython-core/after.h");
    let path = ["get_interpreter", "release_interpreter", "save_interpreter", "make_interpreter", "make_obcallback"];
    let of_header: BTreeSet<&str> = header
        .lines()
        .filter_map(|line| line.strip_prefix("#define ")?.split(['(', ' ']).next())
        .filter(|name| !name.starts_with("MPC_") && !name.starts_with("MODPYTHON_") && !path.contains(name))
        .collect();
    assert_eq!(of_header, COVERED_BY.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>());
    for (name, test) in COVERED_BY {
        assert!(SOURCES.iter().any(|source| source.contains(&format!("fn {test}("))), "{name}: no test {test}");
    }
    let makefile = include_str!("../../check.mk");
    let shapes = makefile.lines().find_map(|line| line.strip_prefix("LOOKALIKE_SHAPES := ")).expect("LOOKALIKE_SHAPES");
    assert_eq!(
        shapes.split(' ').collect::<Vec<_>>(),
        SHAPES[1..],
        "beside the first, which `make check-lookalike` has"
    );
}

/// Handlers in these phases besides PythonHandler, each of which says that it ran.
fn phased(module: Module, phases: &[&str], more: &str) -> Server {
    let handlers: String = phases.iter().map(|phase| format!("{phase} phases::step\n")).collect();
    Setup::new(module)
        .preload("phases")
        .directives(&site::handler_in("/phases", "phases::answer", &format!("{handlers}{more}")))
        .start()
        .expect("a server")
}

/// Requests of several clients at once; each answer names the phases that its request has gone through.
fn go_through(phases: &[&str], more: &str) {
    let wanted: String = phases.iter().map(|phase| format!("{phase} ")).collect();
    for module in [Module::Stock, Module::Relinked] {
        let server = phased(module, phases, more);
        http::get(server.port(), "/phases").expect("an answer");
        let answers = Load::new(server.port(), CLIENTS).run_for(LOAD, |_, _| "/phases".to_owned()).answers;
        println!("{module}: {:?}", observe::outcomes(&answers));
        if module == Module::Relinked {
            all_good(&answers);
            let wrong = |answer: &&Answer| answer.body != wanted;
            assert_eq!(answers.iter().find(wrong).map(|answer| &answer.body), None, "{}", server.error_log());
            clean_stop(server);
        } else {
            // Its own races aside, it does the same.
            assert!(answers.iter().any(|answer| answer.is_good() && answer.body == wanted), "{}", server.error_log());
        }
    }
}

fn handlers_in_two_phases_answer() {
    go_through(&["PythonAccessHandler"], "");
}

fn handlers_in_seven_phases_answer() {
    let before = ["PythonHeaderParserHandler", "PythonAccessHandler", "PythonTypeHandler", "PythonFixupHandler"];
    go_through(&before, "PythonLogHandler phases::step\nPythonCleanupHandler phases::step\n");
}

/// Several handlers of one phase: the list is longer than one, and is walked through.
fn several_handlers_of_a_phase_answer() {
    go_through(&["PythonAccessHandler", "PythonAccessHandler", "PythonFixupHandler"], "");
}

/// `req.add_handler`, with the directory left out and given.
fn a_handler_is_added_to_a_phase_with_directives_and_to_one_without() {
    for (name, more) in [("adds", ""), ("adds_there", ""), ("adds", "PythonFixupHandler phases::step\n")] {
        let server = phased(Module::Relinked, &[], &format!("PythonAccessHandler phases::{name}\n{more}"));
        let answers = Load::new(server.port(), CLIENTS).run_for(LOAD, |_, _| "/phases".to_owned()).answers;
        all_good(&answers);
        let wanted = format!("{}PythonFixupHandler ", if more.is_empty() { "" } else { "PythonFixupHandler " });
        assert_eq!(answers.iter().find(|answer| answer.body != wanted).map(|answer| &answer.body), None, "{name}");
        clean_stop(server);
    }
}

/// An interpreter for each directory, and for each directive.
fn interpreters_by_directory_and_by_directive() {
    for by in ["PythonInterpPerDirectory On", "PythonInterpPerDirective On"] {
        let section = |name: &str| {
            format!(
                "<Directory \"${{HTDOCS}}/{name}\">\nSetHandler mod_python\nPythonHandler phases::where\n{by}\n</Directory>\n"
            )
        };
        let server = Setup::new(Module::Relinked)
            .preload("phases")
            .file("one/page", "")
            .file("two/page", "")
            .directives(&section("one"))
            .directives(&section("two"))
            .start()
            .expect("a server");
        let path = |client, _| format!("/{}/page", if client % 2 == 0 { "one" } else { "two" });
        let answers = Load::new(server.port(), CLIENTS).run_for(LOAD, path).answers;
        all_good(&answers);
        for (remainder, name) in [(0, "one"), (1, "two")] {
            let wanted = format!("{}/", server.htdocs().join(name).display());
            let wrong = |answer: &&Answer| answer.client % 2 == remainder && answer.body != wanted;
            assert_eq!(answers.iter().find(wrong).map(|answer| &answer.body), None, "{by}, {wanted}");
        }
        clean_stop(server);
    }
}

/// A directive outside of all sections has no name for its interpreter, which is the main one: NULL. Up to then every
/// request was for another interpreter, as in a server whose handlers name theirs.
fn the_main_interpreter_has_its_name_though_the_first_to_ask_gives_none() {
    for module in [Module::Stock, Module::Relinked] {
        let server = Setup::new(module)
            .preload("who")
            .directives(&site::handler_in("/named", "who", "PythonInterpreter named"))
            .directives("SetHandler mod_python\nPythonHandler who\nPythonInterpPerDirective On\n")
            .directives(&site::handler_in("/main", "who", "PythonInterpreter main_interpreter"))
            .start()
            .expect("a server");
        for (path, name) in [("/named", "named"), ("/nameless", "main_interpreter"), ("/main", "main_interpreter")] {
            let answer = http::get(server.port(), path).expect("an answer");
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(answer.status == 200 && body.contains(&format!("\"{name}\"")), "{module}, {path}: {body}");
        }
    }
}

/// `PythonImport` runs in the child's start, before any request, in the interpreter that it names.
fn modules_of_python_import_are_there_before_the_first_request() {
    for module in [Module::Stock, Module::Relinked] {
        let server = Setup::new(module)
            .directives("PythonImport phases early\n")
            .directives(&site::handler_in("/where", "phases::imported", "PythonInterpreter early"))
            .start()
            .expect("a server");
        let answer = http::get(server.port(), "/where").expect("an answer");
        assert_eq!(String::from_utf8_lossy(&answer.body), "early 1", "{module}: {}", server.error_log());
        if module == Module::Relinked {
            clean_stop(server);
        }
    }
}

/// A handler of the connection itself, whose list of handlers no request has.
fn a_handler_of_connections_is_called() {
    for module in [Module::Stock, Module::Relinked] {
        let server = Setup::new(module)
            .preload("phases")
            .directives("PythonConnectionHandler phases::connected\n")
            .directives(&site::handler_in("/where", "phases::where", ""))
            .start()
            .expect("a server");
        let mut client = Client::new(server.port(), false, Duration::from_secs(5));
        assert_eq!(client.get("/where").expect("an answer").status, 200, "{module}: {}", server.error_log());
        let connected =
            || observe::events(&server.notes()).map(|events| events.iter().any(|event| event.kind == "connected"));
        wait_until("the handler of the connection", Duration::from_secs(5), || Ok(connected()?.then_some(())))
            .expect("a note");
        if module == Module::Relinked {
            let answers = Load::new(server.port(), CLIENTS).closing().run_for(LOAD, |_, _| "/where".to_owned()).answers;
            all_good(&answers);
            clean_stop(server);
        }
    }
}
