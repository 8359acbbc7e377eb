//! The tests of every generation: each scenario in a process of its own.

use crate::host::GENERATION;
use crate::runner::{self, log_of, run};

/// Not a test by itself.
#[test]
fn scenario() {
    runner::scenario();
}

macro_rules! scenarios {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            run(stringify!($name), &[]);
        }
    )* };
}

scenarios! {
    racing_threads_share_one_interpreter_and_one_callback
    a_slow_start_does_not_hold_up_another_name
    the_creator_that_asks_for_its_own_name_is_refused
    requests_nest
    gil_state_works_in_the_main_interpreter
    gil_state_works_in_the_main_thread
    nothing_of_a_request_is_left_in_the_thread
    threading_still_knows_its_main_thread
    the_handlers_result_is_the_threads_own
    results_that_change_keep_no_memory
    states_of_ended_threads_are_destroyed
    more_interpreters_than_a_thread_keeps_states_of
    a_name_may_go_away
    a_directory_is_one_name_however_it_is_written
    a_caller_that_holds_the_gil_gets_it_back
    a_variable_shows_nothing_of_a_request_before
    nothing_a_request_leaves_is_seen_by_the_next
    a_phase_finds_what_the_one_before_has_left
    a_thread_local_at_the_address_of_an_ended_one_is_empty
    redirects_are_of_the_request_they_are_made_of
    destructors_that_leave_heirs_end_or_are_forgotten
    an_exception_thrown_at_a_request_ends_with_it
    an_exception_thrown_after_a_nested_request_arrives
    nested_requests_are_separate
    a_thread_of_c_keeps_its_state
    c_code_between_two_requests_leaves_nothing
    a_state_is_as_new_word_by_word
    a_signal_handler_may_ask_at_any_moment
}

#[test]
fn a_failed_callback_is_retried_in_the_same_interpreter() {
    let folder = tempfile::tempdir().expect("a folder for the flag");
    let flag = folder.path().join("broken");
    std::fs::write(&flag, "").expect("the flag is written");
    let flag = flag.to_str().expect("a path of ASCII").to_owned();
    let log = log_of(&run("a_failed_callback_is_retried_in_the_same_interpreter", &[("BROKEN_FLAG", &flag)]));
    let lines = log.lines().filter(|line| line.starts_with("MPC0010: modpython-core: interpreter 'broken'")).count();
    assert_eq!(lines, 1, "one line for the one attempt that all waited for:\n{log}");
}

#[test]
fn the_limit_refuses_the_third_name_alone() {
    let log = log_of(&run("the_limit_refuses_the_third_name_alone", &[("MODPYTHON_CORE_MAX_INTERPRETERS", "2")]));
    assert!(log.contains("no interpreter 'third': the limit of 2 interpreters is reached"), "{log}");
    assert!(log.contains("MODPYTHON_CORE_MAX_INTERPRETERS"), "{log}");
}

#[test]
fn seconds_that_are_no_number_are_said_once_a_child() {
    let log_with = |value| {
        let environment = [("MODPYTHON_CORE_FIRST_REQUEST_ALONE", value)];
        log_of(&run("seconds_that_are_no_number_are_said_once_a_child", &environment))
    };
    let log = log_with("10s");
    let line = "MPC0028: modpython-core: MODPYTHON_CORE_FIRST_REQUEST_ALONE=10s is not a number of seconds";
    assert_eq!(log.lines().filter(|written| written.starts_with(line)).count(), 1, "{log}");
    let log = log_with("10");
    assert!(!log.contains("MPC0028"), "{log}");
}

#[test]
fn interpreters_whose_starts_ask_for_each_other_do_not_hang() {
    let stage = tempfile::tempdir().expect("a folder in which the starts meet");
    let stage = stage.path().to_str().expect("a path of ASCII").to_owned();
    let log = log_of(&run("interpreters_whose_starts_ask_for_each_other_do_not_hang", &[("CYCLE_STAGE", &stage)]));
    assert!(log.contains("waits for an interpreter that this thread is creating"), "{log}");
}

#[test]
fn the_child_of_a_fork_works() {
    run("the_child_of_a_fork_works", &[]);
}

#[test]
fn a_graceful_restart_goes_on_with_the_running_python() {
    let log = log_of(&run("a_graceful_restart_goes_on_with_the_running_python", &[]));
    assert_eq!(
        log.matches(&format!("active, mod_python generation {GENERATION}")).count(),
        3,
        "a notice per start:\n{log}"
    );
}
