//! Every interleaving of threads that ask for one file: the table of modules under the GIL, and the lock of the file
//! without it, in the order in which `import_module` uses them.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release --test model_import`

#![cfg(loom)]

use loom::thread;
use modpython_core::module_cache::{FileSystemKind, Modules, Verdict, Version};
use modpython_core::pathlock::{Begin, Key, Table, ThreadId, Waited};
use modpython_core::sync::{Arc, Mutex, MutexGuard};
use std::ffi::CStr;
use std::time::Duration;

const FILE: &CStr = c"/srv/index.py";

/// One interpreter's state but for the lock table: reached with the GIL alone.
struct Interpreter {
    modules: Modules<u32>,
    /// The version of the file on the disk.
    on_disk: i64,
    /// `sys.modules["index"]`: the module, and the version of the code that has run in it to its end; None while it
    /// runs.
    module: Option<(u32, Option<i64>)>,
    runs: Vec<i64>,
    /// How many of the next runs fail.
    failing: usize,
}

/// The GIL and the lock table of a process.
struct Server {
    gil: Mutex<Interpreter>,
    locks: Table<bool>,
}

fn version(number: i64) -> Version {
    Version { seconds: number, nanoseconds: 0, changed: (number, 0), size: 1, inode: 1, device: 1 }
}

impl Server {
    fn new(failing: usize) -> Arc<Self> {
        let (modules, module, runs) = (Modules::new(), None, Vec::new());
        Arc::new(Self {
            gil: Mutex::new(Interpreter { modules, on_disk: 1, module, runs, failing }),
            locks: Table::new(),
        })
    }

    fn gil(&self) -> MutexGuard<'_, Interpreter> {
        self.gil.lock().expect("no panic")
    }

    /// One call of import_module: the version that the code of the module it gets is of, or None for a failure.
    fn ask(&self, me: ThreadId) -> Option<i64> {
        let key = Key::new(0, FILE.to_bytes());
        loop {
            if let Some(hit) = self.gil().hit() {
                return Some(hit);
            }
            let failed = match self.locks.try_begin(&key, me) {
                Begin::Cycle(_) => unreachable!("one lock makes no cycle"),
                Begin::Acquired(depth) => {
                    assert_eq!(depth, 1);
                    None
                }
                Begin::MustWait(ticket) => match ticket.wait(Duration::MAX) {
                    Waited::Acquired => None,
                    Waited::Told(failed) => Some(failed),
                    Waited::StillWaiting(_) => unreachable!("without an end"),
                },
            };
            match failed {
                Some(true) => return None,
                Some(false) => continue,
                None => {}
            }
            let answer = self.load();
            self.locks.finish(&key, me, &answer.is_none()).expect("held");
            return answer;
        }
    }

    /// Under the lock: decide again, and run.
    fn load(&self) -> Option<i64> {
        let mut gil = self.gil();
        if let Some(hit) = gil.hit() {
            return Some(hit);
        }
        assert!(gil.modules.of(FILE).is_none_or(|entry| entry.running().is_none()), "two threads in one module");
        let read = gil.on_disk;
        let before = gil.module;
        gil.modules.start(FILE, 7);
        gil.module = Some((7, None));
        gil.runs.push(read);
        // The code of a module gives the GIL away.
        drop(gil);
        let mut gil = self.gil();
        if gil.failing > 0 {
            gil.failing -= 1;
            gil.modules.fail(FILE);
            gil.module = before;
            return None;
        }
        gil.module = Some((7, Some(read)));
        gil.modules.publish(FILE, 7, Some(version(read)), None, FileSystemKind::Local);
        Some(read)
    }
}

impl Interpreter {
    fn hit(&self) -> Option<i64> {
        let entry = self.modules.of(FILE)?;
        let registered = self.module.map(|(module, _)| module);
        let in_sys_modules = entry.ready().is_some_and(|ready| registered == Some(*ready));
        let verdict = entry.verdict(in_sys_modules, Some(version(self.on_disk)));
        (verdict == Verdict::Hit).then(|| self.module.and_then(|(_, ran)| ran).expect("a module that is half loaded"))
    }
}

fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(check);
}

fn asking(server: &Arc<Server>, threads: ThreadId) -> Vec<Option<i64>> {
    let started: Vec<_> = (1..threads)
        .map(|me| {
            let server = Arc::clone(server);
            thread::spawn(move || server.ask(me))
        })
        .collect();
    let mine = server.ask(threads);
    started.into_iter().map(|thread| thread.join().expect("no panic")).chain([mine]).collect()
}

#[test]
fn three_first_calls_run_it_once() {
    model(|| {
        let server = Server::new(0);
        assert_eq!(asking(&server, 3), [Some(1); 3]);
        assert_eq!(server.gil().runs, [1]);
        assert!(server.locks.is_empty());
    });
}

#[test]
fn a_failure_is_told_to_those_who_waited_and_the_next_tries_again() {
    model(|| {
        let server = Server::new(1);
        let answers = asking(&server, 2);
        assert!(answers.contains(&None), "one run failed");
        assert_eq!(server.ask(1), Some(1));
        assert!(server.gil().runs.len() <= 2, "no more than one run for each attempt");
        assert!(server.locks.is_empty());
    });
}

#[test]
fn a_change_runs_it_once_more_and_nobody_gets_it_half_made() {
    model(|| {
        let server = Server::new(0);
        assert_eq!(server.ask(1), Some(1));
        server.gil().on_disk = 2;
        assert_eq!(asking(&server, 2), [Some(2); 2]);
        assert_eq!(server.gil().runs, [1, 2]);
    });
}

#[test]
fn a_change_while_it_runs_is_seen_by_the_next_call() {
    model(|| {
        let server = Server::new(0);
        let writer = Arc::clone(&server);
        let edit = thread::spawn(move || writer.gil().on_disk = 2);
        assert!(asking(&server, 2).iter().all(Option::is_some));
        edit.join().expect("no panic");
        assert_eq!(server.ask(1), Some(2));
        let runs = server.gil().runs.clone();
        assert!(runs == [1, 2] || runs == [2], "{runs:?}");
    });
}

#[test]
fn a_failed_reload_leaves_what_was_there() {
    model(|| {
        let server = Server::new(0);
        assert_eq!(server.ask(1), Some(1));
        {
            let mut gil = server.gil();
            (gil.on_disk, gil.failing) = (2, 1);
        }
        assert!(asking(&server, 2).contains(&None));
        assert_eq!(server.ask(1), Some(2));
        assert!(server.gil().runs.len() <= 3);
    });
}
