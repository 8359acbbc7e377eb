//! One request and another in the same thread: data that each sees of the other (R9, R11, R12).

use super::{
    host::{get_interpreter, release_interpreter},
    requests::{request, run},
};
use modpython_core::python::ffi;
use std::{
    ffi::{CStr, CString, c_char, c_int},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

const NAMES: [&CStr; 3] = [c"a", c"b", c"main_interpreter"];

unsafe extern "C" {
    fn PyThreadState_SetAsyncExc(thread: libc::pthread_t, exception: *mut ffi::PyObject) -> c_int;
    static PyExc_KeyboardInterrupt: *mut ffi::PyObject;
}

/// Called from Python: a request in the request that calls it. 1 if there was an interpreter.
unsafe extern "C" fn nested(name: *const c_char, code: *const c_char, answer: *mut c_char, capacity: c_int) -> c_int {
    // SAFETY: ctypes passes C strings, and space for as many bytes as it says.
    unsafe {
        let code = CStr::from_ptr(code).to_str().unwrap();
        let Some(text) = request(CStr::from_ptr(name), code) else { return 0 };
        let text = CString::new(text).unwrap();
        libc::strncpy(answer, text.as_ptr(), capacity as usize);
    }
    1
}

fn nested_address() -> usize {
    nested as *const () as usize
}

/// A context variable must not show what a request before has set, nor lead to freed memory.
pub fn variables() {
    for name in NAMES {
        for number in 0..200 {
            let code = format!("import separate; answer = separate.set_one_read_others({number})");
            assert_eq!(request(name, &code).unwrap(), "[]", "request {number} in {name:?}");
        }
    }
}

/// Whatever a request leaves, destructors that leave something again among it.
pub fn leftovers() {
    for name in NAMES {
        for lives in [0, 0, 1, 3, 0] {
            let code = format!("import separate; answer = separate.seen(); separate.leave('somebody', {lives})");
            assert_eq!(request(name, &code).unwrap(), "[]", "after destructors with {lives} lives");
        }
    }
}

/// An exception that was thrown at a thread, and has not arrived when its request ends, is gone with it.
pub fn thrown() {
    for name in NAMES {
        for _ in 0..3 {
            let data = get_interpreter(name);
            // SAFETY: the GIL is held.
            unsafe {
                assert_eq!(PyThreadState_SetAsyncExc(libc::pthread_self(), PyExc_KeyboardInterrupt), 1);
            }
            release_interpreter(data);
            assert_eq!(request(name, "answer = len(list(range(1000)))").unwrap(), "1000");
        }
    }
}

/// An exception that is thrown at a thread reaches the request that runs, also after a nested one.
pub fn thrown_after_a_nested_request() {
    let throw = format!(
        "
import ctypes, separate
separate.nested({}, interpreter, 'answer = 1')
set = ctypes.pythonapi.PyThreadState_SetAsyncExc
set.argtypes = [ctypes.c_ulong, ctypes.py_object]
answer = 'nothing has arrived'
try:
    assert set(separate.get_ident(), ValueError) == 1
    for number in range(10000):
        pass
except ValueError:
    answer = 'arrived'
",
        nested_address()
    );
    for name in NAMES {
        for _ in 0..3 {
            let code = format!("interpreter = {:?}\n{throw}", name.to_str().unwrap());
            assert_eq!(request(name, &code).unwrap(), "arrived");
        }
    }
}

/// A threading.local ends in a nested request, and the outer one uses another at its address. CPython may put off the
/// end of the data of one that ends with others.
pub fn ended_locals() {
    for name in NAMES {
        let code = format!(
            "
import ended_locals, separate
inner = 'import ended_locals; answer = ended_locals.replace()'
answer = []
for depth in range(60):
    ended_locals.use()
    ended_locals.at_depth(depth, lambda: answer.append(separate.nested({}, {:?}, inner)))
    answer.append(ended_locals.found())
assert answer.count('replaced') > 30
answer = [each for each in answer if each not in ('replaced', 'not replaced', [['mark'], []])]
",
            nested_address(),
            name.to_str().unwrap(),
        );
        assert_eq!(request(name, &code).unwrap(), "[]", "{name:?}");
    }
}

/// Requests nest three deep, in one interpreter and in several, in Apache's threads and in the application's.
pub fn nesting() {
    thread::spawn(nesting_in_this_thread).join().unwrap();
    nesting_in_this_thread();
}

fn nesting_in_this_thread() {
    // Where decimal is built into Python (Debian's 3.9), its first import in an interpreter resets it in all others.
    for name in NAMES {
        assert!(request(name, "import separate; answer = 1").is_some());
    }
    for outer in NAMES {
        for inner in NAMES {
            for function in ["separate", "in_thread"] {
                let (address, inner) = (nested_address(), inner.to_str().unwrap());
                let code = format!("import separate; answer = separate.{function}({address}, {inner:?}, 3)");
                for _ in 0..3 {
                    assert_eq!(request(outer, &code).unwrap(), "[]", "{function}: {inner} in {outer:?}");
                    assert_eq!(request(outer, "import separate; answer = separate.seen()").unwrap(), "[]");
                }
            }
        }
    }
}

/// A thread of C that enters Python by PyGILState_Ensure and Apache from there, again and again.
pub fn ensured() {
    assert!(request(c"main_interpreter", "import separate").is_some());
    thread::spawn(|| {
        let outer = c"import separate; separate.LOCAL.user = 'outer'; separate.decimal.getcontext().prec = 9";
        let check = c"import separate; assert separate.LOCAL.user == 'outer', vars(separate.LOCAL); \
            assert separate.decimal.getcontext().prec == 9";
        let inner = "import separate; answer = separate.seen(); separate.leave('inner')";
        for round in 0..10 {
            // SAFETY: a pair, with the GIL held in between where it is not given up.
            unsafe {
                let ensured = ffi::PyGILState_Ensure();
                assert_eq!(ffi::PyRun_SimpleString(outer.as_ptr()), 0);
                for name in NAMES {
                    assert_eq!(request(name, inner).unwrap(), "[]", "round {round}");
                    assert_eq!(ffi::PyRun_SimpleString(check.as_ptr()), 0, "round {round}");
                    let saved = ffi::PyEval_SaveThread();
                    assert_eq!(request(name, inner).unwrap(), "[]", "round {round}, without the GIL");
                    ffi::PyEval_RestoreThread(saved);
                    assert_eq!(ffi::PyRun_SimpleString(check.as_ptr()), 0, "round {round}, without the GIL");
                }
                ffi::PyGILState_Release(ensured);
            }
        }
    })
    .join()
    .unwrap();
}

/// A request does not see data that C code has left in the thread's state since the request before.
pub fn ensured_between_requests() {
    thread::spawn(|| {
        for _ in 0..5 {
            for name in NAMES {
                assert_eq!(request(name, "import separate; answer = separate.seen()").unwrap(), "[]");
                // SAFETY: a pair.
                unsafe {
                    let ensured = ffi::PyGILState_Ensure();
                    let left = c"import separate; separate.leave('between')";
                    assert_eq!(ffi::PyRun_SimpleString(left.as_ptr()), 0);
                    ffi::PyGILState_Release(ensured);
                }
            }
        }
    })
    .join()
    .unwrap();
}

/// A state that was made as new is what it was before, word by word: whatever CPython keeps in it, in whichever
/// version.
pub fn word_by_word() {
    let code = "import separate; answer = separate.seen()";
    assert_eq!(request(c"a", code).unwrap(), "[]");
    let words = || {
        let data = get_interpreter(c"a");
        // SAFETY: the GIL is held; the state was allocated by malloc, being no interpreter's first.
        let words = unsafe {
            let state: *const usize = ffi::PyThreadState_Get().cast_const().cast();
            let size = libc::malloc_usable_size(state.cast_mut().cast()) / size_of::<usize>();
            std::slice::from_raw_parts(state, size).to_vec()
        };
        release_interpreter(data);
        words
    };
    // The words of a thread's state that are others after `work`.
    let changed_by = |work: &'static str| {
        thread::spawn(move || {
            // It has served before, so that it has its stack.
            assert!(request(c"a", code).is_some());
            let before = words();
            assert!(request(c"a", work).is_some());
            let after = words();
            (0..before.len()).filter(|word| before[*word] != after[*word]).collect::<Vec<_>>()
        })
        .join()
        .unwrap()
    };
    let mut plain: Vec<_> = (0..4).flat_map(|_| changed_by("answer = 1")).collect();
    if cfg!(Py_3_13) {
        // eval_breaker, whose upper half counts what has been instrumented in the whole interpreter.
        plain.push(3);
    }
    if cfg!(not(feature = "python3")) {
        // tick_counter, which counts how often the evaluator has let others run.
        plain.push(16);
    }
    let used = changed_by("import separate; separate.leave('somebody', 1); answer = 1");
    let left: Vec<_> = used.iter().filter(|word| !plain.contains(word)).collect();
    assert!(left.is_empty(), "words that only this request changes: {left:?}; every one does: {plain:?}");
    assert!(plain.len() < 4 * 4, "most words are compared, but for {plain:?}");
}

static SERVED: AtomicUsize = AtomicUsize::new(0);
static REFUSED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn on_end(_: c_int) {
    let data = get_interpreter(c"a");
    if data.is_null() {
        REFUSED.fetch_add(1, Ordering::Relaxed);
    } else {
        release_interpreter(data);
        SERVED.fetch_add(1, Ordering::Relaxed);
    }
}

/// prefork's child runs cleanups of Python in the handler of SIGTERM, or of SIGHUP at a hard restart, whatever that has
/// interrupted.
pub fn signals() {
    static DONE: AtomicBool = AtomicBool::new(false);
    for name in NAMES {
        assert!(request(name, "answer = 1").is_some());
        // Two nested ones, so that nothing is made in the handler: it may have interrupted the allocator.
        let outer = get_interpreter(name);
        assert!(request(c"a", "answer = 1").is_some());
        release_interpreter(outer);
    }
    let signals = [libc::SIGTERM, libc::SIGHUP];
    // SAFETY: a handler for this process alone, which the threads of the test harness do not get.
    let target = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_end as *const () as usize;
        for signal in signals {
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
        libc::pthread_self()
    };
    let counts = || [&SERVED, &REFUSED].map(|count| count.load(Ordering::Relaxed));
    for signal in signals {
        let [served, refused] = counts();
        // SAFETY: the handler above runs here and now.
        unsafe { libc::raise(signal) };
        assert_eq!(counts(), [served + 1, refused], "signal {signal} outside Python");
        let data = get_interpreter(c"main_interpreter");
        // SAFETY: as before.
        unsafe { libc::raise(signal) };
        assert_eq!(counts(), [served + 1, refused + 1], "signal {signal} inside Python");
        release_interpreter(data);
    }
    let killer = thread::spawn(move || {
        let mut seed = 12345_u32;
        let deadline = Instant::now() + Duration::from_secs(20);
        while !counts().iter().all(|count| *count >= 100) && Instant::now() < deadline {
            // SAFETY: the target waits for this thread.
            unsafe { libc::pthread_kill(target, signals[seed as usize >> 16 & 1]) };
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (0..seed % 5000).for_each(|_| std::hint::spin_loop());
        }
        DONE.store(true, Ordering::Relaxed);
    });
    while !DONE.load(Ordering::Relaxed) {
        for name in NAMES {
            let data = get_interpreter(name);
            assert!(!data.is_null());
            release_interpreter(data);
        }
    }
    killer.join().unwrap();
    let [served, refused] = counts();
    assert!(served >= 100 && refused >= 100, "{served} served, {refused} refused: the signals came at one place only");
    let data = get_interpreter(c"a");
    assert_eq!(run(data, "import separate; answer = separate.seen()"), "[]");
    release_interpreter(data);
}

/// "cycle a" asks for "cycle b" while it starts, and the other way round.
pub fn cycle() {
    let both = [c"cycle a", c"cycle b"]
        .map(|name| thread::spawn(move || request(name, "import fake_apache; answer = fake_apache.got")));
    let got = both.map(|thread| thread.join().unwrap().expect("each is made, whatever it was refused"));
    let mut sorted = got.clone();
    sorted.sort();
    assert_eq!(sorted, ["0", "1"], "one is refused, and the other waits: {got:?}");
}
