//! The host's calls in each scenario.

use super::{
    host::{
        InterpreterData, child_init, child_init_of_another_kind, get_interpreter, python_init, release_interpreter,
    },
    phases,
    requests::{dispatch, request, run as run_in},
    separate,
};
use modpython_core::python::ffi;
use std::{
    ffi::{CStr, CString},
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

/// Runs the scenario of that name in this process.
pub fn run(name: &str) {
    python_init();
    match name {
        "a_module_that_starts_otherwise_is_left_alone_with_one_warning" => left_alone(),
        _ => {
            child_init();
            running(name);
        }
    }
}

fn running(name: &str) {
    match name {
        "racing_threads_share_one_interpreter_and_one_callback" => racing(),
        "a_slow_start_does_not_hold_up_another_name" => slow_start(),
        "the_creator_that_asks_for_its_own_name_is_refused" => reentrant(),
        "requests_nest" => nesting(),
        "gil_state_works_in_the_main_interpreter" => thread::spawn(gil_state).join().unwrap(),
        "gil_state_works_in_the_main_thread" => gil_state(),
        "nothing_of_a_request_is_left_in_the_thread" => nothing_left(),
        "threading_still_knows_its_main_thread" => main_thread_alive(),
        "the_handlers_result_is_the_threads_own" => own_result(),
        "results_that_change_keep_no_memory" => changing_results(),
        "states_of_ended_threads_are_destroyed" => ended_threads(),
        "more_interpreters_than_a_thread_keeps_states_of" => many_interpreters(),
        "a_name_may_go_away" => names_go_away(),
        "a_directory_is_one_name_however_it_is_written" => directories(),
        "a_caller_that_holds_the_gil_gets_it_back" => gil_given_back(),
        "a_failed_callback_is_retried_in_the_same_interpreter" => failed_callback(),
        "the_limit_refuses_the_third_name_alone" => limit(),
        // The start of the child is all.
        "seconds_that_are_no_number_are_said_once_a_child" => {}
        "the_child_of_a_fork_works" => fork(),
        "a_graceful_restart_goes_on_with_the_running_python" => graceful(),
        "a_graceful_restart_works_while_switched_off" => graceful_off(),
        "a_variable_shows_nothing_of_a_request_before" => separate::variables(),
        "nothing_a_request_leaves_is_seen_by_the_next" => separate::leftovers(),
        "a_phase_finds_what_the_one_before_has_left" => phases::phases(),
        "a_thread_local_at_the_address_of_an_ended_one_is_empty" => {
            separate::ended_locals();
            phases::ended_locals();
        }
        "redirects_are_of_the_request_they_are_made_of" => phases::redirects(),
        "destructors_that_leave_heirs_end_or_are_forgotten" => phases::heirs(),
        "an_exception_thrown_at_a_request_ends_with_it" => separate::thrown(),
        "an_exception_thrown_after_a_nested_request_arrives" => separate::thrown_after_a_nested_request(),
        "nested_requests_are_separate" => separate::nesting(),
        "a_thread_of_c_keeps_its_state" => separate::ensured(),
        "c_code_between_two_requests_leaves_nothing" => separate::ensured_between_requests(),
        "a_state_is_as_new_word_by_word" => separate::word_by_word(),
        "a_signal_handler_may_ask_at_any_moment" => separate::signals(),
        "interpreters_whose_starts_ask_for_each_other_do_not_hang" => separate::cycle(),
        other => panic!("there is no scenario {other}"),
    }
}

/// Runs `work` in `number` threads at one moment and returns what each came to.
fn at_once<R: Send + 'static>(number: usize, work: impl Fn(usize) -> R + Send + Sync + 'static) -> Vec<R> {
    let (work, start) = (Arc::new(work), Arc::new(Barrier::new(number)));
    let threads: Vec<_> = (0..number)
        .map(|index| {
            let (work, start) = (Arc::clone(&work), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                work(index)
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().expect("a request panicked")).collect()
}

/// Tells interpreters of one name apart, and counts the runs of `init`.
const WHICH: &str =
    "import fake_apache; answer = '%s %d %d' % (fake_apache.interpreter, id(sys.modules), fake_apache.calls)";

fn same(answers: &[Option<String>]) -> String {
    let first = answers[0].clone().expect("there is an interpreter");
    assert!(answers.iter().all(|answer| answer.as_ref() == Some(&first)), "{answers:?}");
    first
}

fn racing() {
    for round in 0..10 {
        let name = CString::new(format!("short{round}")).unwrap();
        let answers = at_once(32, move |_| request(&name, WHICH));
        assert!(same(&answers).ends_with(" 1"), "init ran once: {answers:?}");
    }
    let mut counters = [0; 4];
    // SAFETY: space for as many counters as is said.
    let number = unsafe { modpython_core_stats(counters.as_mut_ptr(), counters.len()) };
    assert_eq!((number, counters), (4, [10, 10, 0, 0]), "interpreters, callbacks, failures, refusals");
}

unsafe extern "C" {
    fn modpython_core_stats(counters: *mut u64, capacity: usize) -> usize;
}

fn slow_start() {
    request(c"quick", WHICH);
    let slow = thread::spawn(|| request(c"slow", WHICH));
    let begun = Instant::now();
    let mut worst = Duration::ZERO;
    let mut served = 0;
    while !slow.is_finished() {
        let asked = Instant::now();
        assert!(request(c"quick", "answer = 1").is_some());
        worst = worst.max(asked.elapsed());
        served += 1;
    }
    slow.join().unwrap();
    assert!(begun.elapsed() > Duration::from_millis(900), "the slow one was slow");
    assert!(worst < Duration::from_millis(800) && served > 100, "{worst:?} at worst in {served} requests");
}

fn reentrant() {
    assert!(same(&[request(c"reentrant", WHICH)]).starts_with("reentrant"));
}

fn nesting() {
    let inside = |name: &CStr| {
        for _ in 0..3 {
            let outer = get_interpreter(name);
            run_in(outer, "self.local.value = 'outer'");
            for inner in [name, c"other", c"main_interpreter"] {
                // SAFETY: the GIL is held; this is what Py_BEGIN_ALLOW_THREADS does.
                let saved = unsafe { ffi::PyEval_SaveThread() };
                assert!(request(inner, WHICH).is_some());
                // SAFETY: the state from above.
                unsafe { ffi::PyEval_RestoreThread(saved) };
                let kept = run_in(outer, "answer = self.local.value");
                assert_eq!(kept, "outer", "a request is not emptied by one inside it");
            }
            release_interpreter(outer);
        }
    };
    inside(c"a");
    inside(c"main_interpreter");
    at_once(8, move |index| inside([c"a", c"b", c"main_interpreter"][index % 3]));
}

/// The answer of PyGILState_Check, which Python 2 lacks.
fn gil_state_is_current() -> bool {
    // SAFETY: the GIL is held.
    unsafe { ffi::PyGILState_GetThisThreadState() == ffi::PyThreadState_Get() }
}

fn gil_state() {
    for _ in 0..5 {
        let data = get_interpreter(c"main_interpreter");
        // SAFETY: the GIL is held; Ensure and Release are a pair, as an extension module would have them.
        unsafe {
            assert!(gil_state_is_current());
            let ensured = ffi::PyGILState_Ensure();
            ffi::PyGILState_Release(ensured);
            let saved = ffi::PyEval_SaveThread();
            // From C code that has no idea of the request around it.
            let ensured = ffi::PyGILState_Ensure();
            assert!(gil_state_is_current());
            ffi::PyGILState_Release(ensured);
            ffi::PyEval_RestoreThread(saved);
            assert!(gil_state_is_current());
        }
        release_interpreter(data);
        // A named interpreter in between is what confuses the thread's own state.
        assert!(request(c"named", WHICH).is_some());
    }
}

fn nothing_left() {
    // Python 2 has no context variables.
    let leave = "
try:
    import contextvars
except ImportError:
    contextvars = no_variables
seen = (getattr(self.local, 'user', None), sys.gettrace(), sys.getprofile())
self.variable = getattr(self, 'variable', None) or contextvars.ContextVar('user', default=None)
seen += (self.variable.get(),)
self.local.user = 'somebody'
self.variable.set('somebody')
sys.setprofile(lambda *event: None)
sys.settrace(lambda *event: None)
answer = seen
";
    for name in [c"a", c"main_interpreter"] {
        for _ in 0..5 {
            assert_eq!(request(name, leave).unwrap(), "(None, None, None, None)");
        }
    }
}

fn main_thread_alive() {
    for _ in 0..5 {
        for name in [c"a", c"main_interpreter"] {
            let main = "answer = [t.is_alive() for t in threading.enumerate() if type(t).__name__ == '_MainThread']";
            let alive = request(name, main).unwrap();
            assert_eq!(alive, "[True]", "the thread goes on, whatever was cleared");
        }
    }
}

fn own_result() {
    for value in [0, -2, 200, 404, 0, 1 << 40] {
        let code = value.to_string();
        let (got, first) = dispatch(c"a", &code);
        let (again, second) = dispatch(c"a", &code);
        assert_eq!((got, again), (value, value));
        assert_eq!(first, second, "a thread has one object for the same result");
    }
    // The counts of shared ints do not move while threads give results up without the GIL.
    if !cfg!(Py_3_12) {
        let count = "answer = sys.getrefcount(0) // 100";
        let before = request(c"a", count);
        at_once(4, |_| (0..2000).for_each(|_| assert_eq!(dispatch(c"a", "0").0, 0)));
        assert_eq!(request(c"a", count), before);
    }
}

/// Each change makes an int anew. In Python 2 each took 24 bytes that nobody got back, as it did not come from the
/// blocks of ints.
fn changing_results() {
    let change = |times: usize| {
        for turn in 0..times {
            dispatch(c"a", ["404", "0"][turn % 2]);
        }
        request(c"a", "import gc; answer = gc.collect()");
    };
    change(10_000);
    let before = resident();
    change(100_000);
    let grown = resident().saturating_sub(before);
    assert!(grown < 1 << 20, "{grown} bytes more after 100,000 results");
}

/// The memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    // SAFETY: sysconf reads no memory of ours.
    pages * usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap()
}

fn states_of(data: *mut InterpreterData) -> usize {
    let mut number = 0;
    // SAFETY: the GIL is held, and no other thread runs.
    unsafe {
        let mut state = ffi::PyInterpreterState_ThreadHead((*data).interp.cast());
        while !state.is_null() {
            number += 1;
            state = ffi::PyThreadState_Next(state);
        }
    }
    number
}

fn ended_threads() {
    let count = || {
        let data = get_interpreter(c"a");
        let number = states_of(data);
        release_interpreter(data);
        number
    };
    assert!(request(c"a", WHICH).is_some());
    let before = count();
    for _ in 0..50 {
        at_once(4, |_| assert!(request(c"a", WHICH).is_some()));
    }
    assert_eq!(count(), before);
}

fn many_interpreters() {
    let names: Vec<_> = (0..70).map(|number| CString::new(format!("directory {number}")).unwrap()).collect();
    for _ in 0..2 {
        for name in &names {
            assert!(request(name, WHICH).unwrap().ends_with(" 1"));
        }
    }
}

fn names_go_away() {
    let mut pool = *b"/in/the/pool\0";
    let first = request(CStr::from_bytes_with_nul(&pool).unwrap(), WHICH);
    pool[1..4].copy_from_slice(b"xxx");
    let again = request(c"/in/the/pool", WHICH);
    assert_eq!(first, again);
    assert!(again.unwrap().starts_with("/in/the/pool"));
}

fn directories() {
    let root = request(c"/", WHICH).unwrap();
    let one = request(c"/d/e/", WHICH).unwrap();
    for other in [c"/d/e", c"/d/e//", c"/d/e///"] {
        assert_eq!(request(other, WHICH).unwrap(), one);
    }
    assert_eq!(request(c"//", WHICH).unwrap(), root);
    // Names of another kind are taken as they are.
    for name in [c"d/e", c"d/e/", c"/d"] {
        assert_ne!(request(name, WHICH).unwrap(), one);
    }
    assert_ne!(request(c"d/e", WHICH).unwrap(), request(c"d/e/", WHICH).unwrap());
}

fn gil_given_back() {
    let outer = get_interpreter(c"a");
    for name in [c"a", c"b", c"main_interpreter"] {
        // A request in a request, by a caller that did not give the GIL up: stock waits for itself here.
        assert!(request(name, WHICH).is_some());
        assert!(run_in(outer, WHICH).starts_with('a'));
    }
    release_interpreter(outer);
    assert!(thread::spawn(|| request(c"a", WHICH)).join().unwrap().is_some(), "the GIL is free");
}

fn failed_callback() {
    assert!(request(c"fine", WHICH).is_some());
    let answers = at_once(16, |_| request(c"broken", WHICH));
    assert!(answers.iter().all(Option::is_none), "{answers:?}");
    assert!(request(c"fine", WHICH).is_some(), "the GIL is free and nothing else is hurt");
    std::fs::remove_file(std::env::var_os("BROKEN_FLAG").unwrap()).unwrap();
    let which = same(&at_once(16, |_| request(c"broken", WHICH)));
    assert!(which.ends_with(" 2"), "the callback alone was retried, in the same interpreter: {which}");
}

fn limit() {
    assert!(request(c"first", WHICH).is_some() && request(c"second", WHICH).is_some());
    for _ in 0..3 {
        assert!(request(c"third", WHICH).is_none());
        assert!(request(c"first", WHICH).is_some() && request(c"second", WHICH).is_some());
        assert!(request(c"main_interpreter", WHICH).is_some());
    }
}

fn fork() {
    // With a named interpreter about, CPython's own child hangs in PyOS_AfterFork_Child (seen on 3.9 to 3.12 without
    // us), so that there is only the main one here; tests/fork.rs forks in every state of the registry.
    assert!(request(c"main_interpreter", WHICH).is_some());
    let others = thread::spawn(|| at_once(3, |_| (0..300).for_each(|_| drop(request(c"main_interpreter", WHICH)))));
    let mut forks = 0;
    while !others.is_finished() || forks == 0 {
        let data = get_interpreter(c"main_interpreter");
        let pid = run_in(data, "answer = os.fork()");
        if pid == "0" {
            // The copy goes on as the request it is in, and asks for more, also for what the parent has not.
            release_interpreter(data);
            let works = request(c"main_interpreter", WHICH).is_some()
                && request(c"new in the child", WHICH).is_some_and(|which| which.ends_with(" 1"))
                && thread::spawn(|| request(c"new in the child", WHICH).is_some()).join().unwrap();
            // SAFETY: ends this process at once, without the parent's exit handlers.
            unsafe { libc::_exit(if works { 0 } else { 1 }) };
        }
        let wait = format!("answer = os.waitpid({pid}, 0)[1]");
        assert_eq!(run_in(data, &wait), "0", "the child of fork {forks} works");
        release_interpreter(data);
        forks += 1;
    }
    others.join().unwrap();
}

fn graceful() {
    // The module is loaded anew, Python goes on; a child is forked after each.
    for _ in 0..2 {
        python_init();
        child_init();
        assert!(request(c"main_interpreter", WHICH).is_some());
        assert!(thread::spawn(|| request(c"a", WHICH)).join().unwrap().is_some());
    }
}

fn graceful_off() {
    python_init();
    child_init();
    assert!(request(c"a", WHICH).is_some(), "as stock does it");
}

fn left_alone() {
    child_init_of_another_kind();
    for _ in 0..3 {
        assert!(request(c"a", WHICH).is_some(), "as stock does it");
    }
}
