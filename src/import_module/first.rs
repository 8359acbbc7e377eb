//! The first request of a handler's module may run alone (I16): others that ask for the module wait until the thread
//! that has loaded it has ended its request.
//!
//! Applications set themselves up in their first request. Under stock mod_python no second thread was there: each had
//! an interpreter of its own. The end of the request is seen by an object in the dict of its thread state, which goes
//! when the state is cleared.

use super::call;
use super::locks::{self, Awaited, TABLE};
use super::origin::Origin;
use super::state::State;
use crate::pathlock::{Begin, Key, ThreadId};
use crate::python::ffi;
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned, none};
use crate::python::values::{as_integer, exactly, file_name, number};
use crate::python::{dict, text};
use crate::server::settings;
use std::ffi::{CStr, c_void};

/// For how many seconds the first request runs alone if the administrator does not say. On for Python 2: its one lock
/// of all imports and the locks of an application that is setting itself up make deadlocks that nobody sees.
const SECONDS: u32 = if cfg!(feature = "python3") { 0 } else { 10 };

/// `seconds_alone()`: for how many seconds the first request of a handler's module runs alone; 0: it does not.
pub(super) fn seconds_alone(gil: &mut Gil, _: &State) -> Option<Owned> {
    number(gil, settings::of_process().seconds_alone.unwrap_or(SECONDS) as usize)
}

/// A request that runs alone: its lock, and its thread.
struct Alone {
    key: Key,
    thread: ThreadId,
}

/// The lock of the first request of a file's module. No file has a name with a NUL in it.
fn key(state: &State, file: &CStr) -> Key {
    Key::new(state.interpreter, &[b"first request\0", file.to_bytes()].concat())
}

/// `run_alone(file)`: this thread has loaded the file (bytes), and others that ask for it wait for the end of its
/// request.
pub(super) fn run_alone(gil: &mut Gil, state: &State, file: Object<'_>) -> Option<Owned> {
    let file = file_name(gil, file)?;
    let (key, thread) = (key(state, &file), locks::me());
    let Some(dict) = dict::of_thread(gil) else { return Some(none(gil)) };
    match TABLE.try_begin(&key, thread) {
        Begin::Acquired(1) => {}
        Begin::Acquired(_) => {
            // It has loaded the file twice in this request.
            locks::end(&key);
            return Some(none(gil));
        }
        Begin::MustWait(_) | Begin::Cycle(_) => return Some(none(gil)),
    }
    let name = text::file(gil, &[b"modpython_core first request of ", file.to_bytes()].concat());
    let object = object_with_end(gil, Box::new(Alone { key, thread }))?;
    if !dict::set(gil, &dict, &name?, &object) {
        return None;
    }
    if let Some(entry) = state.modules.borrow().of(&file) {
        entry.run_alone_by(thread);
    }
    Some(none(gil))
}

fn end(alone: &Alone) {
    // After a fork the lock may have gone with its thread.
    drop(TABLE.end(&alone.key, alone.thread));
}

/// An object whose end is that of the request. None with an exception set on failure, which is the end too.
fn object_with_end(gil: &Gil, alone: Box<Alone>) -> Option<Owned> {
    #[cfg(feature = "python3")]
    unsafe extern "C" fn gone(capsule: *mut ffi::PyObject) {
        // SAFETY: CPython calls it once, for the capsule below, which owns what has been put into it.
        unsafe {
            let alone = ffi::PyCapsule_GetPointer(capsule, std::ptr::null());
            if !alone.is_null() {
                end(&Box::from_raw(alone.cast::<Alone>()));
            }
        }
    }
    #[cfg(not(feature = "python3"))]
    unsafe extern "C" fn gone(alone: *mut c_void) {
        // SAFETY: CPython calls it once, with what the object below has been given.
        let alone = unsafe { Box::from_raw(alone.cast::<Alone>()) };
        end(&alone);
    }
    let alone = Box::into_raw(alone);
    // SAFETY: the object, a new reference, owns what is in the Box; if there is none, it is taken back, once.
    unsafe {
        #[cfg(feature = "python3")]
        let object = ffi::PyCapsule_New(alone.cast::<c_void>(), std::ptr::null(), Some(gone));
        #[cfg(not(feature = "python3"))]
        let object = ffi::PyCObject_FromVoidPtr(alone.cast::<c_void>(), Some(gone));
        if object.is_null() {
            end(&Box::from_raw(alone));
        }
        Owned::from_new(gil, object)
    }
}

/// `await_first(origin, name, seconds)`: waits, without the GIL and for at most so many seconds, for the end of
/// the first request of the module that the name, asked for there, has given. A thread that has waited once, or would
/// wait for ever, ends the wait for all.
pub(super) fn await_first(gil: &mut Gil, state: &State, given: &[Object<'_>]) -> Option<Owned> {
    let [origin, name, seconds] = exactly(gil, "await_first", given)?;
    let (origin, seconds) = (Origin::from_shim(gil, origin)?, as_integer(gil, seconds));
    let file = {
        let table = state.modules.borrow();
        let entry = call::entry_for(gil, state, &origin, name).and_then(|id| table.get(id));
        entry.filter(|entry| entry.is_for_another(locks::me())).map(|entry| entry.file().to_owned())
    };
    let Some(file) = file else { return Some(none(gil)) };
    if locks::await_end(gil, state, &key(state, &file), seconds) == Awaited::Interrupted {
        return None;
    }
    if let Some(entry) = state.modules.borrow().of(&file) {
        entry.run_alone_by(0);
    }
    Some(none(gil))
}
