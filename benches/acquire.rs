//! An acquisition and its release by the replacement imports of generation 3.5, beside the CPython calls that it cannot
//! do without, in one run.
//!
//! `cargo bench --bench acquire`. Batches alternate and the quickest of each is printed.

#[path = "../tests/rebind/host35.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod host;
#[path = "../tests/rebind/pool.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod pool;
#[path = "../tests/rebind/requests.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod requests;

use std::{collections::HashMap, hint::black_box, time::Instant};

const BATCHES: usize = 40;
const ROUNDS: u32 = 50_000;

fn per_round(mut round: impl FnMut()) -> f64 {
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        round();
    }
    begun.elapsed().as_nanos() as f64 / f64::from(ROUNDS)
}

fn least(times: &[f64]) -> f64 {
    times.iter().copied().fold(f64::INFINITY, f64::min)
}

fn main() {
    // The interpreter's callback, as in the tests.
    let packages = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("PYTHONPATH", packages) };
    host::python_init();
    host::child_init();
    let name = c"www.example.org";
    let data = host::get_interpreter(name);
    assert!(!data.is_null(), "the interpreter starts");
    // SAFETY: the GIL is held by the acquisition above; a second state of that interpreter for the bare calls.
    let state = unsafe { pyo3_ffi::PyThreadState_New((*data).interp.cast()) };
    host::release_interpreter(data);

    let pair = || host::release_interpreter(black_box(host::get_interpreter(black_box(name))));
    let bare = || {
        // SAFETY: a state of this thread alone, and the GIL is free: take it, look, empty the state, give it up.
        unsafe {
            pyo3_ffi::PyEval_RestoreThread(state);
            let current = pyo3_ffi::PyThreadState_Get();
            pyo3_ffi::PyThreadState_Clear(current);
            pyo3_ffi::PyEval_SaveThread();
        }
    };
    let map: HashMap<Box<[u8]>, usize> = HashMap::from([(Box::from(name.to_bytes()), 1)]);
    let lookup = || {
        black_box(map.get(black_box(name).to_bytes()));
    };
    let [mut pairs, mut bares, mut lookups] = [const { Vec::new() }; 3];
    for _ in 0..BATCHES {
        pairs.push(per_round(pair));
        bares.push(per_round(bare));
        lookups.push(per_round(lookup));
    }
    let (pair, bare, lookup) = (least(&pairs), least(&bares), least(&lookups));
    println!("{BATCHES} alternating batches of {ROUNDS}, quickest:");
    println!("acquire and release    {pair:7.1} ns");
    println!("bare CPython calls     {bare:7.1} ns");
    println!("look-up in a HashMap   {lookup:7.1} ns");
    println!("acquire and release / (bare calls + 3 look-ups): {:.2}", pair / (bare + 3.0 * lookup));
}
