//! The replacement imports, as C sees them. Each passes on what is not part of the interpreter path.
//!
//! The boundary, for all of them: pointers are the module's and as valid as in its call of the original; failure is
//! the original's failure value; no panic leaves (what could panic is pure, and caught in `abi::acquire`).

use crate::{
    embedding::{
        interpreterdata::HandedOut,
        start,
        thread::{Progress, Start, Thread, with_current_thread},
    },
    python::{Cpython, Python, ThreadState, ffi, threads::OwnState},
    rebind::{calls, startup},
    server::settings,
};
use std::{
    ffi::{c_char, c_int, c_void},
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
        // SAFETY: the module passes a NUL-terminated name.
        let answer = unsafe { calls::look_up(name, |data, callback| data.hand_out31(callback).cast()) };
        if let Some(answer) = answer {
            return answer.cast();
        }
    }
    // SAFETY: as the module called it.
    unsafe { ffi::PyDict_GetItemString(dict, name) }
}

/// Whether an acquisition of this thread has got its answer, and that answer is `data`.
fn is_answer(data: *mut c_void) -> bool {
    let answered = with_current_thread(|thread| thread.on_chosen(|kept| kept.data.is31(data))).flatten();
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
    let state = with_current_thread(|thread| {
        let state = |kept: &OwnState<HandedOut>| (kept.interpreter().as_ptr() == interpreter).then(|| kept.state());
        thread.on_chosen(state).flatten()
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
    if !calls::enter(state) {
        // SAFETY: as the module called it.
        unsafe { ffi::PyEval_AcquireThread(state.cast()) }
    }
}

/// `PyEval_ReleaseThread`: the release of an acquisition.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc31_rebind_PyEval_ReleaseThread(state: *mut c_void) {
    // SAFETY: as the module called it, with the GIL held and that state current.
    unsafe {
        if !calls::release(state) {
            ffi::PyEval_ReleaseThread(state.cast());
        }
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

/// `PyImport_ImportModule`; the first of mod_python.apache in an interpreter activates the shim.
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
