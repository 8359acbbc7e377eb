//! The first request of a handler's module may run alone (I16): others that ask for the module wait until the thread
//! that has loaded it has ended its request.
//!
//! Applications set themselves up in their first request. Under stock mod_python no second thread was there: each had
//! an interpreter of its own. The end of the request is seen by an object in the dict of its thread state, which goes
//! when the state is cleared.

use super::caller::Where;
use super::hit;
use super::locks::{self, TABLE};
use super::module;
use super::object::{Owned, exactly, file_name, none};
use super::state::State;
use crate::pathlock::{Begin, Key, ThreadId};
use crate::python::ffi;
use std::ffi::{CStr, c_void};
use std::ptr::null_mut;

/// A request that runs alone: the lock that stands for it, and its thread.
struct Alone {
    key: Key,
    thread: ThreadId,
}

/// The lock that stands for the first request of a file's module. No file has a name with a NUL in it.
fn key(state: &State, file: &CStr) -> Key {
    Key::new(state.interpreter, &[b"first request\0", file.to_bytes()].concat())
}

/// `run_alone(file)`: this thread has loaded the file (bytes), and others that ask for it wait for the end of its
/// request.
///
/// # Safety
/// Called by CPython, as METH_O.
pub(super) unsafe extern "C" fn run_alone(core: *mut ffi::PyObject, file: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL; the dict of a current thread state is alive.
    unsafe {
        let (Some(state), Some(file)) = (module::of(core), file_name(file)) else { return null_mut() };
        let (key, thread, dict) = (key(state, &file), locks::me(), ffi::PyThreadState_GetDict());
        if dict.is_null() {
            return none();
        }
        match TABLE.try_begin(&key, thread) {
            Begin::Acquired(1) => {}
            Begin::Acquired(_) => {
                // It has loaded the file twice in this request.
                locks::end(&key);
                return none();
            }
            Begin::MustWait(_) | Begin::Cycle(_) => return none(),
        }
        let name = super::text::file(&[b"modpython_core first request of ", file.to_bytes()].concat());
        let alone = Box::into_raw(Box::new(Alone { key, thread }));
        let Some(object) = object_with_end(alone) else {
            end(&Box::from_raw(alone));
            return null_mut();
        };
        let Some(name) = name else { return null_mut() };
        if ffi::PyDict_SetItem(dict, name.as_ptr(), object.as_ptr()) < 0 {
            return null_mut();
        }
        if let Some(entry) = state.modules.borrow().of(&file) {
            entry.run_alone_by(thread);
        }
        none()
    }
}

fn end(alone: &Alone) {
    // After a fork the lock may have gone with its thread.
    drop(TABLE.end(&alone.key, alone.thread));
}

/// An object whose end is that of the request.
///
/// # Safety
/// The GIL is held, and `alone` comes from a Box; the object owns it.
#[cfg(feature = "python3")]
unsafe fn object_with_end(alone: *mut Alone) -> Option<Owned> {
    unsafe extern "C" fn gone(capsule: *mut ffi::PyObject) {
        // SAFETY: CPython calls it once, for a capsule that holds what `object_with_end` has put there.
        unsafe {
            let alone = ffi::PyCapsule_GetPointer(capsule, std::ptr::null());
            if !alone.is_null() {
                end(&Box::from_raw(alone.cast::<Alone>()));
            }
        }
    }
    // SAFETY: as the caller promises.
    unsafe { Owned::from_new(ffi::PyCapsule_New(alone.cast::<c_void>(), std::ptr::null(), Some(gone))) }
}

/// # Safety
/// As above.
#[cfg(not(feature = "python3"))]
unsafe fn object_with_end(alone: *mut Alone) -> Option<Owned> {
    unsafe extern "C" fn gone(alone: *mut c_void) {
        // SAFETY: CPython calls it once, with what `object_with_end` has given it.
        let alone = unsafe { Box::from_raw(alone.cast::<Alone>()) };
        end(&alone);
    }
    // SAFETY: as the caller promises.
    unsafe { Owned::from_new(ffi::PyCObject_FromVoidPtr(alone.cast::<c_void>(), Some(gone))) }
}

/// `await_first(kind, where, name, seconds)`: waits, without the GIL and for at most so many seconds, for the end of
/// the first request of the module that the name, asked for there, has given. Whoever has waited once, or would wait
/// for ever, ends the wait for all.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn await_first(
    core: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some([kind, place, name, seconds])) = (module::of(core), exactly("await_first", args, nargs))
        else {
            return null_mut();
        };
        let (Some(from), seconds) = (Where::of(ffi::PyLong_AsLongLong(kind), place), ffi::PyLong_AsLongLong(seconds))
        else {
            return null_mut();
        };
        let file = {
            let table = state.modules.borrow();
            let entry = hit::entry_for(state, &from, name).and_then(|id| table.get(id));
            entry.filter(|entry| entry.is_for_another(locks::me())).map(|entry| entry.file().to_owned())
        };
        let Some(file) = file else { return none() };
        if !locks::wait_for_end(state, &key(state, &file), seconds) {
            return null_mut();
        }
        if let Some(entry) = state.modules.borrow().of(&file) {
            entry.run_alone_by(0);
        }
        none()
    }
}
