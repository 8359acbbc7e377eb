//! Tests that need a clock, and so no model checker: waits that end by time, and the size of the table.

use super::{Begin, Checked, Ended, Key, Table, Waited};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn key(name: &str) -> Key {
    Key::new(0, name.as_bytes())
}

#[test]
fn a_timed_wait_ends_by_time_and_keeps_its_place() {
    let table = Table::<u32>::new();
    assert!(matches!(table.try_begin(&key("a"), 1), Begin::Acquired(1)));
    let Begin::MustWait(first) = table.try_begin(&key("a"), 2) else { panic!("it is held") };
    let Begin::MustWait(second) = table.try_begin(&key("a"), 3) else { panic!("it is held") };
    let before = Instant::now();
    let Waited::StillWaiting(first) = first.wait(Duration::from_millis(20)) else { panic!("nobody gave it up") };
    assert!(before.elapsed() >= Duration::from_millis(20));
    assert_eq!(table.end(&key("a"), 1), Ok(Ended::HandedOver(2)));
    assert!(matches!(first.wait(Duration::ZERO), Waited::Acquired));
    drop(second);
    assert_eq!(table.end(&key("a"), 2), Ok(Ended::Free(0)));
    assert!(table.is_empty());
}

#[test]
fn a_cycle_in_a_foreign_graph_is_found_by_the_next_check() {
    let table = Table::<u32>::new();
    assert!(matches!(table.try_begin(&key("a"), 1), Begin::Acquired(1)));
    let Begin::MustWait(ticket) = table.try_begin(&key("a"), 2) else { panic!("it is held") };
    let Checked::Clear(ticket) = ticket.check(&[(1, 9), (9, 1)]) else { panic!("that cycle is not ours") };
    let Checked::Cycle(threads) = ticket.check(&[(1, 9), (9, 2)]) else { panic!("there is a cycle") };
    assert_eq!(threads, [2, 1, 9]);
    assert_eq!(table.waiting_for(&key("a"), |_| false), 0);
}

#[test]
fn the_same_file_in_two_interpreters_is_two_locks() {
    let table = Table::<u32>::new();
    assert!(matches!(table.try_begin(&Key::new(0, b"a"), 1), Begin::Acquired(1)));
    assert!(matches!(table.try_begin(&Key::new(1, b"a"), 2), Begin::Acquired(1)));
    assert_eq!(table.len(), 2);
}

#[test]
fn who_holds_nothing_cannot_give_up() {
    let table = Table::<u32>::new();
    let error = table.end(&key("/srv/a.py"), 7).expect_err("nobody holds it");
    assert_eq!(error.to_string(), "thread 7 does not hold the lock of /srv/a.py");
    assert!(matches!(table.try_begin(&key("a"), 1), Begin::Acquired(1)));
    assert!(table.finish(&key("a"), 2, &0).is_err());
    assert_eq!(table.end(&key("a"), 1), Ok(Ended::Free(0)));
}

#[test]
fn many_threads_and_many_files_leave_an_empty_table() {
    let table = Arc::new(Table::<u32>::new());
    let threads: Vec<_> = (1..=8)
        .map(|me| {
            let table = Arc::clone(&table);
            std::thread::spawn(move || {
                for round in 0..2_000_u32 {
                    let key = key(&format!("file {}", round % 5));
                    let held = match table.try_begin(&key, me) {
                        Begin::Acquired(_) => true,
                        Begin::MustWait(ticket) => matches!(ticket.wait(Duration::MAX), Waited::Acquired),
                        Begin::Cycle(_) => panic!("one lock at a time makes no cycle"),
                    };
                    if held && round % 3 == 0 {
                        table.finish(&key, me, &round).expect("held");
                    } else if held {
                        table.end(&key, me).expect("held");
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    assert!(table.is_empty());
}
