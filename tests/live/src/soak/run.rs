//! One server under all of this, with its restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Result;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::count::Tally;
use super::ground::{self, CLIENTS};
use super::memory::{self, Child, Growth};
use super::visitor::{PATIENCE, Site, visit};
use crate::config::{Module, Mpm};
use crate::expect;
use crate::server::Server;

/// Between two looks at the children.
const TICK: Duration = Duration::from_millis(250);
const TOUCH: Duration = Duration::from_secs(3);
const PROGRESS: Duration = Duration::from_secs(10);
/// So long an old child may take for its last requests: those of slow clients, and connections that are kept.
const LINGER: Duration = Duration::from_secs(45);
/// httpd's log message when it had to kill a child.
const KILLED: &str = "AH00046";
/// Of the library's own lines those that say no more than that it is there.
const OURS: &str = "modpython-core:";
const ACTIVE: &str = " active, ";
/// Fewer requests say nothing about memory.
pub(crate) const ENOUGH: f64 = 100_000.0;
/// In MiB per 100,000 requests.
const GROWTH: f64 = 1.0;
/// The part of the time in which there are restarts; the last child serves on, for what it keeps.
const RESTARTS: f64 = 0.6;

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct Soak {
    /// Which mod_python.
    pub module: Module,
    /// Under which MPM.
    pub mpm: Mpm,
    /// For how long.
    pub duration: Duration,
    /// The one kind of page that is asked for, or all.
    pub only: Option<String>,
    /// Between two graceful restarts.
    pub restart: Duration,
    /// Where a child that crashes leaves its core, if the shell's limits allow one.
    pub cores: Option<PathBuf>,
}

/// How it went.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The outcomes of the requests.
    pub tally: Tally,
    /// Lines of the error logs that speak of a crash.
    pub crashes: Vec<String>,
    /// Each time that nobody had an answer any more, that a restart did not end, or that an old child stayed.
    pub hangs: Vec<String>,
    /// Graceful restarts.
    pub restarts: usize,
    /// Processes that httpd had to kill.
    pub kills: usize,
    /// How long the children took to stop at the end.
    pub stop: Duration,
    /// All children that served.
    pub children: Vec<Child>,
    /// The library's log lines, and how often each came.
    pub lines: BTreeMap<String, usize>,
    /// The error logs.
    pub log: String,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// The growth of the child that served longest.
    pub fn growth(&self) -> Growth {
        memory::longest(&self.children)
    }

    /// The faults of the run, in words.
    pub fn faults(&self) -> Vec<String> {
        let (all, mut faults) = (self.tally.all(), Vec::new());
        let counted = [
            (self.crashes.len(), "crashes"),
            (self.hangs.len(), "hangs"),
            (all.wrong, "wrong answers"),
            (all.status, "unexpected statuses"),
            (all.broken, "broken connections"),
            (all.late, "answers too late"),
            (self.kills, "processes killed"),
        ];
        faults.extend(counted.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
        if self.stop > expect::STOP {
            faults.push(format!("the children took {:?} to stop", self.stop));
        }
        if let Some(rate) = self.growth().rate(ENOUGH).filter(|rate| *rate > GROWTH) {
            faults.push(format!("memory grows {rate:.2} MiB per 100,000 requests"));
        }
        faults
    }

    /// Takes down what a server says in the end.
    fn close(&mut self, server: &mut Server) -> Result<()> {
        // A server that hangs has connections for good.
        let _ = server.settle();
        self.stop = self.stop.max(server.stop()?.took);
        self.log.push_str(&server.error_log());
        let crashes: BTreeSet<_> = server.crashes().into_iter().collect();
        if !crashes.is_empty() {
            eprintln!("{}", server.crash_report());
        }
        self.crashes.extend(crashes);
        self.kills += server.logged(KILLED).len();
        for line in server.logged(OURS).iter().filter(|line| !line.contains(ACTIVE)) {
            let text = line.split_once(OURS).map_or(line.as_str(), |(_, text)| text);
            *self.lines.entry(text.trim().to_owned()).or_default() += 1;
        }
        Ok(())
    }
}

impl Soak {
    /// Runs it, and says how far it is every ten seconds.
    ///
    /// # Errors
    ///
    /// If a server cannot be started or asked about.
    pub fn run(&self, mut progress: impl FnMut(&str)) -> Result<Outcome> {
        let mut setup = ground::setup(self.module, self.mpm);
        if let Some(directory) = &self.cores {
            setup = setup.directives(&format!("CoreDumpDirectory \"{}\"", directory.display()));
        }
        let mut server = ground::start(&setup)?;
        let site = Site {
            port: AtomicU16::new(server.port()),
            over: AtomicBool::new(false),
            begin: Instant::now(),
            tally: Mutex::default(),
            only: self.only.clone(),
        };
        let mut outcome = Outcome::default();
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                let site = &site;
                scope.spawn(move || visit(client, site));
            }
            // Also when this fails: the clients would go on for good.
            let _guard = AtEnd(&site.over);
            let mut disturb = Disturb::new(self, &site);
            while site.begin.elapsed() < self.duration {
                thread::sleep(TICK);
                if let Some(hang) = disturb.step(&mut server, &mut outcome, &mut progress)? {
                    outcome.hangs.push(hang);
                    outcome.close(&mut server)?;
                    server = ground::start(&setup)?;
                    site.port.store(server.port(), Ordering::Relaxed);
                    disturb.begin_anew();
                }
            }
            Ok::<_, std::io::Error>(())
        })?;
        outcome.took = site.begin.elapsed();
        outcome.close(&mut server)?;
        outcome.tally = site.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(outcome)
    }
}

struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Touches files and restarts a server while clients ask it.
struct Disturb<'a> {
    soak: &'a Soak,
    site: &'a Site,
    touched: Instant,
    restarted: Instant,
    said: Instant,
    /// How many answers there were when there was a new one.
    answers: (usize, Instant),
    /// Children that are not the newest, since when.
    old: BTreeMap<u32, Instant>,
}

impl<'a> Disturb<'a> {
    fn new(soak: &'a Soak, site: &'a Site) -> Self {
        let now = Instant::now();
        Self { soak, site, touched: now, restarted: now, said: now, answers: (0, now), old: BTreeMap::new() }
    }

    fn begin_anew(&mut self) {
        let now = Instant::now();
        (self.restarted, self.answers.1) = (now, now);
        self.old.clear();
    }

    /// One look; says why the server is given up.
    fn step(
        &mut self,
        server: &mut Server,
        outcome: &mut Outcome,
        progress: &mut impl FnMut(&str),
    ) -> Result<Option<String>> {
        let (at, answers, bad) = self.now();
        let pids = server.children()?;
        memory::look(&mut outcome.children, &pids, at, answers);
        if let Some(stays) = self.stays(&pids, &outcome.children) {
            return Ok(Some(format!("{} s: {stays}", at.as_secs())));
        }
        if answers > self.answers.0 {
            self.answers = (answers, Instant::now());
        } else if self.answers.1.elapsed() > PATIENCE {
            return Ok(Some(format!("{} s: nobody has an answer", at.as_secs())));
        }
        if self.touched.elapsed() >= TOUCH {
            ground::touch(&server.root)?;
            self.touched = Instant::now();
        }
        let is_for_restarts = at < self.soak.duration.mul_f64(RESTARTS);
        if is_for_restarts && self.restarted.elapsed() >= self.soak.restart {
            if let Err(error) = server.graceful() {
                return Ok(Some(format!("{} s: {error}", at.as_secs())));
            }
            outcome.restarts += 1;
            self.restarted = Instant::now();
        }
        if self.said.elapsed() >= PROGRESS {
            self.said = Instant::now();
            let memory = outcome.children.last().map_or(0.0, |child| child.ends().1);
            progress(&format!(
                "{}, {}: {:.0} of {:.0} s, {answers} answers, {bad} bad, {} crashes, {} hangs, child {memory:.1} MiB",
                self.soak.module,
                self.soak.mpm,
                at.as_secs_f64(),
                self.soak.duration.as_secs_f64(),
                server.crashes().len() + outcome.crashes.len(),
                outcome.hangs.len(),
            ));
        }
        Ok(None)
    }

    fn now(&self) -> (Duration, usize, usize) {
        let tally = self.site.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let all = tally.all();
        (self.site.begin.elapsed(), all.right + all.bad(), all.bad())
    }

    /// A child that ought to have ended.
    fn stays(&mut self, pids: &[u32], children: &[Child]) -> Option<String> {
        let newest = children.last().map(|child| child.pid);
        self.old.retain(|pid, _| pids.contains(pid));
        for &pid in pids.iter().filter(|pid| Some(**pid) != newest) {
            self.old.entry(pid).or_insert_with(Instant::now);
        }
        let (pid, _) = self.old.iter().find(|(_, since)| since.elapsed() > LINGER)?;
        Some(format!("the old child {pid} does not end"))
    }
}
