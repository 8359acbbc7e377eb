//! The process's one lock table, and the functions through which the shim takes and gives up locks.

use super::files::without_gil;
use super::module;
use super::object::{Owned, bytes, exactly, none, number, raise};
use super::state::State;
use crate::pathlock::{Begin, Checked, Frozen, Key, NotOwner, Table, ThreadId, Ticket, Waited};
use crate::python::ffi;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Once};
use std::time::Duration;

/// For how long a thread waits before it looks at Python's own import locks again (I4): a cycle that closes through
/// one of them after we have begun to wait can be seen by nobody else, importlib knows nothing of our locks.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What an attempt leaves to those who waited on it: a Python object of the shim's.
#[derive(Clone)]
pub(super) struct Outcome(Arc<Told>);

struct Told(Owned);

// SAFETY: a key names an interpreter, so an outcome is only told to threads of the one that made it, and they look
// at it and drop it with the GIL held; all that happens to it elsewhere, in the table, is to be moved and counted.
unsafe impl Send for Told {}
// SAFETY: as above.
unsafe impl Sync for Told {}

/// Static because a thread can be in several interpreters at once (a nested request), and because `fork` copies it.
static TABLE: LazyLock<Table<Outcome>> = LazyLock::new(Table::new);

/// Does one step of pure decision. A panic in it is a bug of ours; it becomes a Python exception, and does not unwind
/// into C, which would end the process and every request in it.
fn step<T>(step: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(step)).ok().or_else(|| {
        // SAFETY: the callers of this room hold the GIL.
        unsafe { raise(ffi::PyExc_SystemError, "modpython-core: a bug in the lock table; see the error log") };
        None
    })
}

/// This thread, as Python's `threading.get_ident()` has it.
///
/// # Safety
/// Python is initialised.
unsafe fn me() -> ThreadId {
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

/// `begin(file)`: takes the lock of a file (bytes), waiting for it if need be, without the GIL. Returns how often this
/// thread now holds it (1 or more); 0 if waiting would close a cycle; or what [`finish`] told those who waited.
///
/// # Safety
/// Called by CPython, as METH_O.
pub(super) unsafe extern "C" fn begin(module: *mut ffi::PyObject, file: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some(file)) = (module::of(module), bytes(file)) else { return std::ptr::null_mut() };
        let key = Key::new(state.interpreter, &file);
        let me = me();
        match step(|| TABLE.try_begin(&key, me)) {
            None => std::ptr::null_mut(),
            Some(Begin::Acquired(depth)) => int(depth as usize),
            Some(Begin::Cycle(_)) => int(0),
            Some(Begin::MustWait(ticket)) => wait(state, ticket),
        }
    }
}

/// # Safety
/// The GIL is held.
unsafe fn wait(state: &State, mut ticket: Ticket<'static, Outcome>) -> *mut ffi::PyObject {
    let mut import_lock = ImportLock::held_still();
    loop {
        // SAFETY: the GIL is held here in each round, and `without_gil` gets code that calls no Python.
        unsafe {
            let blocked = blocked_in_python(state);
            ticket = match step(|| ticket.check(&blocked)) {
                None => return import_lock.retaken(std::ptr::null_mut()),
                Some(Checked::Cycle(_)) => return import_lock.retaken(int(0)),
                Some(Checked::Clear(ticket)) => ticket,
            };
            match without_gil(|| ticket.wait(LOOK_AGAIN)) {
                Waited::Acquired => return import_lock.retaken(int(1)),
                Waited::Told(outcome) => {
                    let told = outcome.0.0.as_ptr();
                    ffi::Py_INCREF(told);
                    return import_lock.retaken(told);
                }
                Waited::StillWaiting(again) => {
                    import_lock.give_up();
                    ticket = again;
                }
            }
        }
    }
}

/// The one import lock of Python 2, which a thread that waits inside an import statement holds (I4). Whoever it waits for
/// may need it to go on; so it is given up after a while, as often as it is held, and taken again after. Other threads
/// can then import the module whose import is under way here, and get it half-made, as in a cycle of imports.
///
/// In Python 3 there is a lock per module, and cycles through those are seen (`blocked`).
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

    /// # Safety
    /// The GIL is held.
    unsafe fn give_up(&mut self) {
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
    unsafe fn retaken(self, answer: *mut ffi::PyObject) -> *mut ffi::PyObject {
        #[cfg(not(feature = "python3"))]
        for _ in 0..self.given_up {
            // SAFETY: the GIL is held, and no lock of ours.
            unsafe { ffi::_PyImport_AcquireLock() };
        }
        answer
    }
}

/// Who waits for whom in Python's own import locks, as the shim sees it.
///
/// # Safety
/// The GIL is held.
unsafe fn blocked_in_python(state: &State) -> Vec<(ThreadId, ThreadId)> {
    // SAFETY: live objects; the items are borrowed from a list that is ours alone.
    unsafe {
        let function = state.shim.borrow().as_ref().and_then(|shim| Owned::from_borrowed(shim.blocked.as_ptr()));
        let pairs = function.and_then(|function| Owned::from_new(ffi::PyObject_CallNoArgs(function.as_ptr())));
        let mut edges = Vec::new();
        if let Some(pairs) = pairs.filter(|pairs| ffi::PyList_Check(pairs.as_ptr()) != 0) {
            for at in 0..ffi::PyList_Size(pairs.as_ptr()) {
                let pair = ffi::PyList_GetItem(pairs.as_ptr(), at);
                let (Some(waiter), Some(owner)) = (
                    Owned::from_new(ffi::PySequence_GetItem(pair, 0)),
                    Owned::from_new(ffi::PySequence_GetItem(pair, 1)),
                ) else {
                    break;
                };
                let thread = |object: &Owned| ffi::PyLong_AsLong(object.as_ptr()) as ThreadId;
                edges.push((thread(&waiter), thread(&owner)));
            }
        }
        // Without these edges the check is that of our own locks; no reason to fail a request.
        ffi::PyErr_Clear();
        edges
    }
}

/// `end(file)`: gives the lock up once; the longest-waiting thread gets it.
///
/// # Safety
/// Called by CPython, as METH_O.
pub(super) unsafe extern "C" fn end(module: *mut ffi::PyObject, file: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some(file)) = (module::of(module), bytes(file)) else { return std::ptr::null_mut() };
        let (key, me) = (Key::new(state.interpreter, &file), me());
        answer(step(|| TABLE.end(&key, me).map(drop)))
    }
}

/// `finish(file, outcome)`: gives the lock up once, and hands the object `outcome` to everyone who waited for it.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn finish(
    module: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL, under which the outcome is also dropped.
    unsafe {
        let Some([file, outcome]) = exactly("finish", args, nargs) else { return std::ptr::null_mut() };
        let (Some(state), Some(file)) = (module::of(module), bytes(file)) else { return std::ptr::null_mut() };
        let Some(outcome) = Owned::from_borrowed(outcome) else { return std::ptr::null_mut() };
        let (key, me, outcome) = (Key::new(state.interpreter, &file), me(), Outcome(Arc::new(Told(outcome))));
        answer(step(|| TABLE.finish(&key, me, &outcome).map(drop)))
    }
}

/// # Safety
/// The GIL is held.
unsafe fn answer(done: Option<Result<(), NotOwner>>) -> *mut ffi::PyObject {
    match done {
        None => std::ptr::null_mut(),
        // SAFETY: the GIL is held.
        Some(Ok(())) => unsafe { none() },
        Some(Err(error)) => {
            // SAFETY: the GIL is held.
            unsafe { raise(ffi::PyExc_RuntimeError, &error.to_string()) };
            std::ptr::null_mut()
        }
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

/// `waiting(file)`: how many threads wait for the lock of a file (bytes) now.
///
/// # Safety
/// Called by CPython, as METH_O.
pub(super) unsafe extern "C" fn waiting(module: *mut ffi::PyObject, file: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some(file)) = (module::of(module), bytes(file)) else { return std::ptr::null_mut() };
        let key = Key::new(state.interpreter, &file);
        step(|| TABLE.waiting_for(&key))
            .and_then(|threads| number(threads))
            .map_or(std::ptr::null_mut(), Owned::into_ptr)
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
        // SAFETY: three functions that live as long as the process: the library is never unloaded (DESIGN.md).
        unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork_in_parent), Some(after_fork_in_child)) };
    });
}
