//! What reads pickles asks the shim which module a name means; see `capi/pickles.c`.

use super::object::none;
use crate::python::ffi;
use std::ffi::c_int;
use std::ptr::null_mut;

unsafe extern "C" {
    /// See `capi/pickles.c`.
    fn mpc_glue_watch_pickles(reader: *mut ffi::PyObject) -> c_int;
}

/// `watch_pickles(reader)`: `_pickle.Unpickler`, in Python 2 the module cPickle, asks `siblings.in_pickle` from now on.
///
/// # Safety
/// Called by CPython, as METH_O.
pub(super) unsafe extern "C" fn watch(_: *mut ffi::PyObject, reader: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython gives a live object and holds the GIL; the call looks at its type.
    unsafe { if mpc_glue_watch_pickles(reader) < 0 { null_mut() } else { none() } }
}
