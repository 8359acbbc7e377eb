//! Who is running a module's code, for Python 2, which does not say it of a module: asked of the frames of all threads.

use super::object::{Owned, as_number, bytes, raise};
use super::text::interned;
use crate::python::ffi;
use std::ptr::null_mut;

/// `runners(namespace)`: a list of the threads that are running a module's code in these globals.
///
/// It runs no Python code, and so is one step that no other thread gets in between: a generator that yields loses the
/// way back to its caller, and whoever had begun to follow that way would find the module's code no longer on it.
///
/// # Safety
/// Called by CPython, as METH_O.
pub(super) unsafe extern "C" fn runners(_: *mut ffi::PyObject, namespace: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython gives a live object and holds the GIL.
    unsafe { list(namespace) }.map_or(null_mut(), Owned::into_ptr)
}

/// # Safety
/// The GIL is held and `namespace` is alive. None with an exception set on failure.
unsafe fn list(namespace: *mut ffi::PyObject) -> Option<Owned> {
    // SAFETY: as the caller promises. Threads and frames are borrowed from a dict that is ours alone.
    unsafe {
        let names = [interned(c"f_back")?, interned(c"f_globals")?, interned(c"f_code")?, interned(c"co_name")?];
        let found = Owned::from_new(ffi::PyList_New(0))?;
        let Some(current) = Owned::from_borrowed(ffi::PySys_GetObject(c"_current_frames".as_ptr())) else {
            raise(ffi::PyExc_RuntimeError, "modpython-core: sys._current_frames has gone");
            return None;
        };
        let frames = Owned::from_new(ffi::PyObject_CallNoArgs(current.as_ptr()))?;
        let me = ffi::PyThread_get_thread_ident();
        let (mut position, mut thread, mut frame) = (0, null_mut(), null_mut());
        while ffi::PyDict_Next(frames.as_ptr(), &raw mut position, &raw mut thread, &raw mut frame) != 0 {
            // A thread can be in several interpreters at once (a nested request), and the dict has but one frame of it.
            let frame = if as_number(thread) as u64 == me { ffi::PyEval_GetFrame().cast() } else { frame };
            if runs(Owned::from_borrowed(frame)?, namespace, &names)? && ffi::PyList_Append(found.as_ptr(), thread) < 0
            {
                return None;
            }
        }
        Some(found)
    }
}

/// Whether the frame, or one that it goes back to, is that of a module's code in these globals.
///
/// # Safety
/// As [`list`].
unsafe fn runs(frame: Owned, namespace: *mut ffi::PyObject, names: &[Owned; 4]) -> Option<bool> {
    let [back, globals, code, name] = names;
    // SAFETY: live objects; these attributes of a frame and its code are fields, and to read one runs no Python code.
    unsafe {
        let attribute = |of: &Owned, name: &Owned| Owned::from_new(ffi::PyObject_GetAttr(of.as_ptr(), name.as_ptr()));
        let mut frame = frame;
        while frame.as_ptr() != ffi::Py_None() {
            // A function of the module has the same globals.
            if attribute(&frame, globals)?.as_ptr() == namespace
                && bytes(attribute(&attribute(&frame, code)?, name)?.as_ptr())? == b"<module>"
            {
                return Some(true);
            }
            frame = attribute(&frame, back)?;
        }
        Some(false)
    }
}
