//! importlib's own lock of a module, for Python 3: taken, and given back whatever comes.
//!
//! It is written in Python, so that an exception that is thrown at this thread can come out of its middle.

use super::state::State;
use super::{locks, steps};
use crate::python::errors::Pending;
#[cfg(not(Py_3_10))]
use crate::python::ffi;
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned};
use crate::python::values::{as_number, as_unsigned, boolean};
use crate::python::{calls, dict, exceptions, sequence};
use std::ffi::CStr;

/// The step `'importing', get_lock, name, function`: `function(from_outside)` under importlib's own lock of the module
/// of that name, which `get_lock` gives, so that a plain import of it waits for our load, and ours for its. False means
/// that this thread is inside already, with a plain import of the module; or that importlib has seen a deadlock coming,
/// which is to say that the owner of the lock waits for this thread. It then goes on without the lock, as an import
/// does.
#[inline(never)]
pub(super) fn import_under_lock(
    gil: &mut Gil,
    state: &State,
    get_lock: Object<'_>,
    name: Object<'_>,
    function: Object<'_>,
) -> Option<Owned> {
    let inside = global_lock(gil, c"release_lock");
    if inside {
        global_lock(gil, c"acquire_lock");
    }
    let answer = under_lock(gil, state, get_lock, name, function);
    // importlib takes its global lock for a moment when it makes a module's lock and when one goes. An exception can
    // come meanwhile; in the second place, a weak reference's callback, nobody ever sees it. Kept, the lock would stop
    // every import of all other threads for good.
    if !inside {
        let error = Pending::take(gil);
        while global_lock(gil, c"release_lock") {}
        error.restore(gil);
    }
    answer
}

/// The part of `importing` between its two looks at importlib's global lock.
fn under_lock(
    gil: &mut Gil,
    state: &State,
    get_lock: Object<'_>,
    name: Object<'_>,
    function: Object<'_>,
) -> Option<Owned> {
    let lock = ModuleLock(calls::call(gil, get_lock, [name])?);
    let before = lock.held(gil)?;
    let taken = lock.call(gil, c"acquire");
    let deadlock = !taken && ModuleLock::foresees_a_deadlock(gil);
    if deadlock {
        exceptions::clear(gil);
    }
    let answer = if taken || deadlock {
        boolean(gil, before == 0 && !deadlock).and_then(|from_outside| {
            let answer = calls::call(gil, function, [from_outside.object()]);
            steps::finish(gil, state, answer)
        })
    } else {
        None
    };
    lock.give_back(gil, before, answer)
}

/// Calls a function of the module `_imp`, which is written in C. Whether it went well; an exception is cleared: to
/// release what this thread does not hold is an error. No exception is pending before.
fn global_lock(gil: &Gil, function: &CStr) -> bool {
    let module = dict::get_named(gil, dict::modules(gil), c"_imp");
    let called = module.is_some_and(|module| calls::call_method_named(gil, &module, function, []).is_some());
    exceptions::clear(gil);
    called
}

/// importlib's lock for a module.
struct ModuleLock(Owned);

impl ModuleLock {
    /// Calls a method without arguments. An exception is set if it fails.
    fn call(&self, gil: &Gil, method: &CStr) -> bool {
        let done = calls::call_method_named(gil, &self.0, method, []).is_some();
        #[cfg(not(Py_3_10))]
        if !done && !Self::foresees_a_deadlock(gil) {
            self.free_its_own_lock(gil);
        }
        done
    }

    /// Frees the lock that the methods of importlib's lock hold for a few bytecodes, if the exception that is pending
    /// has left it held. Up to 3.9 one can come between the body of a `with` and its end (cpython issue 29988). Nothing
    /// says who holds it: another thread that does is out of it long before the time given here.
    #[cfg(not(Py_3_10))]
    fn free_its_own_lock(&self, gil: &Gil) {
        let mut error = Pending::take(gil);
        let Some(inner) = calls::attribute_named(gil, &self.0, c"lock") else {
            return error.restore(gil);
        };
        // Exceptions can come here too: the last of them is handed on.
        for _ in 0..100 {
            let (wait, seconds) = (std::ffi::c_int::from(true), std::ffi::c_double::from(1));
            let (name, format) = (c"acquire".as_ptr(), c"id".as_ptr());
            // SAFETY: a live object; the format says what follows it. A new reference or NULL.
            let acquired =
                unsafe { Owned::from_new(gil, ffi::PyObject_CallMethod(inner.as_ptr(), name, format, wait, seconds)) };
            if acquired.is_some() {
                break;
            }
            error = Pending::take(gil);
        }
        // It is ours now, or was before.
        calls::call_method_named(gil, &inner, c"release", []);
        exceptions::clear(gil);
        error.restore(gil);
    }

    /// How often this thread holds the lock.
    fn held(&self, gil: &Gil) -> Option<usize> {
        // Attributes of a plain object: to read them runs no bytecode.
        let owner = calls::attribute_named(gil, &self.0, c"owner")?;
        if owner.is_none() || as_unsigned(gil, &owner) != locks::me() {
            return Some(0);
        }
        let count = calls::attribute_named(gil, &self.0, c"count")?;
        // A number up to 3.11, a list of as many items since.
        Some(if sequence::is_list(&count) {
            sequence::list_size(gil, &count).unsigned_abs()
        } else {
            as_number(gil, &count)
        })
    }

    /// Whether the pending exception is importlib's _DeadlockError.
    fn foresees_a_deadlock(gil: &Gil) -> bool {
        exceptions::name_of_pending(gil).is_some_and(|name| name.ends_with("_DeadlockError"))
    }

    /// Releases the lock until this thread holds it as often as before. `answer` is handed on, unless an exception has
    /// come instead.
    fn give_back(&self, gil: &Gil, before: usize, mut answer: Option<Owned>) -> Option<Owned> {
        let mut error = Pending::take(gil);
        // A watchdog throws one exception, or a few; one that throws a hundred at one lock is not to be helped.
        for _ in 0..100 {
            if self.held(gil).is_none_or(|now| now <= before) {
                break;
            }
            if !self.call(gil, c"release") {
                answer = None;
                error = Pending::take(gil);
            }
        }
        if error.value().is_some() {
            error.restore(gil);
        }
        answer
    }
}
