//! importlib's own lock of a module, for Python 3: taken, and given back whatever comes.
//!
//! It is written in Python, so that an exception that is thrown at this thread can come out of its middle.

use super::errors::Pending;
use super::object::Owned;
use super::state::State;
use super::steps;
use crate::python::ffi;
use std::ptr::{null, null_mut};

/// The step `'importing', get_lock, name, function`: `function(from_outside)` under importlib's own lock of the module
/// of that name, which `get_lock` gives, so that a plain import of it waits for our load, and ours for its. False means
/// that this thread is inside already, with a plain import of the module; or that importlib has seen a deadlock coming,
/// which is to say that the owner of the lock waits for this thread. It then goes on without the lock, as an import
/// does.
///
/// # Safety
/// The GIL is held; the arguments live through the call.
#[inline(never)]
pub(super) unsafe fn import_under_lock(
    state: &State,
    get_lock: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
    function: *mut ffi::PyObject,
) -> Option<Owned> {
    // SAFETY: as the caller promises.
    unsafe {
        let inside = global_lock(c"release_lock");
        if inside {
            global_lock(c"acquire_lock");
        }
        let answer = under_lock(state, get_lock, name, function);
        // importlib takes its global lock for a moment when it makes a module's lock and when one goes. An exception
        // can come meanwhile; in the second place, a weak reference's callback, nobody ever sees it. Kept, the lock
        // would stop every import of all other threads for good.
        if !inside {
            let error = Pending::take();
            while global_lock(c"release_lock") {}
            error.restore();
        }
        answer
    }
}

/// What `importing` does between its two looks at importlib's global lock.
///
/// # Safety
/// The GIL is held; the arguments live through the call.
unsafe fn under_lock(
    state: &State,
    get_lock: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
    function: *mut ffi::PyObject,
) -> Option<Owned> {
    // SAFETY: as the caller promises.
    unsafe {
        let end = null_mut::<ffi::PyObject>();
        let lock = ModuleLock(Owned::from_new(ffi::PyObject_CallFunctionObjArgs(get_lock, name, end))?);
        let before = lock.held()?;
        let taken = lock.call(c"acquire");
        let deadlock = !taken && ModuleLock::foresees_a_deadlock();
        if deadlock {
            ffi::PyErr_Clear();
        }
        let answer = if taken || deadlock {
            let from_outside = Owned::from_new(ffi::PyBool_FromLong((before == 0 && !deadlock).into()));
            from_outside.and_then(|from_outside| {
                let answer = ffi::PyObject_CallFunctionObjArgs(function, from_outside.as_ptr(), end);
                steps::finish(state, Owned::from_new(answer))
            })
        } else {
            None
        };
        lock.give_back(before, answer)
    }
}

/// Calls a function of the module `_imp`, which is written in C. Whether it went well; an exception is cleared: to
/// release what this thread does not hold is an error.
///
/// # Safety
/// The GIL is held and no exception is pending.
unsafe fn global_lock(function: &std::ffi::CStr) -> bool {
    // SAFETY: the module is there as long as its interpreter.
    unsafe {
        let module = ffi::PyDict_GetItemString(ffi::PyImport_GetModuleDict(), c"_imp".as_ptr());
        let called =
            !module.is_null() && Owned::from_new(ffi::PyObject_CallMethod(module, function.as_ptr(), null())).is_some();
        ffi::PyErr_Clear();
        called
    }
}

/// importlib's lock for a module.
struct ModuleLock(Owned);

impl ModuleLock {
    /// Calls a method without arguments. An exception is set if it fails.
    ///
    /// # Safety
    /// The GIL is held.
    unsafe fn call(&self, method: &std::ffi::CStr) -> bool {
        // SAFETY: a live object.
        unsafe {
            let done = Owned::from_new(ffi::PyObject_CallMethod(self.0.as_ptr(), method.as_ptr(), null())).is_some();
            #[cfg(not(Py_3_10))]
            if !done && !Self::foresees_a_deadlock() {
                self.free_its_own_lock();
            }
            done
        }
    }

    /// Frees the lock that the methods of importlib's lock hold for a few bytecodes, if the exception that is pending
    /// has left it held. Up to 3.9 one can come between the body of a `with` and its end (cpython issue 29988). Nothing
    /// says who holds it: another thread that does is out of it long before the time given here.
    ///
    /// # Safety
    /// The GIL is held and an exception is pending.
    #[cfg(not(Py_3_10))]
    unsafe fn free_its_own_lock(&self) {
        // SAFETY: live objects; the formats say what follows them.
        unsafe {
            let mut error = Pending::take();
            let Some(inner) = Owned::from_new(ffi::PyObject_GetAttrString(self.0.as_ptr(), c"lock".as_ptr())) else {
                return error.restore();
            };
            // Exceptions can come here too: the last of them is handed on.
            for _ in 0..100 {
                let (wait, seconds) = (std::ffi::c_int::from(true), std::ffi::c_double::from(1));
                let format = c"id".as_ptr();
                if Owned::from_new(ffi::PyObject_CallMethod(inner.as_ptr(), c"acquire".as_ptr(), format, wait, seconds))
                    .is_some()
                {
                    break;
                }
                error = Pending::take();
            }
            // It is ours now, or was before.
            Owned::from_new(ffi::PyObject_CallMethod(inner.as_ptr(), c"release".as_ptr(), null()));
            ffi::PyErr_Clear();
            error.restore();
        }
    }

    /// How often this thread holds the lock.
    ///
    /// # Safety
    /// The GIL is held.
    unsafe fn held(&self) -> Option<usize> {
        // SAFETY: attributes of a plain object: to read them runs no bytecode.
        unsafe {
            let attribute =
                |name: &std::ffi::CStr| Owned::from_new(ffi::PyObject_GetAttrString(self.0.as_ptr(), name.as_ptr()));
            let owner = attribute(c"owner")?;
            if owner.as_ptr() == ffi::Py_None()
                || ffi::PyLong_AsUnsignedLongLong(owner.as_ptr()) != ffi::PyThread_get_thread_ident() as u64
            {
                return Some(0);
            }
            let count = attribute(c"count")?;
            // A number up to 3.11, a list of as many items since.
            Some(match ffi::PyList_Check(count.as_ptr()) {
                0 => ffi::PyLong_AsSize_t(count.as_ptr()),
                _ => ffi::PyList_Size(count.as_ptr()).unsigned_abs(),
            })
        }
    }

    /// Whether the pending exception is importlib's _DeadlockError.
    ///
    /// # Safety
    /// The GIL is held and an exception is pending.
    unsafe fn foresees_a_deadlock() -> bool {
        // SAFETY: borrowed from the thread; every exception is of a class, whose name lives as long.
        unsafe {
            let kind = ffi::PyErr_Occurred().cast::<ffi::PyTypeObject>();
            std::ffi::CStr::from_ptr((*kind).tp_name).to_bytes().ends_with(b"_DeadlockError")
        }
    }

    /// Releases the lock until this thread holds it as often as before. `answer` is handed on, unless an exception has
    /// come instead.
    ///
    /// # Safety
    /// The GIL is held; an exception is pending if there is no answer.
    unsafe fn give_back(&self, before: usize, mut answer: Option<Owned>) -> Option<Owned> {
        // SAFETY: as the caller promises; each call gets live objects.
        unsafe {
            let mut error = Pending::take();
            // A watchdog throws one exception, or a few; one that throws a hundred at one lock is not to be helped.
            for _ in 0..100 {
                if self.held().is_none_or(|now| now <= before) {
                    break;
                }
                if !self.call(c"release") {
                    answer = None;
                    error = Pending::take();
                }
            }
            if error.value().is_some() {
                error.restore();
            }
            answer
        }
    }
}
