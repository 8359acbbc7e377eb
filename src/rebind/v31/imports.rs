//! The replacement imports, as C sees them. Each passes on what is not part of the interpreter path.
//!
//! The boundary, for all of them: pointers are the module's and as valid as in its call of the original; failure is
//! the original's failure value; no panic leaves (what could panic is pure, and caught in `abi::acquire`).

use crate::{
    embedding::{
        acquire::{self, Choice},
        start,
        thread::{Progress, Start, Thread, with_current_thread},
    },
    python::{Callback, Cpython, Python, ThreadState, ffi, threads::Suspended},
    rebind::{calls, startup},
    server::settings,
};
use std::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
};

const GENERATION: &str = "3.1";

/// `Py_IsInitialized`, which python_init alone asks: it makes its dict only if it has to initialise Python itself.
/// Switched off as well: after a graceful restart this library has kept Python in memory, and without a dict the child
/// would hang.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc31_rebind_Py_IsInitialized() -> c_int {
    0
}

/// `Py_Initialize`; see [`start::initialize`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc31_rebind_Py_Initialize() {
    // SAFETY: as the module called it.
    unsafe { start::initialize(None) };
    startup::begin(GENERATION);
    Start::Initialized.reach();
}

/// `PyDict_New`; the first after Py_Initialize in python_init is the dict of the interpreters.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc31_rebind_PyDict_New() -> *mut ffi::PyObject {
    // SAFETY: as the module called it.
    let dict = unsafe { ffi::PyDict_New() };
    if Start::reached() == Start::Initialized {
        startup::interpreters_are(dict.cast());
        Start::TableMade.reach();
    }
    dict
}

/// `PyOS_AfterFork`; the child's start calls it, between PyEval_AcquireLock and PyEval_ReleaseLock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc31_rebind_PyOS_AfterFork() {
    if settings::of_process().off || Start::reached() != Start::TableMade {
        // Python 2.7 crashes without a state, and no child would live to serve anything.
        let before = Python::attached();
        // SAFETY: as the module called it.
        unsafe {
            start::after_fork();
            if before.is_none() {
                Python::swap_out();
            }
        }
        if settings::of_process().off {
            start::log_active(GENERATION, start::OFF);
        }
        return;
    }
    // SAFETY: as the module called it: the GIL is held, in a child of one thread. None is current afterwards, as the
    // module has it.
    unsafe {
        start::after_fork();
        Python::swap_out();
    }
    Start::MainEntered.reach();
}

/// `PyEval_AcquireLock`: an acquisition begins.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc31_rebind_PyEval_AcquireLock() {
    let begun = startup::is_active().then(|| with_current_thread(Thread::ask));
    if begun.flatten().is_none() {
        // SAFETY: as the module called it.
        unsafe { ffi::PyEval_AcquireLock() }
    }
}

/// `PyEval_ReleaseLock`: the look-up of an acquisition is over, or the child's start, or python_init.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc31_rebind_PyEval_ReleaseLock() {
    if startup::is_active() {
        let ours = with_current_thread(|thread| {
            if thread.end_interruption() {
                return true;
            }
            match thread.take_progress() {
                Progress::Idle => false,
                Progress::Asked(outer) | Progress::Refused(outer) => {
                    // A caller that held the GIL when it asked gets it back.
                    thread.threads.reenter(outer);
                    true
                }
                chosen @ Progress::Chosen { .. } => {
                    thread.reach(chosen);
                    true
                }
            }
        });
        if ours == Some(true) {
            return;
        }
    }
    // SAFETY: as the module called it.
    unsafe { ffi::PyEval_ReleaseLock() };
    if Start::reached() == Start::MainEntered {
        Start::ChildReady.reach();
        startup::activate();
        start::log_active(GENERATION, start::ACTIVE);
    }
}

/// `PyDict_GetItemString`; in the dict of the interpreters, in an acquisition, it is the registry that answers, with
/// the address of an `interpreterdata` where the module expects an object that wraps one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc31_rebind_PyDict_GetItemString(
    dict: *mut ffi::PyObject,
    name: *const c_char,
) -> *mut ffi::PyObject {
    if startup::is_interpreters(dict.cast()) {
        if !startup::is_active() {
            startup::warn_not_recognised();
        }
        let answer = with_current_thread(|thread| {
            if thread.is_interrupted() {
                return Some(ptr::null_mut());
            }
            match thread.take_progress() {
                Progress::Asked(outer) => {
                    // SAFETY: the module passes a NUL-terminated name.
                    let name = unsafe { CStr::from_ptr(name) };
                    Some(choose(thread, name.to_bytes(), outer))
                }
                other => {
                    thread.reach(other);
                    None
                }
            }
        });
        if let Some(answer) = answer.flatten() {
            return answer.cast();
        }
    }
    // SAFETY: as the module called it.
    unsafe { ffi::PyDict_GetItemString(dict, name) }
}

/// `interpreterdata *` for `name`, or NULL; called without the GIL, after `Progress::Asked(outer)`.
fn choose(thread: &Thread, name: &[u8], outer: Suspended) -> *mut c_void {
    // SAFETY: called with the GIL held.
    match acquire::choose(thread, name, outer, || unsafe { acquire::new_interpreter() }) {
        Choice::Chosen { kept, callback, attached, outer } => {
            let data = kept.data.hand_out31(callback.map_or(ptr::null_mut(), Callback::as_ptr));
            thread.reach(Progress::Chosen { kept, attached, outer });
            data.cast()
        }
        Choice::Refused(outer) => {
            thread.reach(Progress::Refused(outer));
            ptr::null_mut()
        }
    }
}

/// Whether an acquisition of this thread has got its answer, and that answer is `data`.
fn is_answer(data: *mut c_void) -> bool {
    let answered = with_current_thread(
        |thread| matches!(&*thread.progress.borrow(), Progress::Chosen { kept, .. } if kept.data.is31(data)),
    );
    startup::is_active() && answered == Some(true)
}

/// `PyCObject_AsVoidPtr` of what PyDict_GetItemString has answered.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc31_rebind_PyCObject_AsVoidPtr(object: *mut ffi::PyObject) -> *mut c_void {
    // SAFETY: as the module called it.
    if is_answer(object.cast()) { object.cast() } else { unsafe { ffi::PyCObject_AsVoidPtr(object) } }
}

/// `Py_NewInterpreter`; after a refusal there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc31_rebind_Py_NewInterpreter() -> *mut c_void {
    if with_current_thread(|thread| {
        thread.is_interrupted() || matches!(&*thread.progress.borrow(), Progress::Refused(_))
    }) == Some(true)
    {
        // PyEval_ReleaseLock comes next, and ends it.
        return ptr::null_mut();
    }
    // SAFETY: as the module called it.
    unsafe { ffi::Py_NewInterpreter().cast() }
}

/// `PyThreadState_New`; for the chosen interpreter it gives this thread's own state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc31_rebind_PyThreadState_New(interpreter: *mut c_void) -> *mut c_void {
    let state = with_current_thread(|thread| match &*thread.progress.borrow() {
        Progress::Chosen { kept, .. } if kept.interpreter().as_ptr() == interpreter => Some(kept.state()),
        _ => None,
    });
    match state.flatten() {
        Some(state) => state.as_ptr(),
        // SAFETY: as the module called it.
        None => unsafe { ffi::PyThreadState_New(interpreter.cast()).cast() },
    }
}

/// `PyEval_AcquireThread`; with the chosen state it enters it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc31_rebind_PyEval_AcquireThread(state: *mut c_void) {
    let entered = with_current_thread(|thread| {
        let chosen = matches!(&*thread.progress.borrow(),
            Progress::Chosen { kept, .. } if Some(kept.state()) == ThreadState::new(state));
        if chosen {
            acquire::enter_step(thread);
        }
        chosen
    });
    if entered != Some(true) {
        // SAFETY: as the module called it.
        unsafe { ffi::PyEval_AcquireThread(state.cast()) }
    }
}

/// `PyEval_ReleaseThread`: the release of an acquisition.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc31_rebind_PyEval_ReleaseThread(state: *mut c_void) {
    let released = with_current_thread(|thread| {
        let innermost = ThreadState::new(state).is_some_and(|state| thread.threads.runs_on(state));
        if startup::is_active() && innermost {
            thread.released.set(state);
            // SAFETY: the module holds the GIL with the state of its innermost acquisition.
            unsafe { acquire::release(thread) };
        }
        startup::is_active() && innermost
    });
    if released != Some(true) {
        // SAFETY: as the module called it.
        unsafe { ffi::PyEval_ReleaseThread(state.cast()) }
    }
}

/// `PyThreadState_Delete`; the module deletes the state it has just released, which is not its to delete.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc31_rebind_PyThreadState_Delete(state: *mut c_void) {
    let ours = with_current_thread(|thread| {
        // A signal handler that came in between has released something else last.
        let released = thread.released.get() == state;
        if released {
            thread.released.set(ptr::null_mut());
        }
        released || ThreadState::new(state).is_some_and(|state| thread.threads.keeps(state))
    });
    if ours != Some(true) {
        // SAFETY: as the module called it.
        unsafe { ffi::PyThreadState_Delete(state.cast()) }
    }
}

/// `PyImport_ImportModule`; the first of mod_python.apache in an interpreter puts the shim in place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc31_rebind_PyImport_ImportModule(name: *const c_char) -> *mut ffi::PyObject {
    // SAFETY: as the module called it.
    unsafe { calls::import_module(name) }
}

/// Called by the C glue with each result of PyObject_CallMethod, whose reference it takes over; it returns the
/// reference that goes to the module.
#[unsafe(no_mangle)]
unsafe extern "C" fn mpc31_method_returned(name: *const c_char, result: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the glue has called a method of that name; the module holds the GIL, and the reference is ours.
    unsafe { calls::method_returned(name, result) }
}
