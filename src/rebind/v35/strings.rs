//! Strings that generation 3.5 makes without the GIL: the two of each `<!--#python eval="..." -->`, made before an
//! interpreter is acquired for it. Another thread meanwhile gets the same memory, and both write to it: other code is
//! run than the page has, or the child crashes.

use crate::{
    abi::{data::Block, thread::here},
    process,
    python::{Cpython, Python, ffi, threads::Outer},
    rebind::learn,
};
use std::ffi::c_char;

/// `PyUnicode_FromString`; with the GIL, whoever calls.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_rebind_PyUnicode_FromString(text: *const c_char) -> *mut ffi::PyObject {
    if !learn::armed() || holds_gil() || !process::settings().cures("ssi") {
        // SAFETY: as the module called it.
        return unsafe { ffi::PyUnicode_FromString(text) };
    }
    let made = here(|thread| match thread.threads.leave() {
        Outer::Interrupted => None,
        // SAFETY: the main interpreter lives as long as Python.
        outer => match unsafe { thread.threads.select(Python::main_interpreter(), Block::new) } {
            // SAFETY: `leave` has found that this thread has no GIL, or has given it up; the text is the module's.
            Some(kept) => unsafe {
                thread.threads.enter(kept, outer);
                // The module never gives its reference up. Of the code of a page there is one string, whoever asks.
                let made = ffi::PyUnicode_InternFromString(text);
                thread.threads.release();
                Some(made)
            },
            None => {
                thread.threads.reenter(outer);
                None
            }
        },
    });
    made.flatten().unwrap_or(std::ptr::null_mut())
}

/// Whether this thread holds the GIL: with the state of its innermost acquisition, or with one of Python's own.
fn holds_gil() -> bool {
    let Some(attached) = Python::attached() else { return false };
    Python::ATTACHED_IS_OF_THREAD
        || here(|thread| thread.threads.runs_on(attached)) == Some(true)
        || Python::gil_state() == Some(attached)
}
