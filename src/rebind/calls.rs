//! Calls that modules of several generations make alike.

use super::startup;
#[cfg(not(feature = "python3"))]
use crate::{embedding::thread::Start, server::settings};
use crate::{
    embedding::{
        acquire::{self, Choice},
        interpreterdata::HandedOut,
        thread::{Progress, Thread, with_current_thread},
        unlocked,
    },
    python::{Callback, ThreadState, ffi, gil::with_gil, object::Object, threads::Suspended},
};
use std::{
    ffi::{CStr, c_char, c_void},
    ptr,
};

/// Gives out a generation's `interpreterdata`, with that callback.
pub type HandOut = fn(&HandedOut, *mut c_void) -> *mut c_void;

/// The look-up of an interpreter in the module's table: the address of the `interpreterdata` for an acquisition that
/// has begun in this thread, or NULL if it is refused. None if no acquisition has begun: the table has to answer.
///
/// # Safety
///
/// `name` is NUL-terminated.
pub unsafe fn look_up(name: *const c_char, hand_out: HandOut) -> Option<*mut c_void> {
    with_current_thread(|thread| {
        if !startup::is_active() {
            startup::warn_not_recognised();
            return None;
        }
        if thread.is_interrupted() {
            return Some(ptr::null_mut());
        }
        match thread.take_progress() {
            Progress::Asked(outer) => {
                // SAFETY: the caller's promise.
                let name = unsafe { CStr::from_ptr(name) };
                Some(choose(thread, name.to_bytes(), outer, hand_out))
            }
            other => {
                thread.reach(other);
                None
            }
        }
    })
    .flatten()
}

/// Called without the GIL, after `Progress::Asked(outer)`.
fn choose(thread: &Thread, name: &[u8], outer: Suspended, hand_out: HandOut) -> *mut c_void {
    match acquire::choose(thread, name, outer, acquire::new_interpreter) {
        Choice::Chosen { kept, callback, attached, outer } => {
            let data = hand_out(&kept.data, callback.map_or(ptr::null_mut(), Callback::as_ptr));
            thread.reach(Progress::Chosen { kept, attached, outer });
            data
        }
        Choice::Refused(outer) => {
            thread.reach(Progress::Refused(outer));
            ptr::null_mut()
        }
    }
}

/// Enters that state, if it is the one that has been chosen for this thread; whether it was.
pub fn enter(state: *mut c_void) -> bool {
    let entered = with_current_thread(|thread| {
        let is_chosen = thread.on_chosen(|kept| Some(kept.state()) == ThreadState::new(state)) == Some(true);
        if is_chosen {
            acquire::enter_chosen(thread);
        }
        is_chosen
    });
    entered == Some(true)
}

/// Whether this thread's innermost acquisition runs on that state.
pub fn is_innermost(state: *mut c_void) -> bool {
    startup::is_active()
        && with_current_thread(|thread| ThreadState::new(state).is_some_and(|state| thread.threads.runs_on(state)))
            == Some(true)
}

/// Releases this thread's innermost acquisition, if it runs on that state; whether it did.
///
/// # Safety
///
/// The GIL is held with that state.
pub unsafe fn release(state: *mut c_void) -> bool {
    startup::is_active()
        && with_current_thread(|thread| {
            // SAFETY: the caller's promise.
            ThreadState::new(state).is_some_and(|state| unsafe { acquire::release_innermost(thread, state) })
        }) == Some(true)
}

/// `PyImport_ImportModule`; the first of mod_python.apache in an interpreter activates the shim.
///
/// # Safety
///
/// As for `PyImport_ImportModule`.
pub unsafe fn import_module(name: *const c_char) -> *mut ffi::PyObject {
    // SAFETY: the caller's promise: a NUL-terminated name, and the GIL is held.
    unsafe {
        let module = ffi::PyImport_ImportModule(name);
        if let (Some(apache), true) = (Object::new(module), CStr::from_ptr(name) == c"mod_python.apache") {
            if startup::is_active() {
                with_current_thread(|thread| with_gil(|gil| acquire::activate_shim(thread, gil, apache)));
            }
        }
        module
    }
}

/// The reference that goes to the module as the result of a method of that name.
///
/// # Safety
///
/// `name` is NUL-terminated, the GIL is held, and `result` is NULL or a reference that is taken over.
pub unsafe fn method_returned(name: *const c_char, result: *mut ffi::PyObject) -> *mut ffi::PyObject {
    if !startup::is_active() {
        return result;
    }
    // SAFETY: the caller's promise.
    unsafe { unlocked::trade(name, result, unlocked::method_returned) }
}

/// Whether a cleanup is python_finalize, which is not to be registered: it runs in the handler of the signal that ends
/// the child, and takes the GIL, which the interrupted thread may hold: the child would hang (MODPYTHON-109).
#[cfg(not(feature = "python3"))]
pub fn is_end_of_python(data: *const c_void) -> bool {
    let is_end = Start::reached() == Start::ChildReady && data.is_null();
    if is_end {
        Start::None.reach();
    }
    is_end && settings::of_process().cures("end")
}
