//! The cost of an acquisition and its release on a hit, with the shared library as it is shipped, in one run beside
//!
//! - *bare*: the CPython calls that a pair cannot do without, and three look-ups in a HashMap;
//! - *stock 3.1*: a dict of capsules and a state made and destroyed for each request, as in mod_python 3.1;
//! - *stock 3.5*: a hash, and states that any thread takes and leaves behind, as in 3.5.
//!
//! `make bench-pair [PYTHON=...]`. With 1, 2 and 32 threads. In each round every
//! variant has its turn. The bench compares the median over the rounds of the ratio within a round, since a machine
//! is busy for all of them alike. Fails if a pair takes over 10 % more than a bare one, or does not
//! take less than stock 3.1's.
//!
//! Shown without being judged: the CPython calls alone, and stock 3.5, whose pair is quicker than ours. It does not
//! find out whether its thread holds the GIL already, nor keep a thread to states of its own. And all its work is
//! inside the GIL: in a loop that does nothing else the GIL changes hands half as often as with ours, which with many
//! threads is most of the time that passes.

#[cfg(not(feature = "python3"))]
#[path = "python2.rs"]
mod variants;
#[cfg(feature = "python3")]
#[path = "python3.rs"]
mod variants;

use modpython_core::python::ffi;
use std::{
    collections::HashMap,
    env,
    ffi::{CStr, CString, c_void},
    hint::black_box,
    mem,
    process::ExitCode,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};
use variants::{Shared, VARIANTS};

const NAME: &CStr = c"www.example.org";
/// Rounds, and pairs of a round, by number of threads.
const RUNS: [(usize, usize, u32); 3] = [(1, 61, 100_000), (2, 41, 20_000), (32, 41, 20_000)];

/// The shared library that is measured.
fn library() -> *mut c_void {
    let path = env::var("MODPYTHON_CORE_LIBRARY")
        .expect("MODPYTHON_CORE_LIBRARY names the shared library that is measured: run `make bench-pair`, or set it");
    let path = CString::new(path).expect("a path has no NUL");
    // SAFETY: the library does nothing when it is loaded.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    assert!(!library.is_null(), "{path:?} cannot be loaded");
    library
}

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

/// The bare pair, on a state that is this thread's.
fn bare(map: &HashMap<CString, usize>, own: *mut ffi::PyThreadState) {
    for _ in 0..3 {
        black_box(map.get(black_box(NAME)));
    }
    calls(own);
}

/// The CPython calls of the bare pair.
fn calls(own: *mut ffi::PyThreadState) {
    // SAFETY: a state of this thread alone: the GIL is taken with it, its fields are cleared, and the GIL is given up.
    unsafe {
        ffi::PyEval_RestoreThread(own);
        ffi::PyThreadState_Clear(ffi::PyThreadState_Get());
        ffi::PyEval_SaveThread();
    }
}

/// Tells the threads to end.
const STOP: usize = VARIANTS.len();

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
            shared.run(own, variant, each);
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
