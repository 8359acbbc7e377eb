//! What the shim's functions have called while they are off the stack themselves.
//!
//! The run of a module's code, and what leads to it, is called by no function of the shim. Those on the way are
//! generators: each yields what is to be called next, gets its result, and is no frame on the stack meanwhile. So an
//! import of a sibling costs no more of Python's limit of frames than any other import, and no frame of ours stands
//! between the importer and what it imports, in a traceback or where `warnings.warn` counts levels.
//!
//! A generator yields another one, or a tuple:
//!
//! | tuple | what is done |
//! |---|---|
//! | `None, x` | nothing; the result is `x`, or what that gives if it is such a generator |
//! | the name of an operation, and arguments | see `operations` |
//! | a function, and arguments | the function of importlib or a loader |
//!
//! The last result is the generator's own. What has failed raises its exception at the yield. One that goes through a
//! generator has the traceback of before: the code in which it arose is on it, and not the way to there.

use super::errors::Pending;
use super::object::{Owned, none, raise};
use super::state::State;
use super::text;
use crate::python::ffi;
use std::ptr::null_mut;

/// What a function of the shim gives in the end, of which `answer` is what it has returned: the same, if it is no
/// generator of the shim.
///
/// # Safety
/// The GIL is held; an exception is set if there is no answer, in both directions.
pub(super) unsafe fn finish(state: &State, answer: Option<Owned>) -> Option<Owned> {
    // SAFETY: as the caller promises.
    unsafe {
        let answer = answer?;
        if is_driven(state, &answer)? { drive(state, answer) } else { Some(answer) }
    }
}

/// Whether it is a generator of the shim's code: a site may have one of its own in `sys.modules`, in a module's place.
///
/// # Safety
/// The GIL is held.
#[inline(never)]
unsafe fn is_driven(state: &State, answer: &Owned) -> Option<bool> {
    let names = &state.names;
    // SAFETY: live objects; these attributes are fields, and to read one runs no Python code.
    unsafe {
        if ffi::Py_TYPE(answer.as_ptr()) != &raw mut ffi::PyGen_Type {
            return Some(false);
        }
        let code = Owned::from_new(ffi::PyObject_GetAttr(answer.as_ptr(), names.gi_code.as_ptr()))?;
        let file = Owned::from_new(ffi::PyObject_GetAttr(code.as_ptr(), names.co_filename.as_ptr()))?;
        Some(text::encoded(file)?.starts_with(b"modpython_core/"))
    }
}

/// It is called once more in each module that a module imports: like what leads from here to there, it is not inlined,
/// so that what is not needed meanwhile is off the thread's own stack.
///
/// # Safety
/// As [`finish`]; the generator is the shim's.
#[inline(never)]
unsafe fn drive(state: &State, generator: Owned) -> Option<Owned> {
    // SAFETY: as the caller promises; every new reference is owned.
    unsafe {
        // Those that wait for another of them are in a list, so that less of the thread's own stack is in use.
        let mut waiting = vec![generator];
        let mut last = Owned::from_new(none());
        while let Some(generator) = waiting.last() {
            let yielded = match &last {
                Some(result) => send(state, generator, result),
                None => throw(state, generator),
            };
            let Some(step) = yielded else {
                if !ffi::PyErr_Occurred().is_null() {
                    last = None;
                } else if last.is_none() {
                    last = Owned::from_new(none());
                }
                waiting.pop();
                continue;
            };
            let given = only_given(&step);
            let is_given = given.is_some();
            let step = given.unwrap_or(step);
            match is_driven(state, &step) {
                Some(true) => {
                    waiting.push(step);
                    last = Owned::from_new(none());
                }
                Some(false) => last = if is_given { Some(step) } else { perform(state, &step) },
                None => last = None,
            }
        }
        last
    }
}

/// The object of a step that calls nothing.
///
/// # Safety
/// The GIL is held.
unsafe fn only_given(step: &Owned) -> Option<Owned> {
    // SAFETY: a live object, whose items live as long.
    unsafe {
        match *items(step) {
            [call, given] if call == ffi::Py_None() => Owned::from_borrowed(given),
            _ => None,
        }
    }
}

/// What the generator yields next. None at its end, or with an exception set.
///
/// # Safety
/// As [`drive`].
#[inline(never)]
unsafe fn send(state: &State, generator: &Owned, result: &Owned) -> Option<Owned> {
    // SAFETY: live objects.
    unsafe {
        let (send, end) = (state.names.send.as_ptr(), null_mut::<ffi::PyObject>());
        let next = ffi::PyObject_CallMethodObjArgs(generator.as_ptr(), send, result.as_ptr(), end);
        let next = Owned::from_new(next);
        if next.is_none() {
            unless_at_its_end(raised());
        }
        next
    }
}

/// What has come out of a generator, taken off the thread.
///
/// # Safety
/// The GIL is held.
unsafe fn raised() -> Pending {
    // SAFETY: as the caller promises.
    let error = unsafe { Pending::take() };
    #[cfg(feature = "python3")]
    // SAFETY: as above.
    let error = unsafe { error.into_raised() };
    error
}

/// Makes what has come out of a generator pending again, if it is not that it has come to its end.
///
/// # Safety
/// The GIL is held.
unsafe fn unless_at_its_end(error: Pending) {
    // SAFETY: live objects.
    unsafe {
        // A StopIteration that code has raised has a traceback.
        if error.traceback().is_some() || !error.is_of(ffi::PyExc_StopIteration) {
            error.restore();
        }
    }
}

/// What the generator yields after the pending exception has been raised in it. None with an exception set: the same,
/// unless the generator has raised another.
///
/// # Safety
/// As [`drive`]; an exception is pending.
#[cold]
#[inline(never)]
unsafe fn throw(state: &State, generator: &Owned) -> Option<Owned> {
    // SAFETY: live objects.
    unsafe {
        let mut thrown = Pending::take();
        let traceback = thrown.traceback();
        let next = Owned::from_new(thrown.throw_into(generator, &state.names.throw));
        if next.is_none() {
            let raised = raised();
            if raised.value().map(Owned::as_ptr) == thrown.value().map(Owned::as_ptr) {
                thrown.set_traceback(traceback);
                thrown.restore();
            } else {
                unless_at_its_end(raised);
            }
        }
        next
    }
}

/// # Safety
/// As [`drive`].
#[inline(never)]
unsafe fn perform(state: &State, step: &Owned) -> Option<Owned> {
    // SAFETY: as the caller promises; the items of a tuple live as long as it.
    unsafe {
        let items = items(step);
        let Some((&call, given)) = items.split_first() else {
            raise(ffi::PyExc_SystemError, "modpython-core: a step that is none");
            return None;
        };
        if !text::is_text(call) {
            return called(call, step);
        }
        let name = text::encoded(Owned::from_borrowed(call)?)?;
        (state.operations)(state, &name, given)
    }
}

/// # Safety
/// The GIL is held. What is borrowed lives as long as the step.
unsafe fn items(step: &Owned) -> &[*mut ffi::PyObject] {
    // SAFETY: the type is looked at before.
    unsafe {
        if ffi::PyTuple_Check(step.as_ptr()) == 0 {
            return &[];
        }
        super::object::arguments(super::object::tuple_items(step.as_ptr()), ffi::PyTuple_Size(step.as_ptr()))
    }
}

/// Calls a function that is not ours.
///
/// # Safety
/// As [`drive`]; `step` is the tuple of the function and its arguments.
#[inline(never)]
unsafe fn called(function: *mut ffi::PyObject, step: &Owned) -> Option<Owned> {
    // SAFETY: live objects.
    unsafe {
        let given = Owned::from_new(ffi::PyTuple_GetSlice(step.as_ptr(), 1, ffi::PyTuple_Size(step.as_ptr())))?;
        let answer = Owned::from_new(ffi::PyObject_CallObject(function, given.as_ptr()));
        #[cfg(feature = "python3")]
        if answer.is_none() {
            super::traceback::cut_importlib_off();
        }
        answer
    }
}

/// `drive(answer)`: what a function of the shim gives in the end, of which `answer` is what it has returned.
///
/// # Safety
/// Called by CPython, as METH_O.
pub(super) unsafe extern "C" fn drive_to_the_end(
    core: *mut ffi::PyObject,
    answer: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let Some(state) = super::module::of(core) else { return null_mut() };
        finish(state, Owned::from_borrowed(answer)).map_or(null_mut(), Owned::into_ptr)
    }
}
