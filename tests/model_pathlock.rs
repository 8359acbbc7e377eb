//! Every interleaving of each transition of the lock table.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release --test model_pathlock`

#![cfg(loom)]

use loom::thread::{self, JoinHandle};
use modpython_core::pathlock::{Begin, Checked, Ended, Key, Table, ThreadId, Waited};
use modpython_core::sync::Arc;
use modpython_core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

type Locks = Table<u32>;

fn key(name: &str) -> Key {
    Key::new(0, name.as_bytes())
}

/// How one attempt to get a lock ended, waiting included.
#[derive(Debug, PartialEq, Eq)]
enum Got {
    Lock(u32),
    Told(u32),
    Cycle,
}

fn get(table: &Locks, key: &Key, me: ThreadId) -> Got {
    match table.try_begin(key, me) {
        Begin::Acquired(depth) => Got::Lock(depth),
        Begin::Cycle(threads) => {
            assert_eq!(threads[0], me);
            Got::Cycle
        }
        Begin::MustWait(ticket) => match ticket.wait(Duration::MAX) {
            Waited::Acquired => Got::Lock(1),
            Waited::Told(outcome) => Got::Told(outcome),
            Waited::StillWaiting(_) => unreachable!("without an end"),
        },
    }
}

fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    // Three threads and a mutex: all of what two preemptions can do, which is what lock bugs take.
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(check);
}

fn spawn<T: 'static>(table: &Arc<Locks>, body: impl FnOnce(&Locks) -> T + 'static) -> JoinHandle<T> {
    let table = Arc::clone(table);
    thread::spawn(move || body(&table))
}

#[test]
fn two_threads_never_hold_one_lock_at_once() {
    model(|| {
        let table = Arc::new(Locks::new());
        let inside = Arc::new(AtomicBool::new(false));
        let visit = |me: ThreadId| {
            let inside = Arc::clone(&inside);
            move |table: &Locks| {
                assert_eq!(get(table, &key("a"), me), Got::Lock(1));
                assert!(!inside.swap(true, Ordering::Relaxed));
                inside.store(false, Ordering::Relaxed);
                table.end(&key("a"), me).expect("held");
            }
        };
        let other = spawn(&table, visit(2));
        visit(1)(&table);
        other.join().expect("no panic");
        assert!(table.is_empty());
    });
}

#[test]
fn an_owner_re_enters_and_leaves_as_often() {
    model(|| {
        let table = Arc::new(Locks::new());
        let other = spawn(&table, |table| {
            assert_eq!(get(table, &key("a"), 2), Got::Lock(1));
            table.end(&key("a"), 2).expect("held");
        });
        assert_eq!(get(&table, &key("a"), 1), Got::Lock(1));
        assert_eq!(get(&table, &key("a"), 1), Got::Lock(2));
        assert_eq!(table.finish(&key("a"), 1, &7), Ok(Ended::StillHeld(1)));
        table.end(&key("a"), 1).expect("held");
        other.join().expect("no panic");
        assert!(table.is_empty());
    });
}

#[test]
fn a_waiter_is_told_or_comes_after_the_end_and_holds() {
    model(|| {
        let table = Arc::new(Locks::new());
        assert_eq!(get(&table, &key("a"), 1), Got::Lock(1));
        let wait = |me: ThreadId| {
            move |table: &Locks| match get(table, &key("a"), me) {
                Got::Told(outcome) => assert_eq!(outcome, 7),
                Got::Lock(depth) => {
                    assert_eq!(depth, 1);
                    table.end(&key("a"), me).expect("held");
                }
                Got::Cycle => panic!("there is no cycle"),
            }
        };
        let (second, third) = (spawn(&table, wait(2)), spawn(&table, wait(3)));
        assert!(matches!(table.finish(&key("a"), 1, &7), Ok(Ended::Free(0..=2))));
        second.join().expect("no panic");
        third.join().expect("no panic");
        assert!(table.is_empty());
    });
}

#[test]
fn opposite_orders_give_exactly_one_cycle_or_none() {
    model(|| {
        let table = Arc::new(Locks::new());
        let cycles = Arc::new(AtomicUsize::new(0));
        let nest = |me: ThreadId, outer: &'static str, inner: &'static str| {
            let cycles = Arc::clone(&cycles);
            move |table: &Locks| {
                assert_eq!(get(table, &key(outer), me), Got::Lock(1));
                match get(table, &key(inner), me) {
                    Got::Lock(_) => drop(table.end(&key(inner), me).expect("held")),
                    Got::Cycle => drop(cycles.fetch_add(1, Ordering::Relaxed)),
                    Got::Told(_) => panic!("nobody tells"),
                }
                table.end(&key(outer), me).expect("held");
            }
        };
        let other = spawn(&table, nest(2, "b", "a"));
        nest(1, "a", "b")(&table);
        other.join().expect("no panic");
        assert!(cycles.load(Ordering::Relaxed) <= 1);
        assert!(table.is_empty());
    });
}

#[test]
fn three_in_a_ring_are_let_go_by_one() {
    model(|| {
        let table = Arc::new(Locks::new());
        let cycles = Arc::new(AtomicUsize::new(0));
        let names = ["a", "b", "c"];
        let nest = |at: usize| {
            let cycles = Arc::clone(&cycles);
            move |table: &Locks| {
                let (me, inner) = (at as ThreadId + 1, key(names[(at + 1) % 3]));
                match get(table, &inner, me) {
                    Got::Lock(_) => drop(table.end(&inner, me).expect("held")),
                    Got::Cycle => drop(cycles.fetch_add(1, Ordering::Relaxed)),
                    Got::Told(_) => panic!("nobody tells"),
                }
                table.end(&key(names[at]), me).expect("held");
            }
        };
        for (at, name) in names.iter().enumerate() {
            assert_eq!(get(&table, &key(name), at as ThreadId + 1), Got::Lock(1));
        }
        let (second, third) = (spawn(&table, nest(1)), spawn(&table, nest(2)));
        nest(0)(&table);
        second.join().expect("no panic");
        third.join().expect("no panic");
        assert!(cycles.load(Ordering::Relaxed) <= 1);
        assert!(table.is_empty());
    });
}

#[test]
fn a_ticket_dropped_while_the_lock_is_handed_over_loses_nothing() {
    model(|| {
        let table = Arc::new(Locks::new());
        assert_eq!(get(&table, &key("a"), 1), Got::Lock(1));
        let Begin::MustWait(ticket) = table.try_begin(&key("a"), 2) else { panic!("it is held") };
        let behind = spawn(&table, |table| {
            assert_eq!(get(table, &key("a"), 3), Got::Lock(1));
            table.end(&key("a"), 3).expect("held");
        });
        let owner = spawn(&table, |table| drop(table.end(&key("a"), 1).expect("held")));
        drop(ticket);
        behind.join().expect("no panic");
        owner.join().expect("no panic");
        assert!(table.is_empty());
    });
}

#[test]
fn the_longest_waiting_thread_is_next() {
    model(|| {
        let table = Arc::new(Locks::new());
        assert_eq!(get(&table, &key("a"), 1), Got::Lock(1));
        let Begin::MustWait(first) = table.try_begin(&key("a"), 2) else { panic!("it is held") };
        let late = spawn(&table, |table| {
            assert_eq!(get(table, &key("a"), 3), Got::Lock(1));
            table.end(&key("a"), 3).expect("held");
        });
        // Whether or not the third has arrived, the second is next, and owns the lock before it wakes.
        assert_eq!(table.end(&key("a"), 1), Ok(Ended::HandedOver(2)));
        assert!(matches!(first.wait(Duration::MAX), Waited::Acquired));
        table.end(&key("a"), 2).expect("held");
        late.join().expect("no panic");
        assert!(table.is_empty());
    });
}

#[test]
fn a_cycle_through_foreign_locks_is_left_by_one_unless_the_lock_came_first() {
    model(|| {
        let table = Arc::new(Locks::new());
        assert_eq!(get(&table, &key("a"), 1), Got::Lock(1));
        let Begin::MustWait(ticket) = table.try_begin(&key("a"), 2) else { panic!("it is held") };
        let owner = spawn(&table, |table| drop(table.end(&key("a"), 1).expect("held")));
        // Thread 1 waits for thread 2 in a lock this table knows nothing about.
        match ticket.check(&[(1, 2)]) {
            Checked::Cycle(threads) => assert_eq!(threads, [2, 1]),
            Checked::Clear(ticket) => {
                assert!(matches!(ticket.wait(Duration::MAX), Waited::Acquired));
                table.end(&key("a"), 2).expect("held");
            }
        }
        owner.join().expect("no panic");
        assert!(table.is_empty());
    });
}

#[test]
fn a_child_of_a_fork_keeps_what_the_forking_thread_holds() {
    model(|| {
        let table = Arc::new(Locks::new());
        assert_eq!(get(&table, &key("mine"), 1), Got::Lock(1));
        let other = spawn(&table, |table| {
            assert_eq!(get(table, &key("theirs"), 2), Got::Lock(1));
        });
        let mut frozen = table.freeze();
        frozen.after_fork_in_child(1);
        drop(frozen);
        assert_eq!(table.end(&key("mine"), 1), Ok(Ended::Free(0)));
        other.join().expect("no panic");
    });
}
