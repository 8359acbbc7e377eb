//! The registry of a process, its limit, and its safety when the process forks (R8).

use super::parent;
use crate::{
    python::{
        Callback, Interpreter, Luggage, ThreadState, fork,
        threads::{Requests, Table},
    },
    registry::{Registry, Slow, ThreadKey},
    server::settings,
};
use std::{
    cell::Cell,
    mem::ManuallyDrop,
    sync::{LazyLock, MutexGuard, OnceLock},
};

/// The name under which mod_python asks for Python's main interpreter.
pub const MAIN_INTERPRETER: &[u8] = b"main_interpreter";

static REGISTRY: LazyLock<Registry<Interpreter, Callback>> =
    LazyLock::new(|| Registry::new(settings::of_process().max_interpreters));

static REQUESTS: Requests<Luggage> = Requests::new();

/// The registry of this process.
#[inline]
pub fn registry() -> &'static Registry<Interpreter, Callback> {
    &REGISTRY
}

/// The requests that this process serves.
pub const fn requests() -> &'static Requests<Luggage> {
    &REQUESTS
}

thread_local! {
    /// An address that no other living thread has.
    static HERE: u8 = const { 0 };
    /// Held from before a fork to after it, in the thread that forks. Without a destructor: a thread-local that has one
    /// would keep a mod_python.so with the library inside from being unloaded at a graceful restart, once the server's
    /// parent has forked. Then the next mod_python.so, if it is another file, would be bound to the old one's symbols.
    static FROZEN: Cell<ManuallyDrop<Frozen>> = const { Cell::new(ManuallyDrop::new(None)) };
}

type Frozen =
    Option<(Option<ThreadState>, MutexGuard<'static, Slow<Interpreter>>, MutexGuard<'static, Table<Luggage>>)>;

fn exchange_frozen(new: Frozen) -> Frozen {
    FROZEN.with(|frozen| ManuallyDrop::into_inner(frozen.replace(ManuallyDrop::new(new))))
}

/// Tells this thread from every other living one. The child of a fork keeps the key of the thread that forked.
pub fn this_thread() -> ThreadKey {
    ThreadKey(HERE.with(|here| std::ptr::from_ref(here) as u64))
}

extern "C" fn before_fork() {
    // The GIL first: nobody waits for it who has one of these locks.
    let taken = parent::before_fork();
    exchange_frozen(Some((taken, registry().freeze(), requests().freeze())));
}

extern "C" fn after_fork_in_parent() {
    if let Some((taken, registered, requests)) = exchange_frozen(None) {
        drop((registered, requests));
        parent::after_fork(taken);
    }
}

extern "C" fn after_fork_in_child() {
    if let Some((taken, registered, requests)) = exchange_frozen(None) {
        drop(requests);
        registry().after_fork_in_child(registered, this_thread());
        parent::after_fork_in_child(taken);
    }
}

/// Makes forks safe, once a process.
///
/// # Errors
///
/// The error number, if there is no memory for the handlers; the same at each later call.
pub fn guard_forks() -> Result<(), std::ffi::c_int> {
    static GUARDED: OnceLock<Result<(), std::ffi::c_int>> = OnceLock::new();
    // The registry exists before the first fork: making it inside a handler would allocate there.
    LazyLock::force(&REGISTRY);
    *GUARDED.get_or_init(|| {
        fork::count_forks()?;
        fork::on_fork(before_fork, after_fork_in_parent, after_fork_in_child)
    })
}
