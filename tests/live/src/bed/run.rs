//! A cold start and a mixed load, counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{Error, Result};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::ground::{Ground, Kind};
use super::oracle::Answers;
use super::visit::{Seen, Visit, is_late};
use crate::config::{Module, Mpm};
use crate::counts::Counts;
use crate::http::Client;
use crate::server::Server;
use crate::wait::wait_until;

/// How many clients ask at once, and how many threads a child has.
pub const CLIENTS: u32 = 32;
/// Children of prefork: each loads all sites.
const PROCESSES: u32 = 3;
/// No answer of the sites takes that long, a cold start of all of them on a slow machine with a debugging allocator
/// included.
const PATIENCE: Duration = Duration::from_secs(40);
/// Answers of which the whole is shown.
const EXAMPLES: usize = 4;

/// The settings of a run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Which mod_python.
    pub module: Module,
    /// Which MPM.
    pub mpm: Mpm,
    /// In which kind of interpreter.
    pub kind: Kind,
    /// How long the mixed load lasts, without the cold starts before it and in its middle.
    pub duration: Duration,
    /// Whether Python's memory is allocated by its debugging allocator.
    pub debug_malloc: bool,
}

/// The result of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// For each site.
    pub sites: BTreeMap<&'static str, Counts>,
    /// Lines of the error log that speak of a crash.
    pub crashes: Vec<String>,
    /// Why the server is said to hang, or to be gone.
    pub hung: Option<String>,
    /// How often a request around another one found all as it had been.
    pub unchanged: u64,
    /// Each change that such a request found.
    pub changed: Vec<String>,
    /// Some answers that were not right.
    pub examples: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// All sites together.
    pub fn all(&self) -> Counts {
        let mut all = Counts::default();
        self.sites.values().for_each(|site| all.add(*site));
        all
    }

    /// Whether every answer was right, and nothing crashed or hung.
    pub fn is_good(&self) -> bool {
        let all = self.all();
        let only_right = all == Counts { right: all.right, ..Counts::default() };
        only_right && self.crashes.is_empty() && self.hung.is_none() && self.changed.is_empty()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A visitor waits for each answer.
        let Self { right, wrong, status, broken, late, left: _ } = self;
        write!(f, "{right} right, {wrong} wrong, {status} of another status, {broken} broken, {late} too late")
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let malloc = if self.debug_malloc { ", PYTHONMALLOC=debug" } else { "" };
        write!(f, "{}, {}, {}{malloc}", self.module, self.mpm, self.kind.interpreter())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {} crashes, hung: {}", self.all(), self.crashes.len(), self.hung.as_deref().unwrap_or("no"))?;
        write!(f, "; outer requests unchanged {}, changed {}", self.unchanged, self.changed.len())?;
        write!(f, "; {:.0} s", self.took.as_secs_f64())?;
        for (site, counts) in &self.sites {
            write!(f, "\n    {site}: {counts}")?;
        }
        Ok(())
    }
}

/// Counts what clients see.
struct Counter<'a> {
    visits: &'a [Visit],
    expected: &'a Answers,
    outcome: Mutex<Outcome>,
    /// Clients that have come to the end of their first request, and answers.
    begun: AtomicUsize,
    answers: AtomicUsize,
}

impl Run {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// If the server cannot be started or asked about.
    pub fn run(&self, ground: &Ground, visits: &[Visit], expected: &Answers) -> Result<Outcome> {
        let begin = Instant::now();
        ground.take_notes()?;
        let threads = self.mpm != Mpm::Prefork;
        let workers = if threads { CLIENTS } else { PROCESSES };
        let mut setup = ground.setup(self.module, self.mpm, workers, self.kind).two_processes();
        if self.debug_malloc {
            setup = setup.environment("PYTHONMALLOC", "debug");
        }
        let mut server = setup.start()?;
        let counter = Counter {
            visits,
            expected,
            outcome: Mutex::default(),
            begun: AtomicUsize::new(0),
            answers: AtomicUsize::new(0),
        };
        let over = AtomicBool::new(false);
        let barrier = Barrier::new(CLIENTS as usize);
        let gone = thread::scope(|scope| {
            for client in 0..CLIENTS as usize {
                let (counter, over, barrier, port) = (&counter, &over, &barrier, server.port());
                scope.spawn(move || {
                    // Half of them keep their connections; in prefork that would keep all children from the others.
                    let connection = Client::new(port, client % 2 == 0 && threads, PATIENCE);
                    barrier.wait();
                    counter.ask(connection, client, over);
                });
            }
            let gone = self.disturb(ground, &mut server, &counter);
            over.store(true, Ordering::Relaxed);
            gone
        });
        let mut outcome = counter.outcome.into_inner().unwrap_or_default();
        outcome.hung = match gone {
            Err(error) => Some(error.to_string()),
            Ok(()) => Self::end(&mut server),
        };
        outcome.crashes = server.crashes();
        // One line may speak of a crash in two ways.
        outcome.crashes.sort();
        outcome.crashes.dedup();
        (outcome.unchanged, outcome.changed) = ground.take_notes()?;
        outcome.took = begin.elapsed();
        if !outcome.is_good() {
            outcome.examples.push(last_lines(&server.error_log()));
            outcome.examples.push(server.crash_report());
        }
        Ok(outcome)
    }

    /// Disturbs the server: touches its files when all clients have had an answer, restarts it, and touches them again
    /// when it answers.
    fn disturb(&self, ground: &Ground, server: &mut Server, counter: &Counter<'_>) -> Result<()> {
        let all = CLIENTS as usize;
        let reached = |count: &AtomicUsize, goal| {
            wait_until("answers", PATIENCE, || Ok((count.load(Ordering::Relaxed) >= goal).then_some(())))
        };
        let half = |server: &Server| {
            for _ in 0..2 {
                thread::sleep(self.duration / 6);
                ground.touch(&server.htdocs())?;
            }
            thread::sleep(self.duration / 6);
            Ok::<_, Error>(())
        };
        reached(&counter.begun, all)?;
        half(server)?;
        server.graceful()?;
        // Old children still answer some of these, but no more than they have threads.
        reached(&counter.answers, counter.answers.load(Ordering::Relaxed) + 4 * all)?;
        half(server)
    }

    /// Stops the server, which may hang at that.
    fn end(server: &mut Server) -> Option<String> {
        if let Err(error) = server.settle() {
            return Some(error.to_string());
        }
        match server.stop() {
            Ok(stop) if stop.hung => Some(format!("at its end: {stop:?}")),
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        }
    }
}

impl Counter<'_> {
    /// One client, visit after visit, until it is over; the first one is made in any case.
    fn ask(&self, mut connection: Client, client: usize, over: &AtomicBool) {
        // Numbers that look random, the same ones in every run.
        let mut number = client as u64;
        let mut next = || {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // One in four is of the few that are about requests within requests.
            let (few, many): (Vec<_>, Vec<_>) =
                (0..self.visits.len()).partition(|index| self.visits[*index].is_lonely());
            let (chosen, random) = (if number >> 62 == 0 { few } else { many }, usize::try_from(number >> 33));
            chosen[random.unwrap_or(0) % chosen.len()]
        };
        // The first visits are spread over all sites, so that none is left out where all is slow.
        let (mut turn, mut first) = (client * self.visits.len() / CLIENTS as usize, true);
        loop {
            let mut late = false;
            self.visits[turn].walk(&mut connection, |step, seen| {
                late = matches!(&seen, Err(error) if is_late(error));
                self.begun.fetch_add(usize::from(std::mem::take(&mut first)), Ordering::Relaxed);
                self.judge(turn, step, seen) && !over.load(Ordering::Relaxed)
            });
            // Where one answer does not come, the next ones may not either, and a test has to end.
            if late || over.load(Ordering::Relaxed) {
                return;
            }
            turn = next();
        }
    }

    /// Counts an answer; says whether the visit goes on. A wrong one may cause others, unless each request has a
    /// process of its own.
    fn judge(&self, visit: usize, step: usize, seen: Result<Seen>) -> bool {
        self.answers.fetch_add(1, Ordering::Relaxed);
        let expected = &self.expected[visit][step];
        let mut outcome = self.outcome.lock().expect("no client panics");
        let counts = outcome.sites.entry(self.visits[visit].site).or_default();
        match &seen {
            Ok(seen) if seen == expected => {
                counts.right += 1;
                return true;
            }
            Ok(seen) if seen.status == expected.status => counts.wrong += 1,
            Ok(_) => counts.status += 1,
            Err(error) if is_late(error) => counts.late += 1,
            Err(_) => counts.broken += 1,
        }
        if outcome.examples.len() < EXAMPLES {
            let what = self.visits[visit].describe(step);
            outcome.examples.push(format!("{what}\n  expected {expected:?}\n  got {seen:?}"));
        }
        seen.is_ok() && self.visits[visit].is_lonely()
    }
}

/// Of the server's own lines, without what the applications log, which is part of their work; then the errors among
/// that which no visitor has asked for.
fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().filter(|line| line.starts_with('[')).collect();
    format!(
        "{}\n{}",
        lines[lines.len().saturating_sub(40)..].join("\n"),
        Vec::from_iter(unexpected_tracebacks(log)).join("\n")
    )
}

/// Each one once, without those of the errors that pages raise because they are asked to.
fn unexpected_tracebacks(log: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut lines = log.lines();
    while let Some(line) = lines.next() {
        if !line.ends_with("Traceback (most recent call last):") {
            continue;
        }
        let mut traceback = vec![line];
        for line in lines.by_ref() {
            traceback.push(line);
            if !line.starts_with(' ') {
                break;
            }
        }
        if !traceback.last().is_some_and(|error| error.starts_with("LookupError: ")) && found.len() < 2 * EXAMPLES {
            found.insert(traceback.join("\n"));
        }
    }
    found
}
