//! The registry when nothing races; `model.rs` has the races, `tests/fork.rs` the forks.

use super::{Attempt, Claim, Registry, ThreadKey};
use crate::error::Refusal;

type Plain = Registry<u32, u32>;
const ME: ThreadKey = ThreadKey(1);

fn create(registry: &Plain, name: &[u8]) -> Attempt {
    match registry.claim(name, ME) {
        Claim::Create(attempt) => attempt,
        _ => panic!("nothing is there under this name"),
    }
}

fn make(registry: &Plain, name: &[u8], interpreter: u32) {
    let attempt = create(registry, name);
    registry.publish(attempt, interpreter, interpreter + 100);
}

#[test]
fn another_name_is_created_while_one_is_in_progress() {
    let registry = Plain::new(None);
    let slow = create(&registry, b"slow");
    make(&registry, b"quick", 1);
    assert!(registry.get(b"quick").is_some() && registry.get(b"slow").is_none());
    registry.publish(slow, 2, 102);
    assert_eq!(*registry.get(b"slow").unwrap().callback(), 102);
}

#[test]
fn a_refused_name_takes_no_room() {
    let registry = Plain::new(Some(1));
    make(&registry, b"first", 1);
    for number in 0..1000_u32 {
        let name = number.to_le_bytes();
        assert!(matches!(registry.claim(&name, ME), Claim::Refused(Refusal::Limit(1))));
    }
    assert_eq!(registry.slow.lock().unwrap().pending.len(), 0);
    assert_eq!(registry.names().count(), 1);
}

#[test]
fn a_failed_creation_gives_its_place_under_the_limit_back() {
    let registry = Plain::new(Some(1));
    registry.fail(create(&registry, b"a"));
    make(&registry, b"b", 1);
    assert!(registry.get(b"b").is_some());
}

#[test]
fn an_incomplete_interpreter_keeps_its_place_under_the_limit() {
    let registry = Plain::new(Some(1));
    let attempt = create(&registry, b"a");
    registry.made(&attempt, 5);
    registry.fail(attempt);
    assert!(matches!(registry.claim(b"b", ME), Claim::Refused(Refusal::Limit(1))));
    assert!(matches!(registry.claim(b"a", ME), Claim::Finish(_, 5)));
}

#[test]
fn the_main_interpreter_is_never_refused() {
    let registry = Plain::new(Some(0));
    registry.adopt(b"main_interpreter", 9);
    let Claim::Finish(attempt, 9) = registry.claim(b"main_interpreter", ME) else { panic!("adopted") };
    registry.publish(attempt, 9, 109);
    registry.adopt(b"main_interpreter", 10);
    assert_eq!(*registry.get(b"main_interpreter").unwrap().interpreter(), 9);
}

#[test]
fn the_name_is_copied() {
    let registry = Plain::new(None);
    let mut name = *b"in a request's pool";
    make(&registry, &name, 1);
    name.fill(b'x');
    assert!(registry.get(b"in a request's pool").is_some() && registry.get(&name).is_none());
}

#[test]
fn the_child_of_a_fork_keeps_the_main_interpreter_and_its_own_attempts_only() {
    let registry = Plain::new(Some(2));
    registry.adopt(b"main", 1);
    let Claim::Finish(attempt, _) = registry.claim(b"main", ME) else { panic!("adopted") };
    registry.publish(attempt, 1, 101);
    make(&registry, b"named", 2);
    let Claim::Create(_lost_with_its_thread) = registry.claim(b"starting", ThreadKey(2)) else { panic!("absent") };

    registry.after_fork_in_child(registry.freeze(), ME);

    assert!(registry.get(b"main").is_some());
    assert!(registry.get(b"named").is_none());
    // Both places under the limit are free again, and nobody waits for a thread that is not there.
    make(&registry, b"starting", 3);
    make(&registry, b"named", 4);
    assert_eq!(*registry.get(b"named").unwrap().interpreter(), 4);
}

#[test]
fn creations_that_ask_for_each_other_are_refused() {
    let registry = std::sync::Arc::new(Plain::new(None));
    let (first, second) = (create(&registry, b"a"), claim_as(&registry, b"b", 2));
    let third = claim_as(&registry, b"c", 3);
    // b's maker waits for a, c's maker for b: the maker of a may wait for neither.
    let waiters = [(b"a", 2, second), (b"b", 3, third)].map(|(name, thread, attempt)| {
        let registry = std::sync::Arc::clone(&registry);
        std::thread::spawn(move || {
            let got = matches!(registry.claim(name, ThreadKey(thread)), Claim::Ready(_));
            registry.publish(attempt, thread as u32, 0);
            got
        })
    });
    while registry.waiters() < 2 {
        std::thread::yield_now();
    }
    assert!(matches!(registry.claim(b"b", ME), Claim::Refused(Refusal::Cycle)));
    assert!(matches!(registry.claim(b"c", ME), Claim::Refused(Refusal::Cycle)));
    assert!(matches!(registry.claim(b"a", ME), Claim::Refused(Refusal::Reentrant)));
    // A name that none of them makes is made, and a thread outside the chain may wait.
    make(&registry, b"d", 4);
    registry.publish(first, 1, 0);
    assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
}

fn claim_as(registry: &Plain, name: &[u8], thread: u64) -> Attempt {
    match registry.claim(name, ThreadKey(thread)) {
        Claim::Create(attempt) => attempt,
        _ => panic!("nothing is there under this name"),
    }
}
