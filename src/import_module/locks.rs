//! The process's one lock table, and the functions through which the shim takes and gives up locks.

use super::epoch;
use super::files::without_gil;
use super::module;
use super::object::{Owned, bytes, number, raise};
use super::state::State;
use crate::pathlock::{Begin, Checked, Frozen, Key, Table, ThreadId, Ticket, Waited};
use crate::python::ffi;
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

/// How often in a second [`wait_for_end`] looks for a cycle.
const ROUNDS: i64 = 10;

/// What an attempt leaves to those who waited on it: nothing if it went well, else a Python object of the shim's.
#[derive(Clone)]
pub(super) struct Outcome(Arc<Told>);

struct Told(Option<Owned>);

// SAFETY: a key names an interpreter, so an outcome is only told to threads of the one that made it, and they look
// at it and drop it with the GIL held; all that happens to it elsewhere, in the table, is to be moved and counted.
unsafe impl Send for Told {}
// SAFETY: as above.
unsafe impl Sync for Told {}

/// What a call for the lock of a file comes to.
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

/// What the names of locks begin with that stand for a question (`question.rs`). No file has a name with a NUL in it.
pub(super) const QUESTION: &[u8] = b"question\0";

fn is_question(key: &Key) -> bool {
    key.file.starts_with(QUESTION)
}

/// What the lines on its bugs call the lock table.
const LOCKS: &str = "the lock table";

/// Does one step of pure decision; a panic in it becomes a Python exception, too.
fn step<T>(step: impl FnOnce() -> T) -> Option<T> {
    caught(LOCKS, step).or_else(|| {
        // SAFETY: the callers of this room hold the GIL.
        unsafe { raise(ffi::PyExc_SystemError, "modpython-core: a bug in the lock table; see the error log") };
        None
    })
}

/// Does a step of giving back, which may come while an exception is pending.
fn quietly(step: impl FnOnce()) {
    caught(LOCKS, step);
}

/// This thread, as Python's `threading.get_ident()` has it.
///
/// # Safety
/// Python is initialised.
pub(super) unsafe fn me() -> ThreadId {
    // SAFETY: as the caller promises.
    unsafe { ffi::PyThread_get_thread_ident() }
}

/// An int, as a new reference or NULL with an exception.
///
/// # Safety
/// The GIL is held.
unsafe fn int(value: usize) -> *mut ffi::PyObject {
    // SAFETY: as the caller promises.
    unsafe { number(value) }.map_or(std::ptr::null_mut(), Owned::into_ptr)
}

/// Takes the lock of `key`, waiting for it if need be, without the GIL.
///
/// # Safety
/// The GIL is held.
pub(super) unsafe fn take(state: &State, key: &Key) -> Turn {
    // SAFETY: as the caller promises.
    let me = unsafe { me() };
    match step(|| TABLE.try_begin(key, me)) {
        None => Turn::Interrupted,
        Some(Begin::Acquired(depth)) => Turn::Mine(depth),
        Some(Begin::Cycle(_)) => Turn::Cycle,
        // SAFETY: as the caller promises.
        Some(Begin::MustWait(ticket)) => unsafe { wait(state, key, ticket) },
    }
}

/// Gives the lock up once. If that was the last time, everyone who waited for it is told how the attempt went.
///
/// # Safety
/// The GIL is held.
pub(super) unsafe fn finish(key: &Key, failure: Option<Owned>) {
    let outcome = Outcome(Arc::new(Told(failure)));
    // SAFETY: as the caller promises.
    let me = unsafe { me() };
    // In the child of a fork the lock may have gone with the thread that held it; there is nobody to tell of that.
    quietly(|| drop(TABLE.finish(key, me, &outcome)));
}

/// Gives the lock up once; the longest-waiting thread gets it.
///
/// # Safety
/// The GIL is held.
pub(super) unsafe fn end(key: &Key) {
    // SAFETY: as the caller promises.
    let me = unsafe { me() };
    quietly(|| drop(TABLE.end(key, me)));
}

/// # Safety
/// The GIL is held.
unsafe fn wait(state: &State, key: &Key, mut ticket: Ticket<'static, Outcome>) -> Turn {
    let mut import_lock = ImportLock::held_still();
    let mut rounds = 0;
    loop {
        // SAFETY: the GIL is held here in each round, and `without_gil` gets code that calls no Python.
        unsafe {
            // An exception that is thrown at a waiting thread comes out of one of these, and is its own to see: the
            // ticket is dropped, which leaves the queue.
            let edges = (ffi::PyErr_CheckSignals() == 0).then(|| import_lock_edges(state)).flatten();
            let Some(edges) = edges else { return import_lock.retaken(Turn::Interrupted) };
            ticket = match step(|| ticket.check(&edges)) {
                None => return import_lock.retaken(Turn::Interrupted),
                Some(Checked::Cycle(_)) => return import_lock.retaken(Turn::Cycle),
                Some(Checked::Clear(ticket)) => ticket,
            };
            match without_gil(|| ticket.wait(LOOK_AGAIN)) {
                Waited::Acquired => return import_lock.retaken(Turn::Mine(1)),
                Waited::Told(outcome) => {
                    let failure = outcome.0.0.as_ref().and_then(|failure| Owned::from_borrowed(failure.as_ptr()));
                    return import_lock.retaken(Turn::Told(failure));
                }
                Waited::StillWaiting(again) => {
                    import_lock.give_up();
                    ticket = again;
                }
            }
            rounds += 1;
            if rounds == LONG {
                say_that_it_takes_long(key);
            }
        }
    }
}

/// Waits until nobody holds that lock, for at most so many seconds; not where that would close a cycle. False with an
/// exception set: it came to this thread while it waited.
///
/// # Safety
/// The GIL is held.
pub(super) unsafe fn wait_for_end(state: &State, key: &Key, seconds: i64) -> bool {
    // SAFETY: as the caller promises; `without_gil` gets code that calls no Python.
    unsafe {
        let me = me();
        let mut ticket = match TABLE.try_begin(key, me) {
            Begin::Acquired(_) => {
                end(key);
                return true;
            }
            Begin::Cycle(_) => return true,
            Begin::MustWait(ticket) => ticket,
        };
        let mut import_lock = ImportLock::held_still();
        for _ in 0..seconds * ROUNDS {
            let edges = (ffi::PyErr_CheckSignals() == 0).then(|| import_lock_edges(state)).flatten();
            let Some(edges) = edges else { return import_lock.retaken(false) };
            ticket = match ticket.check(&edges) {
                Checked::Cycle(_) => return import_lock.retaken(true),
                Checked::Clear(ticket) => ticket,
            };
            ticket = match without_gil(|| ticket.wait(Duration::from_millis(1000 / ROUNDS as u64))) {
                Waited::Acquired => {
                    end(key);
                    return import_lock.retaken(true);
                }
                Waited::Told(_) => return import_lock.retaken(true),
                Waited::StillWaiting(ticket) => ticket,
            };
            import_lock.give_up();
        }
        import_lock.retaken(true)
    }
}

fn say_that_it_takes_long(key: &Key) {
    // Who waits with a question knows no file: it is one of those that the other thread is at.
    let mut files = if is_question(key) { TABLE.held_by_owner(key) } else { vec![key.clone()] };
    files.retain(|key| !key.file.contains(&0));
    files.sort_by(|one, other| one.file.cmp(&other.file));
    let files: Vec<_> = files.iter().map(|key| String::from_utf8_lossy(&key.file)).collect();
    let file = if files.is_empty() { "a module".to_owned() } else { files.join(" and ") };
    let owner = TABLE.owner(key).map_or_else(|| "nobody".to_owned(), |thread| format!("thread {thread:#x}"));
    let text = format!("a request has waited 10 s for the load of {file}, which {owner} is at");
    log::line(Message::LongWait, &text);
}

/// The one import lock of Python 2, which a thread that waits inside an import statement holds (I4). Whoever it waits
/// for may need it to go on; so it is given up after a while, as often as it is held, and taken again after. Other
/// threads can then import the module whose import is under way here, and get it half-made, as in a cycle of imports.
///
/// In Python 3 there is a lock per module, and cycles through those are seen (`blocked`).
pub(super) struct ImportLock {
    #[cfg(not(feature = "python3"))]
    given_up: usize,
}

impl ImportLock {
    pub(super) fn held_still() -> Self {
        Self {
            #[cfg(not(feature = "python3"))]
            given_up: 0,
        }
    }

    /// # Safety
    /// The GIL is held.
    pub(super) unsafe fn give_up(&mut self) {
        #[cfg(not(feature = "python3"))]
        // SAFETY: says 1 as long as the lock is this thread's.
        while unsafe { ffi::_PyImport_ReleaseLock() } == 1 {
            self.given_up += 1;
        }
    }

    /// Takes back what was given up, waiting without the GIL, and hands `answer` on.
    ///
    /// # Safety
    /// The GIL is held.
    pub(super) unsafe fn retaken<T>(self, answer: T) -> T {
        #[cfg(not(feature = "python3"))]
        for _ in 0..self.given_up {
            // SAFETY: the GIL is held, and no lock of ours.
            unsafe { ffi::_PyImport_AcquireLock() };
        }
        answer
    }
}

/// Who waits for whom in Python's own import locks, as the shim sees it. None with an exception set on failure.
///
/// # Safety
/// The GIL is held.
pub(super) unsafe fn import_lock_edges(state: &State) -> Option<Vec<(ThreadId, ThreadId)>> {
    // SAFETY: live objects; the items are borrowed from a list that is ours alone.
    unsafe {
        let function = state.shim.borrow().as_ref().and_then(|shim| Owned::from_borrowed(shim.blocked.as_ptr()));
        let Some(function) = function else { return Some(Vec::new()) };
        let pairs = Owned::from_new(ffi::PyObject_CallNoArgs(function.as_ptr()))?;
        let mut edges = Vec::new();
        for at in 0..ffi::PyList_Size(pairs.as_ptr()) {
            let pair = ffi::PyList_GetItem(pairs.as_ptr(), at);
            let thread = |at| {
                let number = Owned::from_new(ffi::PySequence_GetItem(pair, at))?;
                Some(ffi::PyLong_AsLong(number.as_ptr()) as ThreadId)
            };
            edges.push((thread(0)?, thread(1)?));
        }
        ffi::PyErr_Occurred().is_null().then_some(edges)
    }
}

/// `locks()`: how many locks are held in this process now.
///
/// # Safety
/// Called by CPython, as METH_NOARGS.
pub(super) unsafe extern "C" fn locks(_: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the GIL is held.
    unsafe { step(|| TABLE.len()).map_or(std::ptr::null_mut(), |held| int(held)) }
}

/// `waiting(file)`: how many threads wait now for the load of a file (bytes), at its lock or with a question for it.
///
/// # Safety
/// Called by CPython, as METH_O.
pub(super) unsafe extern "C" fn waiting(module: *mut ffi::PyObject, file: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some(file)) = (module::of(module), bytes(file)) else { return std::ptr::null_mut() };
        let key = Key::new(state.interpreter, &file);
        step(|| TABLE.waiting_for(&key, is_question))
            .and_then(|threads| number(threads))
            .map_or(std::ptr::null_mut(), Owned::into_ptr)
    }
}

/// `waits(thread)`: whether the thread (an int) waits for a lock of the table now.
///
/// # Safety
/// Called by CPython, as METH_O.
pub(super) unsafe extern "C" fn waits(_: *mut ffi::PyObject, thread: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython gives a live object and holds the GIL.
    unsafe {
        let thread = ffi::PyLong_AsLong(thread) as ThreadId;
        if !ffi::PyErr_Occurred().is_null() {
            return std::ptr::null_mut();
        }
        step(|| TABLE.is_waiting(thread)).map_or(std::ptr::null_mut(), |waits| ffi::PyBool_FromLong(waits.into()))
    }
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
        // SAFETY: Python is initialised: the handlers are registered by code that Python calls.
        frozen.after_fork_in_child(unsafe { me() });
    }
}

/// Makes the table stand a fork in any thread, at any moment (R8). Once per process.
pub(super) fn watch_forks() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // A full table of handlers (ENOMEM) leaves forking as safe as it was without us.
        // SAFETY: three functions that live as long as the library they are in; the C library forgets them when it is
        // unloaded.
        unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork_in_parent), Some(after_fork_in_child)) };
    });
}
