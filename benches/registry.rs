//! The hit of the registry beside a look-up of the same name in a bare HashMap without any lock, in one run.
//!
//! `cargo bench --bench registry`; ends with 1 if a figure is missed. Batches alternate, so that a change of the
//! machine's speed meets both, and the quickest batch of each counts; the spread is printed.

use modpython_core::registry::{Claim, Registry, ThreadKey};
use std::{collections::HashMap, hint::black_box, process::ExitCode, sync::Barrier, thread, time::Instant};

const BATCHES: usize = 40;
const LOOKUPS: u32 = 400_000;
const HIT_AT_MOST: f64 = 1.5;
const TWO_THREADS_AT_MOST: f64 = 1.15;

/// Names as servers have them: a virtual host each, the main interpreter, directories.
const NAMES: [&str; 8] = [
    "main_interpreter",
    "localhost",
    "www.example.org",
    "intranet.example.org",
    "/srv/www/htdocs/applications/publisher/",
    "/srv/www/htdocs/applications/sessions/",
    "/srv/www/htdocs/",
    "customers.example.com",
];

/// Nanoseconds per look-up of one batch.
fn batch(lookup: &impl Fn(&[u8]) -> usize) -> f64 {
    let begun = Instant::now();
    let mut sum = 0;
    for number in 0..LOOKUPS {
        sum += lookup(black_box(NAMES[number as usize % NAMES.len()].as_bytes()));
    }
    black_box(sum);
    begun.elapsed().as_nanos() as f64 / f64::from(LOOKUPS)
}

/// The same with two threads at once: the slower one's.
fn batch_of_two(lookup: &(impl Fn(&[u8]) -> usize + Sync)) -> f64 {
    let start = Barrier::new(2);
    let timed = || {
        start.wait();
        batch(lookup)
    };
    thread::scope(|scope| {
        let other = scope.spawn(timed);
        let own = timed();
        own.max(other.join().expect("a look-up does not panic"))
    })
}

/// The quickest batch, and the slowest.
struct Times(Vec<f64>);

impl Times {
    fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }
    fn most(&self) -> f64 {
        self.0.iter().copied().fold(0.0, f64::max)
    }
    fn show(&self, what: &str) {
        println!("{what:<34} {:6.2} ns   (to {:.2})", self.least(), self.most());
    }
}

fn main() -> ExitCode {
    let registry = Registry::<usize, usize>::new(None);
    let mut map: HashMap<Box<[u8]>, (usize, usize)> = HashMap::new();
    for (number, name) in NAMES.iter().enumerate() {
        let Claim::Create(attempt) = registry.claim(name.as_bytes(), ThreadKey(1)) else { unreachable!("a new name") };
        registry.publish(attempt, number, number + 1);
        map.insert(name.as_bytes().into(), (number, number + 1));
    }
    let hit = |name: &[u8]| registry.get(name).map_or(0, |entry| *entry.callback());
    let bare = |name: &[u8]| map.get(name).map_or(0, |entry| entry.1);

    let [mut ours, mut theirs, mut ours_two, mut theirs_two] = [const { Vec::new() }; 4];
    batch(&hit);
    batch(&bare);
    for _ in 0..BATCHES {
        ours.push(batch(&hit));
        theirs.push(batch(&bare));
        ours_two.push(batch_of_two(&hit));
        theirs_two.push(batch_of_two(&bare));
    }
    let [ours, theirs, ours_two, theirs_two] = [ours, theirs, ours_two, theirs_two].map(Times);
    println!("registry hit, {BATCHES} alternating batches of {LOOKUPS} look-ups, quickest (slowest)");
    ours.show("registry");
    theirs.show("bare HashMap");
    ours_two.show("registry, two threads at once");
    theirs_two.show("bare HashMap, two threads at once");
    let ratio = ours.least() / theirs.least();
    let scaling = (ours_two.least() / ours.least()) / (theirs_two.least() / theirs.least());
    println!("registry / HashMap: {ratio:.2} (at most {HIT_AT_MOST})");
    println!("two-thread ratio, registry's / HashMap's: {scaling:.2} (at most {TWO_THREADS_AT_MOST})");
    if ratio <= HIT_AT_MOST && scaling <= TWO_THREADS_AT_MOST { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
