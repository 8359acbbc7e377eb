//! The start of Python in the server, and of a child.

use super::{
    interpreterdata::HandedOut,
    loaded, parent,
    process::{self, MAIN_INTERPRETER},
};
use crate::{
    python::{Cpython, Python, ThreadState, fork, signals, threads::ThreadStates},
    server::{log, messages::Message, settings},
};

/// The notice at child start for a path that has been taken over.
pub const ACTIVE: (Message, &str) = (Message::Active, "active");

/// The notice if [`Settings::off`](crate::server::settings::Settings::off) is set.
pub const OFF: (Message, &str) =
    (Message::SwitchedOff, "is switched off by MODPYTHON_CORE=off: every call passes through");

/// `Py_Initialize`, and what has to be there before the first child. After a graceful restart the module has been
/// loaded anew while Python went on: the stock module would go on without a thread state, which ends the server. So the
/// state it had given up is taken back, or the one of this thread.
///
/// # Safety
///
/// Called in place of `Py_Initialize`, by the thread that starts the server. The GIL is held afterwards.
pub unsafe fn initialize(given_up: Option<ThreadState>) {
    if Python::is_initialized() {
        // Another module may have initialised Python, and run on with the GIL held.
        // (Not by this thread's record, which would keep a mod_python.so with the library inside from being unloaded.)
        let _not_taken_back = ThreadStates::<Python, HandedOut>::new(process::requests()).leave();
        let state = given_up.or_else(Python::gil_state);
        // SAFETY: without the GIL now; Python runs, so the main interpreter lives, and a state of it is alive.
        unsafe {
            let state = state.or_else(|| Python::new_state(Python::main_interpreter()));
            Python::attach(state.expect("no memory for a thread state while the server starts"));
        }
    } else {
        loaded::python_starts();
        // SAFETY: as the caller called it.
        unsafe { crate::python::ffi::Py_Initialize() };
        signals::stop_ignoring();
    }
    if !settings::of_process().off {
        parent::begins();
    }
    guard_forks();
}

/// Ends Python in the server's parent. Stock's next Py_Initialize would do nothing, and what it does without a thread
/// state end the server (3.5), or leave children that answer nothing (before). False if Python goes on.
pub fn end_python() -> bool {
    if !Python::is_initialized() {
        return true;
    }
    let Some(state) = idle_state() else { return false };
    // SAFETY: the one state that there is, of this thread, which does not hold the GIL.
    unsafe {
        Python::attach(state);
        let of_python = signals::of_python();
        let kept = signals::keep();
        Python::finalize();
        signals::ignore(&of_python);
        kept.put_back();
    }
    true
}

/// Leaves Python in the server's parent as it is, for libpython to be unloaded. False if Python goes on.
pub fn leave_python() -> bool {
    let is_left = !Python::is_initialized() || idle_state().is_some();
    if is_left {
        signals::ignore(&signals::of_python());
    }
    is_left
}

/// This thread's state, if Python has no other, and the GIL is free.
fn idle_state() -> Option<ThreadState> {
    if Python::attached().is_some() {
        return None;
    }
    // The thread that started Python.
    // SAFETY: a state that this living thread has as its own. Only the thread itself makes states in the parent, and
    // where another one has, Python is left alone: its end would wait for that thread.
    Python::gil_state().filter(|state| unsafe { !Python::has_other_states(*state) })
}

fn guard_forks() {
    if let Err(error) = process::guard_forks() {
        fork::log_unguarded(error);
    }
}

/// `PyOS_AfterFork` in a module that holds the GIL then, and may run on no thread state, as generation 3.1 does: Python
/// 2.7 crashes in every child. Afterwards a state of the main interpreter is current.
///
/// # Safety
///
/// Called in place of `PyOS_AfterFork`, in a child that has one thread, which holds the GIL.
pub unsafe fn after_fork() {
    // SAFETY: the GIL is held, in a child of one thread; a state that a living thread has as its own is alive, as is
    // the main interpreter.
    unsafe {
        if Python::attached().is_none() {
            // The thread that forked is the one that started Python, and has a state of the main interpreter.
            let Some(own) = Python::gil_state().or_else(|| Python::new_state(Python::main_interpreter())) else {
                return log::line(
                    Message::ChildWithoutState,
                    "there is no memory for a thread state; this child will not serve Python",
                );
            };
            Python::swap(own);
        }
        Python::after_fork();
    }
}

/// Says at the start of a child what runs, and takes the main interpreter in.
pub fn log_active(generation: &str, (message, state): (Message, &str)) {
    guard_forks();
    parent::child_begins();
    process::registry().adopt(MAIN_INTERPRETER, Python::main_interpreter());
    for (message, complaint) in &settings::of_process().complaints {
        log::line(*message, complaint);
    }
    let version = env!("CARGO_PKG_VERSION");
    let python = env!("MODPYTHON_CORE_PYTHON");
    log::line(message, &format!("version {version} {state}, mod_python generation {generation}, Python {python}"));
}
