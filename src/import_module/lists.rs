//! A list whose items are replaced in one step, while other threads change it too.

use super::object::{Owned, exactly, raise};
use crate::python::ffi;
use std::ptr::null_mut;

/// `exchange(list, items)`: the list has these items; a new list of those that it had. No code of Python runs between
/// the two (the items are strings), so that nothing is lost that another thread has put into it.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn exchange(
    _: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL; the types are looked at before the calls.
    unsafe {
        let Some([list, items]) = exactly("exchange", args, nargs) else { return null_mut() };
        if ffi::PyList_Check(list) == 0 || ffi::PyList_Check(items) == 0 {
            raise(ffi::PyExc_TypeError, "exchange() takes two lists");
            return null_mut();
        }
        let size = ffi::PyList_Size(list);
        let Some(before) = Owned::from_new(ffi::PyList_GetSlice(list, 0, size)) else { return null_mut() };
        match ffi::PyList_SetSlice(list, 0, size, items) {
            0 => before.into_ptr(),
            _ => null_mut(),
        }
    }
}
