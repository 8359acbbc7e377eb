//! Doing something to a server while clients ask it without a break.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::clients::{Load, Record};

/// Every client asks for what `path(client, turn)` says, at least once and until `work` is done.
pub fn meanwhile<T>(
    load: &Load,
    path: impl Fn(usize, usize) -> String + Sync,
    work: impl FnOnce() -> T,
) -> (Record, T) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients = scope.spawn(|| {
            load.run(|client, turn, _| {
                if turn > 0 && over.load(Ordering::Relaxed) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(path(client, turn))
                }
            })
        });
        // Also when `work` panics: the clients would go on for good.
        let guard = SetAtEnd(&over);
        let done = work();
        drop(guard);
        (clients.join().expect("the clients"), done)
    })
}

struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
