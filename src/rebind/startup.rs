//! Recognises a relinked module by the calls it makes at start: which table holds the interpreters, and whether it
//! starts as its generation does. Only then is the path taken over ([`is_active`]); a module that behaves otherwise is
//! left alone.

use crate::{
    embedding::process::{self, MAIN_INTERPRETER},
    python::{Cpython, Python},
    server::{log, messages::Message, settings},
};
use std::{
    ffi::c_void,
    ptr,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering},
};

/// The generation that the module is of, by its minor version.
static GENERATION: AtomicU8 = AtomicU8::new(0);
const NAMES: [&str; 4] = ["3.1", "3.2", "3.3", "3.5"];

static ACTIVE: AtomicBool = AtomicBool::new(false);
static INTERPRETERS: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// Whether the path is taken over; until then every call passes through.
#[inline]
pub fn is_active() -> bool {
    // Relaxed: it changes before the child has a second thread.
    ACTIVE.load(Ordering::Relaxed)
}

/// Whether `table` is the one of the interpreters: a hash in 3.5, a dict before.
#[inline]
pub fn is_interpreters(table: *mut c_void) -> bool {
    INTERPRETERS.load(Ordering::Relaxed) == table
}

/// The first call of python_init has been made, by a module of this generation: forget what an earlier load of the
/// module taught us.
pub fn begin(generation: &str) {
    let number = NAMES.iter().position(|name| *name == generation).unwrap_or_default();
    GENERATION.store(u8::try_from(number).unwrap_or_default(), Ordering::Relaxed);
    ACTIVE.store(false, Ordering::Relaxed);
    INTERPRETERS.store(ptr::null_mut(), Ordering::Relaxed);
}

/// The generation of the module.
pub fn generation() -> &'static str {
    NAMES[usize::from(GENERATION.load(Ordering::Relaxed))]
}

/// python_init has made its table.
pub fn interpreters_are(table: *mut c_void) {
    INTERPRETERS.store(table, Ordering::Relaxed);
}

/// The child's start has shown the sequence: from now on the path is ours.
pub fn activate() {
    process::registry().adopt(MAIN_INTERPRETER, Python::main_interpreter());
    ACTIVE.store(true, Ordering::Relaxed);
}

/// Says once a process that an interpreter is being acquired although the start was not the one we know.
pub fn warn_not_recognised() {
    static WARNED: AtomicBool = AtomicBool::new(false);
    let generation = generation();
    if !settings::of_process().off && !WARNED.swap(true, Ordering::Relaxed) {
        log::line(
            Message::NotRecognised,
            &format!(
                "this mod_python does not start as generation {generation} does, so its calls pass through and its \
                 races remain; please report its version, and put the stock module back (modpython-relink --restore) \
                 meanwhile"
            ),
        );
    }
}
