//! Cold starts: the handler's module is loaded once per process, and nobody meets it half loaded (I1, I2).

use std::time::Duration;

use modpython_live::coldstart::{CLIENTS, ColdStart, Outcome};
use modpython_live::expect::{all_good, shown};
use modpython_live::subjects::EVERYWHERE;
use modpython_live::{Module, Mpm, subject};

crate::live_tests! {
    one_load_and_no_bad_answer_in_twenty_cold_starts: EVERYWHERE.shaped(&["3.1"]),
    stock_loads_more_than_once: EVERYWHERE.shaped(&["3.1"]).from_source(),
}

/// Beyond the 0.2 s of the import, so that many ask while it is under way and after it.
const LOAD: Duration = Duration::from_millis(400);
const COLD_STARTS: u32 = 20;

fn cold_start(module: Module, autoreload: bool) -> Outcome {
    ColdStart { module, mpm: Mpm::Worker, autoreload, load: LOAD }.run().expect("a cold start")
}

fn one_load_and_no_bad_answer_in_twenty_cold_starts() {
    let mut answers = 0;
    let times = subject().times(COLD_STARTS);
    for number in 0..times {
        let outcome = cold_start(Module::Relinked, number % 2 == 0);
        all_good(&outcome.answers);
        assert_eq!(outcome.loads(), 1, "cold start {number}");
        assert_eq!(outcome.answers.iter().map(|answer| answer.client).max(), Some(CLIENTS - 1));
        answers += outcome.answers.len();
    }
    println!("relinked: {times} cold starts, 1 load in each, 0 of {answers} answers bad");
}

/// That it answers badly too is held in `import_parallel`: here each of its threads makes an interpreter of its own,
/// and few meet another's half-loaded module.
fn stock_loads_more_than_once() {
    for autoreload in [true, false] {
        shown("a second load of one module", || {
            let outcome = cold_start(Module::Stock, autoreload);
            println!("stock: {} loads, {} of {} answers bad", outcome.loads(), outcome.bad(), outcome.answers.len());
            outcome.loads() > 1
        });
    }
}
