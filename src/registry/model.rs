//! Every interleaving of the registry's transitions, under loom.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release --lib registry::model`

use super::{Claim, Registry, ThreadKey};
use crate::{
    error::Refusal,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        thread,
    },
};

type Model = Registry<usize, usize>;

/// The outcome of one request: the interpreter and callback it would use, or a refusal.
type Got = Result<(usize, usize), Refusal>;

/// How the maker of an attempt fares.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Works,
    CreationFails,
    CallbackFails,
}

/// Counts what the world outside did: interpreters and callbacks made.
#[derive(Default)]
struct World {
    interpreters: AtomicUsize,
    callbacks: AtomicUsize,
    attempts: AtomicUsize,
}

/// One request, as the rooms above drive the registry.
fn request(registry: &Model, world: &World, name: &[u8], me: u64, fate: Fate) -> Got {
    let (attempt, interpreter) = match registry.claim(name, ThreadKey(me)) {
        Claim::Ready(entry) => return Ok((*entry.interpreter(), *entry.callback())),
        Claim::Refused(refusal) => return Err(refusal),
        Claim::Create(attempt) => {
            world.attempts.fetch_add(1, Ordering::Relaxed);
            if fate == Fate::CreationFails {
                registry.fail(attempt);
                return Err(Refusal::AttemptFailed);
            }
            let interpreter = world.interpreters.fetch_add(1, Ordering::Relaxed) + 1;
            registry.made(&attempt, interpreter);
            (attempt, interpreter)
        }
        Claim::Finish(attempt, interpreter) => {
            world.attempts.fetch_add(1, Ordering::Relaxed);
            (attempt, interpreter)
        }
    };
    // The gap in which stock mod_python lets the second creator in: the GIL is dropped while modules are imported.
    thread::yield_now();
    if fate == Fate::CallbackFails {
        registry.fail(attempt);
        return Err(Refusal::AttemptFailed);
    }
    let callback = world.callbacks.fetch_add(1, Ordering::Relaxed) + 1;
    let entry = registry.publish(attempt, interpreter, callback);
    Ok((*entry.interpreter(), *entry.callback()))
}

/// Runs one request per fate at once, the last of them on the model's main thread.
fn race(registry: Model, fates: &[(&'static [u8], Fate)]) -> (Vec<Got>, Arc<Model>, Arc<World>) {
    let registry = Arc::new(registry);
    let world = Arc::new(World::default());
    let (&(name, fate), others) = fates.split_last().expect("at least one request");
    let threads: Vec<_> = (others.iter().copied().enumerate())
        .map(|(number, (name, fate))| {
            let (registry, world) = (Arc::clone(&registry), Arc::clone(&world));
            thread::spawn(move || request(&registry, &world, name, number as u64 + 1, fate))
        })
        .collect();
    let last = request(&registry, &world, name, 0, fate);
    let mut got: Vec<Got> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    got.push(last);
    (got, registry, world)
}

#[test]
fn two_creators_racing_make_one_interpreter_and_one_callback() {
    loom::model(|| {
        let (got, _, world) = race(Model::new(None), &[(b"a", Fate::Works), (b"a", Fate::Works)]);
        assert_eq!(got, [Ok((1, 1)), Ok((1, 1))]);
        assert_eq!(world.attempts.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn three_creators_racing_make_one_interpreter() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let fates = [(b"a" as &[u8], Fate::Works); 3];
        let (got, _, world) = race(Model::new(None), &fates);
        assert_eq!(got, [Ok((1, 1)); 3]);
        assert_eq!(world.interpreters.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_failed_creation_refuses_its_waiter_and_leaves_nothing() {
    loom::model(|| {
        let fates = [(b"a" as &[u8], Fate::CreationFails); 2];
        let (got, registry, world) = race(Model::new(None), &fates);
        assert_eq!(got, [Err(Refusal::AttemptFailed); 2]);
        assert_eq!(world.interpreters.load(Ordering::Relaxed), 0);
        // The next request starts anew: nothing half-made stands in its way.
        assert_eq!(request(&registry, &world, b"a", 9, Fate::Works), Ok((1, 1)));
    });
}

#[test]
fn a_failed_creation_beside_a_good_one_never_gives_a_waiter_something_else() {
    loom::model(|| {
        let (got, _, world) = race(Model::new(None), &[(b"a", Fate::CreationFails), (b"a", Fate::Works)]);
        for result in got {
            assert!(matches!(result, Ok((1, 1)) | Err(Refusal::AttemptFailed)));
        }
        assert!(world.interpreters.load(Ordering::Relaxed) <= 1);
    });
}

#[test]
fn a_failed_callback_keeps_the_interpreter_and_only_the_callback_is_retried() {
    loom::model(|| {
        let (got, registry, world) = race(Model::new(None), &[(b"a", Fate::CallbackFails), (b"a", Fate::Works)]);
        assert!(got.iter().all(|result| matches!(result, Ok((1, 1)) | Err(Refusal::AttemptFailed))));
        assert_eq!(request(&registry, &world, b"a", 9, Fate::Works), Ok((1, 1)));
        assert_eq!(world.interpreters.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_waiter_that_arrives_at_publication_gets_what_is_published() {
    loom::model(|| {
        let registry = Arc::new(Model::new(None));
        let Claim::Create(attempt) = registry.claim(b"a", ThreadKey(1)) else { panic!("nobody else is there") };
        let waiter = {
            let registry = Arc::clone(&registry);
            thread::spawn(move || match registry.claim(b"a", ThreadKey(2)) {
                Claim::Ready(entry) => (*entry.interpreter(), *entry.callback()),
                _ => panic!("the one attempt works"),
            })
        };
        registry.made(&attempt, 7);
        registry.publish(attempt, 7, 8);
        assert_eq!(waiter.join().unwrap(), (7, 8));
        assert_eq!(registry.waiters(), 0);
    });
}

#[test]
fn the_creator_that_asks_again_is_refused_while_another_waits() {
    loom::model(|| {
        let registry = Arc::new(Model::new(None));
        let Claim::Create(attempt) = registry.claim(b"a", ThreadKey(1)) else { panic!("nobody else is there") };
        let waiter = {
            let registry = Arc::clone(&registry);
            thread::spawn(move || matches!(registry.claim(b"a", ThreadKey(2)), Claim::Ready(_)))
        };
        assert!(matches!(registry.claim(b"a", ThreadKey(1)), Claim::Refused(Refusal::Reentrant)));
        registry.publish(attempt, 1, 1);
        assert!(waiter.join().unwrap());
    });
}

#[test]
fn an_adopted_interpreter_gets_one_callback() {
    loom::model(|| {
        let registry = Model::new(None);
        registry.adopt(b"main", 42);
        let (got, _, world) = race(registry, &[(b"main", Fate::Works), (b"main", Fate::Works)]);
        assert_eq!(got, [Ok((42, 1)), Ok((42, 1))]);
        assert_eq!(world.interpreters.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn the_limit_holds_for_two_names_at_once() {
    loom::model(|| {
        let (got, _, _) = race(Model::new(Some(1)), &[(b"a", Fate::Works), (b"b", Fate::Works)]);
        let refused = got.iter().filter(|result| **result == Err(Refusal::Limit(1))).count();
        assert_eq!((got.iter().flatten().count(), refused), (1, 1));
    });
}

#[test]
fn names_of_one_bucket_do_not_lose_each_other() {
    // Under loom the table has two buckets, so that two of three names share one.
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let fates = [(b"a" as &[u8], Fate::Works), (b"b", Fate::Works), (b"c", Fate::Works)];
        let (got, registry, _) = race(Model::new(None), &fates);
        for (result, (name, _)) in got.iter().zip(fates) {
            let entry = registry.get(name).expect("published");
            assert_eq!(*result, Ok((*entry.interpreter(), *entry.callback())));
        }
    });
}

/// How one claim came out, for threads that only look.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Came {
    Ready(usize),
    Refused(Refusal),
    ToCreate,
}

/// Claims, and gives up what it is to make.
fn look(registry: &Model, name: &[u8], me: u64) -> Came {
    match registry.claim(name, ThreadKey(me)) {
        Claim::Ready(entry) => Came::Ready(*entry.interpreter()),
        Claim::Refused(refusal) => Came::Refused(refusal),
        Claim::Create(attempt) | Claim::Finish(attempt, _) => {
            registry.fail(attempt);
            Came::ToCreate
        }
    }
}

/// Each attempt has a gate of its own, and who waited for one makes none. `made`: the first one leaves an interpreter,
/// so that the second goes on with what the registry knows of the name.
fn fail_under_a_waiter(made: bool) {
    loom::model(move || {
        let registry = Arc::new(Model::new(None));
        let Claim::Create(first) = registry.claim(b"a", ThreadKey(1)) else { panic!("nobody else is there") };
        let waiter = {
            let registry = Arc::clone(&registry);
            thread::spawn(move || look(&registry, b"a", 2))
        };
        let waits = registry.waiters() == 1;
        if made {
            registry.made(&first, 7);
        }
        registry.fail(first);
        let second = match registry.claim(b"a", ThreadKey(1)) {
            Claim::Create(second) if !made => Some(second),
            Claim::Finish(second, 7) if made => Some(second),
            // It has waited for the one that the other thread has given up.
            Claim::Refused(Refusal::AttemptFailed) => None,
            _ => panic!("nothing else is there"),
        };
        if waits {
            // Its answer does not depend on the second attempt, which has not ended.
            assert_eq!(waiter.join().unwrap(), Came::Refused(Refusal::AttemptFailed));
            second.into_iter().for_each(|second| registry.fail(second));
        } else {
            second.into_iter().for_each(|second| registry.fail(second));
            assert!(matches!(waiter.join().unwrap(), Came::Refused(Refusal::AttemptFailed) | Came::ToCreate));
        }
    });
}

#[test]
fn a_waiter_learns_of_the_end_of_its_own_attempt_while_the_next_one_runs() {
    fail_under_a_waiter(false);
    fail_under_a_waiter(true);
}

#[test]
fn a_waiter_that_wakes_for_no_reason_waits_on() {
    loom::model(|| {
        let registry = Arc::new(Model::new(None));
        let Claim::Create(attempt) = registry.claim(b"a", ThreadKey(1)) else { panic!("nobody else is there") };
        let waiter = {
            let registry = Arc::clone(&registry);
            thread::spawn(move || look(&registry, b"a", 2))
        };
        let gate = Arc::clone(&registry.freeze().pending[&b"a"[..]].gate);
        gate.opened.notify_all();
        registry.publish(attempt, 7, 8);
        assert_eq!(waiter.join().unwrap(), Came::Ready(7));
    });
}

/// A fork, which takes the lock, finds a name in one place, whatever is published or adopted at that moment.
#[test]
fn a_fork_finds_a_name_in_one_place() {
    loom::model(|| {
        let registry = Arc::new(Model::new(None));
        let Claim::Create(attempt) = registry.claim(b"a", ThreadKey(1)) else { panic!("nobody else is there") };
        let adopting = {
            let registry = Arc::clone(&registry);
            thread::spawn(move || registry.adopt(b"a", 9))
        };
        let forking = {
            let registry = Arc::clone(&registry);
            thread::spawn(move || {
                let guard = registry.freeze();
                let (is_pending, is_ready) = (guard.pending.contains_key(&b"a"[..]), registry.get(b"a").is_some());
                assert!(is_pending != is_ready, "pending: {is_pending}, ready: {is_ready}");
            })
        };
        registry.publish(attempt, 7, 8);
        adopting.join().unwrap();
        forking.join().unwrap();
        assert_eq!(look(&registry, b"a", 3), Came::Ready(7));
        assert!(registry.freeze().pending.is_empty(), "what is ready is not adopted again");
    });
}

/// Threads that are creating and ask for each other's: one is refused, before anybody waits for good.
#[test]
fn a_cycle_of_creations_is_refused() {
    loom::model(|| {
        let registry = Arc::new(Model::new(None));
        let claims = [(b"a", 1), (b"b", 2)].map(|(name, me)| match registry.claim(name, ThreadKey(me)) {
            Claim::Create(attempt) => attempt,
            _ => panic!("nobody else is there"),
        });
        let [first, second] = claims;
        let other = {
            let registry = Arc::clone(&registry);
            thread::spawn(move || {
                let came = look(&registry, b"a", 2);
                registry.publish(second, 2, 0);
                came
            })
        };
        let came = look(&registry, b"b", 1);
        registry.publish(first, 1, 0);
        let both = [came, other.join().unwrap()];
        let refused = both.iter().filter(|came| **came == Came::Refused(Refusal::Cycle)).count();
        assert_eq!(refused, 1, "{both:?}");
    });
}
