//! Readers of pickles ask the shim which module a name means; see `capi/pickles.c`.

use super::state::State;
use crate::python::ffi;
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned, none};
use std::ffi::c_int;

unsafe extern "C" {
    /// See `capi/pickles.c`.
    fn mpc_glue_watch_pickles(reader: *mut ffi::PyObject) -> c_int;
}

/// `watch_pickles(reader)`: `_pickle.Unpickler`, in Python 2 the module cPickle, asks `siblings.in_pickle` from now on.
pub(super) fn watch(gil: &mut Gil, _: &State, reader: Object<'_>) -> Option<Owned> {
    // SAFETY: a live object, whose type the call looks at.
    let is_watched = unsafe { mpc_glue_watch_pickles(reader.as_ptr()) == 0 };
    is_watched.then(|| none(gil))
}
