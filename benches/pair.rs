//! What an acquisition and its release cost on a hit, with the shared library as it is shipped, in one run beside
//!
//! - *bare*: the CPython calls that a pair cannot do without, and three look-ups in a HashMap;
//! - *stock 3.1*: a dict of capsules and a state made and destroyed for each request, as in mod_python 3.1;
//! - *stock 3.5*: a hash, and states that any thread takes and leaves behind, as in 3.5.
//!
//! `make bench`, or `MODPYTHON_CORE_LIBRARY=... cargo bench --bench pair`. With 1, 2 and 32 threads. In each round every
//! one has its turn; what is compared is the median over the rounds of the ratio within a round, since a machine that is
//! busy with something else is so for all of them. Fails if a pair takes over 10 % more than a bare one, or does not
//! take less than stock 3.1's.
//!
//! Shown without being judged: the CPython calls alone, and stock 3.5, whose pair is quicker than ours. It does not find
//! out whether its thread holds the GIL already, nor keep a thread to states of its own. And all its work is inside the
//! GIL: in a loop that does nothing else the GIL changes hands half as often as with ours, which with many threads is
//! most of the time that passes.

use pyo3_ffi as ffi;
use std::{
    cell::UnsafeCell,
    collections::HashMap,
    env,
    ffi::{CStr, CString, c_char, c_void},
    hint::black_box,
    mem,
    process::ExitCode,
    ptr,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

const NAME: &CStr = c"www.example.org";
/// Rounds, and pairs of a round, by number of threads.
const RUNS: [(usize, usize, u32); 3] = [(1, 61, 100_000), (2, 41, 20_000), (32, 41, 20_000)];

type GetInterpreter = unsafe extern "C" fn(*const c_char) -> *mut Data;
type ReleaseInterpreter = unsafe extern "C" fn(*mut Data);

/// `interpreterdata` of generation 3.5.
#[repr(C)]
struct Data {
    tstates: *mut c_void,
    interp: *mut ffi::PyInterpreterState,
    obcallback: *mut ffi::PyObject,
}

/// The functions of a host of generation 3.5; this one makes callbacks alone.
#[repr(C)]
struct Host {
    others: [*const c_void; 3],
    make_obcallback: unsafe extern "C" fn(*const c_char) -> *mut ffi::PyObject,
}

/// Any object will do: it is not called.
unsafe extern "C" fn make_obcallback(_name: *const c_char) -> *mut ffi::PyObject {
    // SAFETY: called with the GIL held.
    unsafe { ffi::PyList_New(0) }
}

static HOST: Host = Host { others: [ptr::null(); 3], make_obcallback };

// SAFETY: never written to.
unsafe impl Sync for Host {}

/// A function of the shared library.
///
/// # Safety
///
/// It is of that type.
unsafe fn function<F: Copy>(library: *mut c_void, name: &CStr) -> F {
    // SAFETY: a handle of dlopen, and a C string.
    let address = unsafe { libc::dlsym(library, name.as_ptr()) };
    assert!(!address.is_null(), "the library has no {name:?}");
    // SAFETY: the caller's promise; a pointer to a function is as large as any.
    unsafe { mem::transmute_copy(&address) }
}

/// What all threads share.
struct Shared {
    get_interpreter: GetInterpreter,
    release_interpreter: ReleaseInterpreter,
    /// The state that the server's start has given up: stock's threads take the GIL with it, one after the other.
    global: *mut ffi::PyThreadState,
    interpreter: *mut ffi::PyInterpreterState,
    /// For the bare look-ups, and in the place of 3.5's hash. The number stands for a pointer.
    map: HashMap<CString, usize>,
    /// 3.1's interpreters: a dict of capsules.
    dict: *mut ffi::PyObject,
    /// 3.5's idle states, which the GIL guards.
    idle: UnsafeCell<Vec<*mut ffi::PyThreadState>>,
    data: Data,
}

// SAFETY: nothing changes but `idle`, which is used with the GIL held alone.
unsafe impl Sync for Shared {}

impl Shared {
    /// Starts Python as a server and its child do.
    fn new() -> Self {
        let path = env::var("MODPYTHON_CORE_LIBRARY")
            .expect("MODPYTHON_CORE_LIBRARY names the shared library that is measured: run `make bench`, or set it");
        let path = CString::new(path).expect("a path has no NUL");
        // SAFETY: the library does nothing when it is loaded; its functions have these types. Python is started by the
        // one thread there is, and the GIL is held from there to PyEval_SaveThread.
        unsafe {
            let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL);
            assert!(!library.is_null(), "{path:?} cannot be loaded");
            let register_host: unsafe extern "C" fn(&'static Host) = function(library, c"mpc35_register_host");
            let initialize: unsafe extern "C" fn() = function(library, c"modpython_core_initialize");
            let save_interpreter: unsafe extern "C" fn(*const c_char, *mut ffi::PyThreadState) -> *mut Data =
                function(library, c"mpc35_save_interpreter");
            let get_interpreter: GetInterpreter = function(library, c"mpc35_get_interpreter");
            let release_interpreter: ReleaseInterpreter = function(library, c"mpc35_release_interpreter");

            register_host(&HOST);
            initialize();
            assert!(!save_interpreter(c"main_interpreter".as_ptr(), ffi::PyThreadState_Get()).is_null());
            let global = ffi::PyEval_SaveThread();

            let data = get_interpreter(NAME.as_ptr());
            assert!(!data.is_null(), "the interpreter starts");
            let interpreter = (*data).interp;
            release_interpreter(data);

            ffi::PyEval_RestoreThread(global);
            let data = Data { tstates: ptr::null_mut(), interp: interpreter, obcallback: ptr::null_mut() };
            let (dict, place) = (ffi::PyDict_New(), ptr::from_ref(&*Box::leak(Box::new(interpreter))));
            let capsule = ffi::PyCapsule_New(place.cast_mut().cast(), ptr::null(), None);
            assert_eq!(ffi::PyDict_SetItemString(dict, NAME.as_ptr(), capsule), 0);
            ffi::PyEval_SaveThread();

            let map = HashMap::from([(NAME.into(), 1)]);
            let idle = UnsafeCell::new(Vec::new());
            Self { get_interpreter, release_interpreter, global, interpreter, map, dict, idle, data }
        }
    }

    /// The library's pair.
    fn ours(&self) {
        // SAFETY: a name, and what came of it. The GIL is free to be taken.
        unsafe { (self.release_interpreter)(black_box((self.get_interpreter)(black_box(NAME).as_ptr()))) }
    }

    /// The bare pair.
    fn bare(&self, own: *mut ffi::PyThreadState) {
        for _ in 0..3 {
            black_box(self.map.get(black_box(NAME)));
        }
        Self::calls(own);
    }

    /// The CPython calls of the bare pair, on a state that is this thread's.
    fn calls(own: *mut ffi::PyThreadState) {
        // SAFETY: a state of this thread alone: the GIL is taken with it, what a request left in it is cleared, and the
        // GIL is given up.
        unsafe {
            ffi::PyEval_RestoreThread(own);
            ffi::PyThreadState_Clear(ffi::PyThreadState_Get());
            ffi::PyEval_SaveThread();
        }
    }

    /// 3.1: looks in the dict with the GIL, gives it up, makes a state, and takes the GIL with that; in the end the state
    /// is destroyed. It is cleared first, as it has to be; 3.1 forgets to.
    fn stock31(&self) {
        // SAFETY: the calls of a stock module in its order. The capsule has no name and points to the interpreter.
        unsafe {
            ffi::PyEval_RestoreThread(self.global);
            let capsule = ffi::PyDict_GetItemString(self.dict, black_box(NAME).as_ptr());
            let interpreter: *mut *mut ffi::PyInterpreterState = ffi::PyCapsule_GetPointer(capsule, ptr::null()).cast();
            ffi::PyEval_SaveThread();
            let state = ffi::PyThreadState_New(*interpreter);
            ffi::PyEval_AcquireThread(state);

            let state = ffi::PyThreadState_Get();
            ffi::PyThreadState_Clear(state);
            ffi::PyEval_ReleaseThread(state);
            ffi::PyThreadState_Delete(state);
        }
    }

    /// 3.5: looks in the hash with the GIL, takes an idle state or makes one, and swaps it in; in the end the state is
    /// cleared, if `clears` (Debian's build does not), and idle again.
    fn stock35(&self, clears: bool) {
        // SAFETY: the calls of a stock module in its order. `idle` is touched with the GIL held.
        unsafe {
            ffi::PyEval_RestoreThread(self.global);
            black_box(self.map.get(black_box(NAME)));
            let data = black_box(&self.data);
            let state = (*self.idle.get()).pop().unwrap_or_else(|| ffi::PyThreadState_New(data.interp));
            ffi::PyThreadState_Swap(state);

            let state = ffi::PyThreadState_Get();
            if clears {
                ffi::PyThreadState_Clear(state);
            }
            (*self.idle.get()).push(state);
            ffi::PyEval_ReleaseThread(state);
        }
    }
}

/// What is measured, and what of its time ours may take.
const VARIANTS: [(&str, f64); 6] = [
    ("ours", f64::INFINITY),
    ("bare", 1.10),
    ("stock 3.1", 1.0),
    ("the CPython calls alone", f64::INFINITY),
    ("stock 3.5", f64::INFINITY),
    ("stock 3.5, Debian's, which does not clear", f64::INFINITY),
];
const STOP: usize = VARIANTS.len();

/// Runs `pairs` of one variant.
fn run(shared: &Shared, own: *mut ffi::PyThreadState, variant: usize, pairs: u32) {
    // A match outside of the loop, so that no variant pays for it.
    match variant {
        0 => (0..pairs).for_each(|_| shared.ours()),
        1 => (0..pairs).for_each(|_| shared.bare(own)),
        2 => (0..pairs).for_each(|_| shared.stock31()),
        3 => (0..pairs).for_each(|_| Shared::calls(own)),
        4 => (0..pairs).for_each(|_| shared.stock35(true)),
        _ => (0..pairs).for_each(|_| shared.stock35(false)),
    }
}

/// Nanoseconds per pair by variant, in each round.
fn measure(shared: &Shared, threads: usize, rounds: usize, pairs: u32) -> Vec<[f64; VARIANTS.len()]> {
    let each = pairs / threads as u32;
    let (barrier, order) = (Barrier::new(threads + 1), AtomicUsize::new(0));
    let worker = || {
        // The thread's states exist before it is measured. The first is the library's, which stays.
        shared.ours();
        // SAFETY: the interpreter lives as long as Python, and the state is used by this thread alone.
        let own = unsafe { ffi::PyThreadState_New(shared.interpreter) };
        let mut times = Vec::new();
        loop {
            barrier.wait();
            let variant = order.load(Ordering::Relaxed);
            if variant == STOP {
                // SAFETY: cleared after each use, not current, and not used again.
                unsafe { ffi::PyThreadState_Delete(own) };
                return times;
            }
            let begun = Instant::now();
            run(shared, own, variant, each);
            times.push((begun, Instant::now()));
            barrier.wait();
        }
    };
    let times: Vec<Vec<(Instant, Instant)>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        // One round more, the first, to warm up.
        for round in 0..=rounds {
            for turn in 0..VARIANTS.len() {
                order.store((turn + round) % VARIANTS.len(), Ordering::Relaxed);
                barrier.wait();
                barrier.wait();
            }
        }
        order.store(STOP, Ordering::Relaxed);
        barrier.wait();
        workers.into_iter().map(|worker| worker.join().expect("a thread that measures does not panic")).collect()
    });
    (1..=rounds)
        .map(|round| {
            let mut row = [0.0; VARIANTS.len()];
            for turn in 0..VARIANTS.len() {
                let at = round * VARIANTS.len() + turn;
                let begun = times.iter().map(|times| times[at].0).min().expect("there are threads");
                let ended = times.iter().map(|times| times[at].1).max().expect("there are threads");
                row[(turn + round) % VARIANTS.len()] =
                    (ended - begun).as_nanos() as f64 / f64::from(each) / threads as f64;
            }
            row
        })
        .collect()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> ExitCode {
    let shared = Shared::new();
    let mut missed = Vec::new();
    for (threads, rounds, pairs) in RUNS {
        let rows = measure(&shared, threads, rounds, pairs);
        let begins = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads at once") };
        println!("{begins}, {rounds} rounds of {pairs} pairs each; time per pair: median (quickest), ours to it:");
        for (variant, (what, at_most)) in VARIANTS.iter().enumerate() {
            let time = median(rows.iter().map(|row| row[variant]));
            let quickest = rows.iter().map(|row| row[variant]).fold(f64::INFINITY, f64::min);
            let ratio = median(rows.iter().map(|row| row[0] / row[variant]));
            println!("  {what:<42} {time:8.1} ns  ({quickest:.1})  {ratio:.2}");
            if ratio > *at_most {
                missed.push(format!("{begins}: {ratio:.2} of {what} (at most {at_most:.2})"));
            }
        }
    }
    for line in &missed {
        println!("missed: {line}");
    }
    if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
