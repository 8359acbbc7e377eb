//! R8: the child of a fork, in any thread and at any moment, finds a registry that works.
//!
//! Loom cannot fork, so this is done with processes: threads create and fail interpreters all the time while another
//! forks, and each child asks for every name within a deadline. Without the fork handlers of `process` a child hangs
//! on the mutex of a thread that it does not have, or waits for an attempt that nobody makes any more.

use modpython_core::{
    embedding::process::{guard_forks, registry, this_thread},
    python::{Callback, Interpreter},
    registry::Claim,
};
use std::{
    ptr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Handles that nothing follows here.
fn handle(number: usize) -> (Interpreter, Callback) {
    let pointer = ptr::without_provenance_mut::<u8>(number + 1);
    (Interpreter::new(pointer).unwrap(), Callback::new(pointer).unwrap())
}

/// Asks for an interpreter as a request does; every third attempt fails.
fn ask(name: &[u8], number: usize) {
    match registry().claim(name, this_thread()) {
        Claim::Create(attempt) | Claim::Finish(attempt, _) => {
            thread::yield_now();
            if number % 3 == 0 {
                registry().fail(attempt);
            } else {
                let (interpreter, callback) = handle(number);
                registry().publish(attempt, interpreter, callback);
            }
        }
        Claim::Ready(_) | Claim::Refused(_) => {}
    }
}

/// Whether the process ends by itself, with success, within ten seconds.
fn ends_well(pid: i32) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let mut status = 0;
        // SAFETY: our own child, and a place for its status.
        match unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG) } {
            0 if Instant::now() < deadline => thread::sleep(Duration::from_millis(1)),
            0 => {
                // SAFETY: our own child, which hangs.
                unsafe { libc::kill(pid, libc::SIGKILL) };
                return false;
            }
            _ => return libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
        }
    }
}

#[test]
fn the_child_of_a_fork_finds_a_registry_that_works() {
    const FORKS: usize = 400;
    static STOP: AtomicBool = AtomicBool::new(false);
    static NAMES: AtomicUsize = AtomicUsize::new(0);

    guard_forks().expect("the handlers are registered");
    registry().adopt(b"main", handle(0).0);
    let creators: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(|| {
                while !STOP.load(Ordering::Relaxed) {
                    let number = NAMES.fetch_add(1, Ordering::Relaxed);
                    // Two threads meet at a name: one creates it, the other waits or finds it.
                    ask(&(number / 2).to_le_bytes(), number);
                    ask(b"main", number);
                }
            })
        })
        .collect();
    for fork in 0..FORKS {
        // SAFETY: the child uses nothing but the registry and this thread's own memory before it ends.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "fork");
        if pid == 0 {
            let newest = NAMES.load(Ordering::Relaxed) / 2;
            for number in newest.saturating_sub(4)..newest + 4 {
                let name = number.to_le_bytes();
                // The named ones are gone with the parent's Python; the child makes its own.
                let gone = registry().get(&name).is_none();
                ask(&name, 1);
                if !gone || registry().get(&name).is_none() {
                    // SAFETY: ends this process at once.
                    unsafe { libc::_exit(1) };
                }
            }
            ask(b"main", 1);
            let main = registry().get(b"main").is_some();
            // SAFETY: ends this process at once, without the parent's exit handlers.
            unsafe { libc::_exit(if main { 0 } else { 2 }) };
        }
        assert!(ends_well(pid), "the child of fork {fork} hangs or fails");
    }
    STOP.store(true, Ordering::Relaxed);
    creators.into_iter().for_each(|creator| creator.join().expect("a creator panicked"));
}
