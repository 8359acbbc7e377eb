//! Three to six threads take and give up locks in random orders; a reference model says which answers are right.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test --release --test model_pathlock_shuttle`

#![cfg(shuttle)]

use modpython_core::pathlock::{Begin, Ended, Key, Table, ThreadId, Ticket, Waited};
use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

const FILES: usize = 4;
const STEPS: usize = 6;

fn key(file: usize) -> Key {
    Key::new(0, &[b'a' + file as u8])
}

/// An answer that a waiting thread is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owed {
    Lock,
    Outcome(ThreadId),
}

/// The specification, as plain as it can be written: per file an owner, a depth and who came when.
#[derive(Default)]
struct Reference {
    files: HashMap<usize, (ThreadId, u32, VecDeque<ThreadId>)>,
    waits: HashMap<ThreadId, usize>,
    owed: HashMap<ThreadId, Owed>,
}

#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Acquired(u32),
    MustWait,
    Cycle(Vec<ThreadId>),
}

impl Reference {
    fn begin(&mut self, file: usize, me: ThreadId) -> Expected {
        let chain = self.chain_from(file, me);
        match self.files.get_mut(&file) {
            None => {
                self.files.insert(file, (me, 1, VecDeque::new()));
                Expected::Acquired(1)
            }
            Some((owner, depth, _)) if *owner == me => {
                *depth += 1;
                Expected::Acquired(*depth)
            }
            Some(_) if chain.is_some() => Expected::Cycle(chain.unwrap_or_default()),
            Some((_, _, queue)) => {
                queue.push_back(me);
                self.waits.insert(me, file);
                Expected::MustWait
            }
        }
    }

    /// Each thread waits for one file and each file has one owner, so the graph is a chain: follow it back to `me`.
    fn chain_from(&self, file: usize, me: ThreadId) -> Option<Vec<ThreadId>> {
        let mut chain = vec![me];
        let mut file = file;
        while let Some((owner, ..)) = self.files.get(&file) {
            if *owner == me {
                return Some(chain);
            }
            chain.push(*owner);
            assert!(chain.len() < 10, "a cycle of waiting threads was let in");
            file = *self.waits.get(owner)?;
        }
        None
    }

    fn leave(&mut self, file: usize, me: ThreadId, outcome: Option<ThreadId>) -> Ended {
        let (owner, depth, queue) = self.files.get_mut(&file).expect("it is held");
        assert_eq!(*owner, me);
        *depth -= 1;
        if *depth > 0 {
            return Ended::StillHeld(*depth);
        }
        let Some(teller) = outcome else { return self.hand_over(file) };
        let told = std::mem::take(queue);
        self.files.remove(&file);
        for thread in &told {
            self.waits.remove(thread);
            self.owed.insert(*thread, Owed::Outcome(teller));
        }
        Ended::Free(told.len())
    }

    fn hand_over(&mut self, file: usize) -> Ended {
        let (owner, depth, queue) = self.files.get_mut(&file).expect("it has an entry");
        let Some(next) = queue.pop_front() else {
            self.files.remove(&file);
            return Ended::Free(0);
        };
        (*owner, *depth) = (next, 1);
        self.waits.remove(&next);
        self.owed.insert(next, Owed::Lock);
        Ended::HandedOver(next)
    }

    fn withdraw(&mut self, file: usize, me: ThreadId) {
        match self.owed.remove(&me) {
            Some(Owed::Lock) => drop(self.hand_over(file)),
            Some(Owed::Outcome(_)) => {}
            None => {
                self.waits.remove(&me);
                let (_, _, queue) = self.files.get_mut(&file).expect("it is waited for");
                queue.retain(|&thread| thread != me);
            }
        }
    }
}

/// One thread of a scenario. Each operation of the table is done and judged in one section, so that table and model
/// see one order; the waits, where the wake-ups are, lie outside of it.
struct Worker {
    table: Arc<Table<ThreadId>>,
    reference: Arc<Mutex<Reference>>,
    me: ThreadId,
    held: Vec<usize>,
}

impl Worker {
    fn run(mut self) {
        for _ in 0..STEPS {
            self.take(thread_rng().gen_range(0..FILES));
            while !self.held.is_empty() && thread_rng().gen_bool(0.5) {
                self.give_up();
            }
        }
        while !self.held.is_empty() {
            self.give_up();
        }
    }

    fn take(&mut self, file: usize) {
        let table = Arc::clone(&self.table);
        let begun = {
            let mut reference = self.reference.lock().expect("no panic");
            let expected = reference.begin(file, self.me);
            let begun = table.try_begin(&key(file), self.me);
            let got = match &begun {
                Begin::Acquired(depth) => Expected::Acquired(*depth),
                Begin::MustWait(_) => Expected::MustWait,
                Begin::Cycle(threads) => Expected::Cycle(threads.clone()),
            };
            assert_eq!(got, expected);
            begun
        };
        match begun {
            Begin::Acquired(_) => self.held.push(file),
            Begin::Cycle(_) => assert!(!self.held.is_empty(), "who holds nothing is in no cycle"),
            Begin::MustWait(ticket) => self.wait(file, ticket),
        }
    }

    fn wait(&mut self, file: usize, ticket: Ticket<'_, ThreadId>) {
        if thread_rng().gen_bool(0.1) {
            let mut reference = self.reference.lock().expect("no panic");
            reference.withdraw(file, self.me);
            drop(ticket);
            return;
        }
        let got = match ticket.wait(Duration::MAX) {
            Waited::Acquired => Owed::Lock,
            Waited::Told(teller) => Owed::Outcome(teller),
            Waited::StillWaiting(_) => unreachable!("without an end"),
        };
        assert_eq!(Some(got), self.reference.lock().expect("no panic").owed.remove(&self.me));
        if got == Owed::Lock {
            self.held.push(file);
        }
    }

    /// Gives up one hold, not always the last one taken, with or without something to tell.
    fn give_up(&mut self) {
        let file = self.held.swap_remove(thread_rng().gen_range(0..self.held.len()));
        let outcome = thread_rng().gen_bool(0.3).then_some(self.me);
        let mut reference = self.reference.lock().expect("no panic");
        let expected = reference.leave(file, self.me, outcome);
        let ended = match &outcome {
            Some(outcome) => self.table.finish(&key(file), self.me, outcome),
            None => self.table.end(&key(file), self.me),
        };
        assert_eq!(ended, Ok(expected));
    }
}

fn scenario(threads: u64) {
    let table = Arc::new(Table::new());
    let reference = Arc::new(Mutex::new(Reference::default()));
    let workers: Vec<_> = (1..=threads)
        .map(|me| {
            let worker = Worker { table: Arc::clone(&table), reference: Arc::clone(&reference), me, held: Vec::new() };
            thread::spawn(move || worker.run())
        })
        .collect();
    for worker in workers {
        worker.join().expect("no panic");
    }
    assert!(table.is_empty(), "an entry outlived its last user");
    assert!(reference.lock().expect("no panic").files.is_empty());
}

#[test]
fn random_orders_of_three() {
    shuttle::check_random(|| scenario(3), 20_000);
}

#[test]
fn random_orders_of_four_to_six() {
    shuttle::check_random(|| scenario(thread_rng().gen_range(4..=6)), 10_000);
}

#[test]
fn unlikely_orders_of_four() {
    shuttle::check_pct(|| scenario(4), 10_000, 3);
}
