//! Strings that generation 3.5 makes without the GIL: the two of each `<!--#python eval="..." -->`, made before an
//! interpreter is acquired for it. Another thread meanwhile gets the same memory, and both write to it: other code is
//! run than the page has, or the child crashes.

use crate::{
    embedding::{interpreterdata::HandedOut, thread::with_current_thread},
    python::{Cpython, Python, ffi},
    rebind::startup,
    server::settings,
};
use std::ffi::c_char;

/// `PyUnicode_FromString`; with the GIL, whoever calls.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_PyUnicode_FromString(text: *const c_char) -> *mut ffi::PyObject {
    if !startup::is_active() || holds_gil() || !settings::of_process().cures("ssi") {
        // SAFETY: as the module called it.
        return unsafe { ffi::PyUnicode_FromString(text) };
    }
    // The module never gives its reference up. Of the code of a page there is one string, whoever asks.
    // SAFETY: the main interpreter lives as long as Python; inside, the GIL is held, and the text is the module's.
    let made = with_current_thread(|thread| unsafe {
        thread.threads.within(Python::main_interpreter(), HandedOut::new, |_| ffi::PyUnicode_InternFromString(text))
    });
    made.flatten().unwrap_or(std::ptr::null_mut())
}

/// Whether this thread holds the GIL: with the state of its innermost acquisition, or with one of Python's own.
fn holds_gil() -> bool {
    let Some(attached) = Python::attached() else { return false };
    Python::ATTACHED_IS_OF_THREAD
        || with_current_thread(|thread| thread.threads.runs_on(attached)) == Some(true)
        || Python::gil_state() == Some(attached)
}
