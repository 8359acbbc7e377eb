//! The decisions of an acquisition and of a release: what the registry says, put into the module's terms.

use super::{
    super::log,
    data::Block,
    thread::{Step, Thread},
};
use crate::{
    error::Refusal,
    extension, process,
    python::{Callback, Cpython, Cpython3 as Python, Interpreter, threads::Outer},
    registry::{Attempt, Claim},
    stats::{STATS, count},
};
use std::{
    ffi::c_void,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
};

/// What the registry says to a request for `name`. A panic in there is a bug of ours; it refuses this one request
/// instead of ending every request of the process. No GIL is held, and none taken, inside.
fn claim(name: &[u8]) -> Claim<'static, Interpreter, Callback> {
    if Python::is_finalizing() {
        return Claim::Refused(Refusal::Finalizing);
    }
    let claim = AssertUnwindSafe(|| process::registry().claim(name, process::this_thread()));
    catch_unwind(claim).unwrap_or(Claim::Refused(Refusal::AttemptFailed))
}

/// `interpreterdata *` for `name`, or NULL; called without the GIL, after `Step::Asked(outer)`.
pub fn choose(thread: &Thread, name: &[u8], outer: Outer) -> *mut c_void {
    match claim(name) {
        Claim::Ready(entry) => select(thread, name, *entry.interpreter(), Some(*entry.callback()), None, outer),
        Claim::Finish(attempt, interpreter) => select(thread, name, interpreter, None, Some(attempt), outer),
        Claim::Create(attempt) => create(thread, attempt, outer),
        Claim::Refused(refusal) => refuse(thread, name, refusal, outer),
    }
}

/// Chooses this thread's state of an interpreter that exists.
fn select(
    thread: &Thread,
    name: &[u8],
    interpreter: Interpreter,
    callback: Option<Callback>,
    attempt: Option<Attempt>,
    outer: Outer,
) -> *mut c_void {
    // SAFETY: the registry knows living interpreters only; none is ever destroyed, but by a fork, which it follows.
    let Some(kept) = (unsafe { thread.threads.select(interpreter, Block::new) }) else {
        if let Some(attempt) = attempt {
            process::registry().fail(attempt);
        }
        return refuse(thread, name, Refusal::NoMemory, outer);
    };
    kept.data.attempt.replace(attempt);
    let data = kept.data.hand_out(callback.map_or(ptr::null_mut(), Callback::as_ptr));
    thread.reach(Step::Chosen { kept, attached: false, outer });
    data
}

/// Creates the interpreter, and leaves the GIL held with its first state. The module makes the callback.
fn create(thread: &Thread, attempt: Attempt, outer: Outer) -> *mut c_void {
    let main = Python::main_interpreter();
    // SAFETY: the main interpreter lives as long as Python.
    let base = unsafe { thread.threads.select(main, Block::new) };
    let Some(base) = base.and_then(|base| base.state()) else {
        return fail_to_create(thread, attempt, Refusal::NoMemory, outer);
    };
    // SAFETY: this thread's own state, and `Step::Asked` means that it does not hold the GIL. No lock is held, and the
    // attempt has no destructor that would have to run.
    unsafe { Python::attach(base) };
    // SAFETY: the GIL is held.
    let Some(state) = (unsafe { Python::new_interpreter() }) else {
        // SAFETY: after a failure the state from before is current again.
        unsafe { Python::detach() };
        return fail_to_create(thread, attempt, Refusal::NotCreated, outer);
    };
    // SAFETY: the state is new and current.
    let interpreter = unsafe { Python::interpreter_of(state) };
    process::registry().made(&attempt, interpreter);
    count(&STATS.interpreters);
    let kept = thread.threads.adopt(interpreter, state, Block::new(interpreter));
    kept.data.attempt.replace(Some(attempt));
    let data = kept.data.hand_out(ptr::null_mut());
    thread.reach(Step::Chosen { kept, attached: true, outer });
    data
}

fn fail_to_create(thread: &Thread, attempt: Attempt, refusal: Refusal, outer: Outer) -> *mut c_void {
    let name = Box::from(attempt.name());
    count(&STATS.failures);
    process::registry().fail(attempt);
    refuse(thread, &name, refusal, outer)
}

/// No interpreter: the module goes on to Py_NewInterpreter, which answers NULL.
fn refuse(thread: &Thread, name: &[u8], refusal: Refusal, outer: Outer) -> *mut c_void {
    static LINES: log::Limited = log::Limited::new();
    count(&STATS.refusals);
    // Who waited for a failing attempt is silent: that attempt has its line (R4).
    if refusal != Refusal::AttemptFailed {
        LINES.line(log::ERROR, &format!("no interpreter '{}': {refusal}", name.escape_ascii()));
    }
    thread.reach(Step::Refused(outer));
    ptr::null_mut()
}

/// Enters the chosen state: from here on the GIL is held and the request runs.
pub fn enter(thread: &Thread) {
    if let Step::Chosen { kept, attached, outer } = thread.take_step() {
        if attached {
            thread.threads.enter_attached(kept, outer);
        } else {
            // SAFETY: the GIL was given up, or not held, when the acquisition began (`Threads::leave`).
            unsafe { thread.threads.enter(kept, outer) };
        }
    }
}

/// mod_python.apache has been imported: puts the shim in place, if this thread is making the interpreter. Before `init`,
/// so that nobody ever dispatches to the stock import_module.
///
/// # Safety
///
/// The GIL is held, `apache` is that module, and no exception is set.
pub unsafe fn install_shim(thread: &Thread, apache: *mut pyo3_ffi::PyObject) {
    let Some(kept) = thread.threads.innermost() else { return };
    if kept.data.attempt.borrow().is_none() {
        return;
    }
    // SAFETY: the caller's promise.
    if let Err(reason) = unsafe { extension::install(apache) } {
        log::line(log::ERROR, &reason);
    }
}

/// `init` of mod_python.apache has returned this callback: publishes the interpreter, if this thread is making it.
///
/// # Safety
///
/// The GIL is held, and `callback` is an object.
pub unsafe fn publish(thread: &Thread, callback: *mut pyo3_ffi::PyObject) {
    let Some(kept) = thread.threads.innermost() else { return };
    let Some(attempt) = kept.data.attempt.take() else { return };
    let Some(handle) = Callback::new(callback) else { return };
    // The module keeps the reference it was given, in a structure of this thread; this one is everybody else's.
    // SAFETY: an object, with the GIL held, says the caller.
    unsafe { pyo3_ffi::Py_INCREF(callback) };
    process::registry().publish(attempt, kept.interpreter(), handle);
    count(&STATS.callbacks);
}

/// Ends the innermost acquisition. One that was to make the callback, and did not, has failed (R4).
///
/// # Safety
///
/// The GIL is held with that acquisition's state.
pub unsafe fn release(thread: &Thread) {
    static LINES: log::Limited = log::Limited::new();
    // SAFETY: the caller's promise.
    let kept = unsafe { thread.threads.release() };
    if let Some(attempt) = kept.and_then(|kept| kept.data.attempt.take()) {
        let name = attempt.name().escape_ascii();
        let text = format!(
            "interpreter '{name}': attempt {} failed, because mod_python.apache could not be started in it (its error \
             is in this log); the interpreter is kept, and the next request tries again",
            attempt.number()
        );
        process::registry().fail(attempt);
        count(&STATS.failures);
        LINES.line(log::ERROR, &text);
    }
}
