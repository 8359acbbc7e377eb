//! The process's one lock table, and the functions through which the shim takes and gives up locks.

use super::epoch;
use super::state::State;
use crate::pathlock::{Begin, Checked, Frozen, Key, Table, ThreadId, Ticket, Waited};
use crate::python::exceptions::{self, Exception, raise};
use crate::python::gil::{Gil, without_gil};
use crate::python::object::{Object, Owned};
use crate::python::values::{as_long, boolean, bytes, number};
use crate::python::{calls, sequence};
use crate::python::{ffi, fork};
use crate::server::log::{self, caught};
use crate::server::messages::Message;
use std::cell::Cell;
use std::sync::{Arc, LazyLock, Once};
use std::time::Duration;

/// For how long a thread waits before it looks at Python's own import locks again (I4): a cycle that closes through
/// one of them after we have begun to wait can be seen by nobody else, importlib knows nothing of our locks.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How many such waits there are before a line in the log says so (I15): 10 s.
const LONG: u32 = 100;

/// How often in a second [`await_end`] looks for a cycle.
const ROUNDS: i64 = 10;

/// The outcome of an attempt, for the threads that waited on it: nothing if it went well, else an object of the shim's.
#[derive(Clone)]
pub(super) struct Outcome(Arc<Told>);

struct Told(Option<Owned>);

// SAFETY: a key names an interpreter, so an outcome is only told to threads of the one that made it (under a key of all
// interpreters it has no object), and they look at it and drop it with the GIL held; all that happens to it elsewhere,
// in the table, is to be moved and counted.
unsafe impl Send for Told {}
// SAFETY: as above.
unsafe impl Sync for Told {}

/// The outcome of asking for the lock of a file.
pub(super) enum Turn {
    /// The lock is this thread's, held this many times; more than 1 means that it is running the file already.
    Mine(u32),
    /// To wait would close a cycle: the caller makes do with what there is of the module.
    Cycle,
    /// The attempt that this thread waited on is over: well, or with this failure.
    Told(Option<Owned>),
    /// An exception is set: it came to this thread while it waited.
    Interrupted,
}

/// Static because a thread can be in several interpreters at once (a nested request), and because `fork` copies it.
pub(super) static TABLE: LazyLock<Table<Outcome>> = LazyLock::new(Table::new);

/// The names of questions' locks begin so (`question.rs`). No file has a name with a NUL in it.
pub(super) const QUESTION: &[u8] = b"question\0";

fn is_question(key: &Key) -> bool {
    key.file.starts_with(QUESTION)
}

/// The lock table's name in lines on its bugs.
const LOCKS: &str = "the lock table";

/// Does one step of pure decision; a panic in it becomes a Python exception, too.
fn step<T>(gil: &Gil, step: impl FnOnce() -> T) -> Option<T> {
    let bug = "modpython-core: a bug in the lock table; see the error log";
    caught(LOCKS, step).or_else(|| raise(gil, Exception::System, bug))
}

/// Does a step of giving back, which may come while an exception is pending.
fn quietly(step: impl FnOnce()) {
    caught(LOCKS, step);
}

/// This thread, as Python's `threading.get_ident()` has it.
pub(super) fn me() -> ThreadId {
    // SAFETY: it says what the system calls this thread, and needs neither the GIL nor a state.
    unsafe { ffi::PyThread_get_thread_ident() }
}

/// Takes the lock of `key`, waiting for it if need be, without the GIL.
pub(super) fn take(gil: &mut Gil, state: &State, key: &Key) -> Turn {
    match step(gil, || TABLE.try_begin(key, me())) {
        None => Turn::Interrupted,
        Some(Begin::Acquired(depth)) => Turn::Mine(depth),
        Some(Begin::Cycle(_)) => Turn::Cycle,
        Some(Begin::MustWait(ticket)) => wait(gil, state, key, ticket),
    }
}

/// Gives the lock up once. If that was the last time, everyone who waited for it is told how the attempt went.
pub(super) fn finish(key: &Key, failure: Option<Owned>) {
    let outcome = Outcome(Arc::new(Told(failure)));
    // In the child of a fork the lock may have gone with the thread that held it; there is nobody to tell of that.
    quietly(|| drop(TABLE.finish(key, me(), &outcome)));
}

/// Gives the lock up once; the longest-waiting thread gets it.
pub(super) fn end(key: &Key) {
    quietly(|| drop(TABLE.end(key, me())));
}

fn wait(gil: &mut Gil, state: &State, key: &Key, mut ticket: Ticket<'static, Outcome>) -> Turn {
    let mut import_lock = ImportLock::held_still();
    let mut rounds = 0;
    loop {
        // An exception that is thrown at a waiting thread comes out of one of these, and is its own to see: the ticket
        // is dropped, which leaves the queue.
        let edges = exceptions::check_signals(gil).then(|| import_lock_edges(gil, state)).flatten();
        let Some(edges) = edges else { return import_lock.retaken(gil, Turn::Interrupted) };
        ticket = match step(gil, || ticket.check(&edges)) {
            None => return import_lock.retaken(gil, Turn::Interrupted),
            Some(Checked::Cycle(_)) => return import_lock.retaken(gil, Turn::Cycle),
            Some(Checked::Clear(ticket)) => ticket,
        };
        match without_gil(gil, || ticket.wait(LOOK_AGAIN)) {
            Waited::Acquired => return import_lock.retaken(gil, Turn::Mine(1)),
            Waited::Told(outcome) => {
                let failure = outcome.0.0.as_ref().map(|failure| failure.clone_ref(gil));
                return import_lock.retaken(gil, Turn::Told(failure));
            }
            Waited::StillWaiting(again) => {
                import_lock.give_up(gil);
                ticket = again;
            }
        }
        rounds += 1;
        if rounds == LONG {
            say_that_it_takes_long(key);
        }
    }
}

/// The outcome of [`await_end`].
#[derive(PartialEq, Eq)]
pub(super) enum Awaited {
    /// Nobody holds the lock any more, or the attempt is over.
    Over,
    /// To wait would close a cycle.
    Cycle,
    /// The time is up.
    Late,
    /// An exception is set: it came to this thread while it waited.
    Interrupted,
}

/// Waits until nobody holds that lock, for at most so many seconds, without the GIL; not where that would close a
/// cycle.
pub(super) fn await_end(gil: &mut Gil, state: &State, key: &Key, seconds: i64) -> Awaited {
    let mut ticket = match TABLE.try_begin(key, me()) {
        Begin::Acquired(_) => {
            end(key);
            return Awaited::Over;
        }
        Begin::Cycle(_) => return Awaited::Cycle,
        Begin::MustWait(ticket) => ticket,
    };
    let mut import_lock = ImportLock::held_still();
    for _ in 0..seconds * ROUNDS {
        let edges = exceptions::check_signals(gil).then(|| import_lock_edges(gil, state)).flatten();
        let Some(edges) = edges else { return import_lock.retaken(gil, Awaited::Interrupted) };
        ticket = match ticket.check(&edges) {
            Checked::Cycle(_) => return import_lock.retaken(gil, Awaited::Cycle),
            Checked::Clear(ticket) => ticket,
        };
        ticket = match without_gil(gil, || ticket.wait(Duration::from_millis(1000 / ROUNDS as u64))) {
            Waited::Acquired => {
                end(key);
                return import_lock.retaken(gil, Awaited::Over);
            }
            Waited::Told(_) => return import_lock.retaken(gil, Awaited::Over),
            Waited::StillWaiting(ticket) => ticket,
        };
        import_lock.give_up(gil);
    }
    import_lock.retaken(gil, Awaited::Late)
}

fn say_that_it_takes_long(key: &Key) {
    // A thread that waits with a question knows no file: it is one of those that the other thread is at.
    let mut files = if is_question(key) { TABLE.held_by_owner(key) } else { vec![key.clone()] };
    files.retain(|key| !key.file.contains(&0));
    files.sort_by(|one, other| one.file.cmp(&other.file));
    let files: Vec<_> = files.iter().map(|key| String::from_utf8_lossy(&key.file)).collect();
    let file = if files.is_empty() { "a module".to_owned() } else { files.join(" and ") };
    let owner = TABLE.owner(key).map_or_else(|| "nobody".to_owned(), |thread| format!("thread {thread:#x}"));
    let text = format!("a request has waited 10 s for the load of {file}, which {owner} is at");
    log::line(Message::LongWait, &text);
}

/// The one import lock of Python 2, which a thread that waits inside an import statement holds (I4). The thread that it
/// waits for may need it to go on; so it is given up after a while, as often as it is held, and taken again after.
/// Other threads can then import the module whose import is under way here, and get it half-made, as in a cycle of
/// imports.
///
/// In Python 3 there is a lock per module, and cycles through those are seen (`import_lock_edges`).
struct ImportLock {
    #[cfg(not(feature = "python3"))]
    given_up: usize,
}

impl ImportLock {
    fn held_still() -> Self {
        Self {
            #[cfg(not(feature = "python3"))]
            given_up: 0,
        }
    }

    fn give_up(&mut self, _: &Gil) {
        #[cfg(not(feature = "python3"))]
        // SAFETY: the GIL is held; it says 1 as long as the lock is this thread's.
        while unsafe { ffi::_PyImport_ReleaseLock() } == 1 {
            self.given_up += 1;
        }
    }

    /// Takes back what was given up, waiting without the GIL, and hands `answer` on.
    fn retaken<T>(self, _: &Gil, answer: T) -> T {
        #[cfg(not(feature = "python3"))]
        for _ in 0..self.given_up {
            // SAFETY: the GIL is held, and no lock of ours.
            unsafe { ffi::_PyImport_AcquireLock() };
        }
        answer
    }
}

/// Which thread waits for which in Python's own import locks, as the shim sees it. None with an exception set on
/// failure.
fn import_lock_edges(gil: &Gil, state: &State) -> Option<Vec<(ThreadId, ThreadId)>> {
    let function = state.shim.borrow().as_ref().map(|shim| shim.import_lock_edges.clone_ref(gil));
    let Some(function) = function else { return Some(Vec::new()) };
    let pairs = calls::call(gil, &function, [])?;
    let mut edges = Vec::new();
    for at in 0..sequence::list_size(gil, &pairs) {
        let pair = sequence::list_item(gil, &pairs, at)?;
        let thread = |at| Some(as_long(gil, &calls::item_at(gil, &pair, at)?) as ThreadId);
        edges.push((thread(0)?, thread(1)?));
    }
    (!exceptions::is_pending(gil)).then_some(edges)
}

/// `locks()`: how many locks are held in this process now.
pub(super) fn locks(gil: &mut Gil, _: &State) -> Option<Owned> {
    let held = step(gil, || TABLE.len())?;
    number(gil, held)
}

/// `waiting(file)`: how many threads wait now for the load of a file (bytes), at its lock or with a question for it.
pub(super) fn waiting(gil: &mut Gil, state: &State, file: Object<'_>) -> Option<Owned> {
    let key = Key::new(state.interpreter, &bytes(gil, file)?);
    let threads = step(gil, || TABLE.waiting_for(&key, is_question))?;
    number(gil, threads)
}

/// `waits(thread)`: whether the thread (an int) waits for a lock of the table now.
pub(super) fn waits(gil: &mut Gil, _: &State, thread: Object<'_>) -> Option<Owned> {
    let thread = as_long(gil, thread) as ThreadId;
    if exceptions::is_pending(gil) {
        return None;
    }
    let waits = step(gil, || TABLE.is_waiting(thread))?;
    boolean(gil, waits)
}

thread_local! {
    /// The table, held still by this thread between the two handlers around its fork.
    static FROZEN: Cell<Option<Frozen<'static, Outcome>>> = const { Cell::new(None) };
}

extern "C" fn before_fork() {
    FROZEN.set(Some(TABLE.freeze()));
}

extern "C" fn after_fork_in_parent() {
    FROZEN.set(None);
}

extern "C" fn after_fork_in_child() {
    epoch::begin_another();
    #[cfg(not(feature = "python3"))]
    super::frames::after_fork_in_child();
    if let Some(mut frozen) = FROZEN.take() {
        frozen.after_fork_in_child(me());
    }
}

/// Keeps the table usable after a fork in any thread, at any moment (R8). Once per process.
pub(super) fn watch_forks() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        if let Err(error) = fork::on_fork(before_fork, after_fork_in_parent, after_fork_in_child) {
            fork::log_unguarded(error);
        }
    });
}
