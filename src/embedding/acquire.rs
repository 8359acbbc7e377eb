//! An acquisition and its release: carries out the registry's answer. The same for every generation of mod_python,
//! and for a relinked module, whose calls arrive one by one (`rebind`).

use super::{
    interpreterdata::{self, HandedOut},
    process,
    thread::{Progress, Thread},
};
use crate::{
    error::Refusal,
    import_module,
    python::{
        Callback, Cpython, Interpreter, Python, ThreadState,
        gil::{Gil, with_gil},
        object::{Object, Owned},
        threads::{OwnState, Suspended},
    },
    registry::{Attempt, Claim},
    server::{
        log,
        messages::Message,
        settings,
        stats::{STATS, count},
    },
};
use std::rc::Rc;

/// How an acquisition goes on.
pub enum Choice {
    /// With this thread's state of the interpreter.
    Chosen {
        /// This thread's state.
        kept: Rc<OwnState<HandedOut>>,
        /// The callback; none if this thread has to make it.
        callback: Option<Callback>,
        /// The GIL is held with the state already: this thread has just created the interpreter.
        attached: bool,
        /// How the thread held the GIL before.
        outer: Suspended,
    },
    /// Not at all; it is in the error log why.
    Refused(Suspended),
}

/// The result of making an interpreter.
pub enum Made {
    /// Its first state is current.
    Entered(ThreadState),
    /// The state from before is current.
    Left(Interpreter),
}

/// Makes an interpreter as CPython does it.
pub fn new_interpreter(_: &mut Gil) -> Option<Made> {
    // SAFETY: the GIL is held.
    unsafe { Python::new_interpreter() }.map(Made::Entered)
}

/// The registry's answer to a request for `name`. A panic in there is a bug of ours; it refuses this one request
/// instead of ending every request of the process. No GIL is held, and none taken, inside.
fn claim(thread: &Thread, name: &[u8]) -> Claim<'static, Interpreter, Callback> {
    if Python::is_finalizing() {
        return Claim::Refused(Refusal::Finalizing);
    }
    let claim = || process::registry().claim(name, process::this_thread());
    // The registry's mutex is not for a signal handler that has interrupted its holder.
    let claim = thread.threads.closed(|| log::caught("the registry of interpreters", claim));
    claim.unwrap_or(Claim::Refused(Refusal::AttemptFailed))
}

/// A directory's name without slashes at its end: up to 3.2, mod_python asks for `/d`, `/d/` and `/d//` by turns, as
/// the URL was written (MODPYTHON-157).
#[inline]
fn directory_name(name: &[u8]) -> &[u8] {
    match name {
        [b'/', rest @ .., b'/'] if settings::of_process().cures("directory-names") => {
            let kept = rest.iter().rposition(|byte| *byte != b'/').map_or(1, |last| last + 2);
            &name[..kept]
        }
        name => name,
    }
}

/// Chooses the interpreter for `name`. Called without the GIL, after
/// [`leave`](crate::python::threads::ThreadStates::leave). If it has to be created, `make` is called with the GIL held
/// and a state of the main interpreter current.
pub fn choose(thread: &Thread, name: &[u8], outer: Suspended, make: impl FnOnce(&mut Gil) -> Option<Made>) -> Choice {
    let name = directory_name(name);
    if !Python::is_finalizing() {
        if let Some(entry) = process::registry().get(name) {
            return select(thread, name, *entry.interpreter(), Some(*entry.callback()), None, outer);
        }
    }
    match claim(thread, name) {
        Claim::Ready(entry) => select(thread, name, *entry.interpreter(), Some(*entry.callback()), None, outer),
        Claim::Finish(attempt, interpreter) => select(thread, name, interpreter, None, Some(attempt), outer),
        Claim::Create(attempt) => create(thread, attempt, outer, make),
        Claim::Refused(refusal) => refuse(name, refusal, outer),
    }
}

/// Chooses this thread's state of an interpreter that exists.
fn select(
    thread: &Thread,
    name: &[u8],
    interpreter: Interpreter,
    callback: Option<Callback>,
    attempt: Option<Attempt>,
    outer: Suspended,
) -> Choice {
    // SAFETY: the registry knows living interpreters only; none is ever destroyed, but by a fork, which it follows.
    let Some(kept) = (unsafe { thread.threads.select(interpreter, HandedOut::new) }) else {
        if let Some(attempt) = attempt {
            process::registry().fail(attempt);
        }
        return refuse(name, Refusal::NoMemory, outer);
    };
    if attempt.is_some() {
        kept.data.attempt.replace(attempt);
    }
    Choice::Chosen { kept, callback, attached: false, outer }
}

/// Creates the interpreter. Its callback is still to be made, by this thread, once it has entered it.
fn create(thread: &Thread, attempt: Attempt, outer: Suspended, make: impl FnOnce(&mut Gil) -> Option<Made>) -> Choice {
    let main = Python::main_interpreter();
    // SAFETY: the main interpreter lives as long as Python.
    let base = unsafe { thread.threads.select(main, HandedOut::new) };
    let Some(base) = base.map(|base| base.state()) else {
        return fail_to_create(attempt, Refusal::NoMemory, outer);
    };
    // SAFETY: this thread's own state, and it does not hold the GIL (`leave`), which it has from then on. No lock is
    // held, and the attempt has no destructor that would have to run.
    let made = unsafe {
        Python::attach(base);
        with_gil(make)
    };
    let Some(made) = made else {
        // SAFETY: after a failure the state from before is current again.
        unsafe { Python::detach() };
        return fail_to_create(attempt, Refusal::NotCreated, outer);
    };
    let interpreter = match made {
        // SAFETY: the state is new and current.
        Made::Entered(state) => unsafe { Python::interpreter_of(state) },
        Made::Left(interpreter) => interpreter,
    };
    process::registry().made(&attempt, interpreter);
    count(&STATS.interpreters);
    match made {
        Made::Entered(state) => {
            let kept = thread.threads.adopt(interpreter, state, HandedOut::new(interpreter));
            kept.data.attempt.replace(Some(attempt));
            Choice::Chosen { kept, callback: None, attached: true, outer }
        }
        Made::Left(interpreter) => {
            // SAFETY: the GIL is held with `base`.
            unsafe { Python::detach() };
            let name = Box::<[u8]>::from(attempt.name());
            select(thread, &name, interpreter, None, Some(attempt), outer)
        }
    }
}

fn fail_to_create(attempt: Attempt, refusal: Refusal, outer: Suspended) -> Choice {
    let name = Box::<[u8]>::from(attempt.name());
    count(&STATS.failures);
    process::registry().fail(attempt);
    refuse(&name, refusal, outer)
}

fn refuse(name: &[u8], refusal: Refusal, outer: Suspended) -> Choice {
    static LINES: log::Limited = log::Limited::new();
    count(&STATS.refusals);
    // A request that waited for a failing attempt is silent: that attempt has its line (R4).
    if let Some(message) = refusal.message() {
        LINES.line(name, message, &format!("no interpreter '{}': {refusal}", name.escape_ascii()));
    }
    Choice::Refused(outer)
}

/// Enters a chosen state: from here on the GIL is held and the request runs.
pub fn enter(thread: &Thread, kept: Rc<OwnState<HandedOut>>, attached: bool, outer: Suspended) {
    if attached {
        thread.threads.enter_attached(kept, outer);
    } else {
        // SAFETY: the GIL was given up, or not held, when the acquisition began (`ThreadStates::leave`).
        unsafe { thread.threads.enter(kept, outer) };
    }
    // SAFETY: the GIL is held.
    unsafe { with_gil(|gil| interpreterdata::free_orphans(gil)) };
}

/// Enters the state that has been chosen for this thread.
pub fn enter_chosen(thread: &Thread) {
    if let Progress::Chosen { kept, attached, outer } = thread.take_progress() {
        enter(thread, kept, attached, outer);
    }
}

/// The whole acquisition, for generations whose `get_interpreter` is ours: afterwards the GIL is held with this
/// thread's state of the interpreter. `None` after a refusal or a failure; then all is as it was before.
///
/// `make` is called as [`choose`] says. `callback` is called with the GIL held in the interpreter; if it returns none,
/// it has printed its error.
pub fn acquire(
    thread: &Thread,
    name: &[u8],
    make: impl FnOnce(&mut Gil) -> Option<Made>,
    callback: impl FnOnce(&mut Gil) -> Option<Owned>,
) -> Option<(Rc<OwnState<HandedOut>>, Callback)> {
    let outer = match thread.threads.leave() {
        // Silently: the interrupted code may hold a lock that a line in the log needs.
        Suspended::Interrupted => return None,
        outer => outer,
    };
    match choose(thread, name, outer, make) {
        Choice::Refused(outer) => {
            thread.threads.reenter(outer);
            None
        }
        Choice::Chosen { kept, callback: Some(callback), attached, outer } => {
            enter(thread, Rc::clone(&kept), attached, outer);
            Some((kept, callback))
        }
        Choice::Chosen { kept, callback: None, attached, outer } => {
            enter(thread, Rc::clone(&kept), attached, outer);
            let make_and_publish = |gil: &mut Gil| {
                import_module::offer(gil);
                let callback = callback(gil)?;
                publish(thread, gil, callback)
            };
            // SAFETY: the GIL is held with this acquisition's state.
            unsafe {
                let published = with_gil(make_and_publish);
                if published.is_none() {
                    release(thread);
                }
                published.map(|callback| (kept, callback))
            }
        }
    }
}

/// A relinked module has imported mod_python.apache: activates the shim in it, if this thread is making the
/// interpreter. Before `init`, so that nobody ever dispatches to the stock import_module. No exception is set before.
pub fn activate_shim(thread: &Thread, gil: &Gil, apache: Object<'_>) {
    let Some(kept) = thread.threads.innermost() else { return };
    if kept.data.attempt.borrow().is_none() {
        return;
    }
    if let Err(reason) = import_module::activate(gil, apache) {
        log::line(Message::ShimFailed, &reason);
    }
}

/// The callback is made: publishes the interpreter with it, for the life of the process. `None` if this thread is not
/// making the interpreter. First mends the importer that the callback may have brought, so that nobody ever dispatches
/// to it unguarded.
pub fn publish(thread: &Thread, gil: &Gil, callback: Owned) -> Option<Callback> {
    let kept = thread.threads.innermost()?;
    if kept.data.attempt.borrow().is_none() {
        return None;
    }
    import_module::guard_importer(gil);
    let attempt = kept.data.attempt.take()?;
    let callback = Callback::new(callback.into_ptr())?;
    process::registry().publish(attempt, kept.interpreter(), callback);
    count(&STATS.callbacks);
    Some(callback)
}

/// Ends the innermost acquisition, if it runs on that state; whether it did.
///
/// # Safety
///
/// The GIL is held with that state.
pub unsafe fn release_innermost(thread: &Thread, state: ThreadState) -> bool {
    let is_innermost = thread.threads.runs_on(state);
    if is_innermost {
        thread.released.set(state.as_ptr());
        // SAFETY: the caller's promise.
        unsafe { release(thread) };
    }
    is_innermost
}

/// Ends the innermost acquisition. One that was to make the callback, and did not, has failed (R4).
///
/// # Safety
///
/// The GIL is held with that acquisition's state.
unsafe fn release(thread: &Thread) {
    static LINES: log::Limited = log::Limited::new();
    // SAFETY: the caller's promise.
    let kept = unsafe { thread.threads.release() };
    if let Some(attempt) = kept.and_then(|kept| kept.data.attempt.take()) {
        let name = Box::<[u8]>::from(attempt.name());
        let text = format!(
            "interpreter '{}': attempt {} failed, because mod_python.apache could not be started in it (its error \
             is in this log); the interpreter is kept, and the next request tries again",
            name.escape_ascii(),
            attempt.number()
        );
        process::registry().fail(attempt);
        count(&STATS.failures);
        LINES.line(&name, Message::AttemptFailed, &text);
    }
}
