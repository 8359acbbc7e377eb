//! What every change of the table of modules needs, whichever call makes it.

use super::caller::Where;
use super::epoch;
use super::object::{Owned, number, raise};
use super::state::{Loaded, State};
use crate::module_cache::{EntryId, Modules, Version};
use crate::python::ffi;
use std::cell::RefMut;

/// The table, to be written. None with an exception set while it is being read, which takes a module name in
/// `sys.modules` that is no string and runs Python code when it is compared: to panic would end the process.
///
/// # Safety
/// The GIL is held.
pub(super) unsafe fn writable(state: &State) -> Option<RefMut<'_, Modules<Loaded>>> {
    state.modules.try_borrow_mut().ok().or_else(|| {
        // SAFETY: the GIL is held.
        unsafe { raise(ffi::PyExc_RuntimeError, "modpython-core: import_module called from within its own lookup") };
        None
    })
}

/// Gives handles up, with the GIL held and the table not borrowed: that may run Python code which comes back here.
pub(super) fn drop_all(handles: [Option<Loaded>; 2]) {
    drop(handles);
}

/// From now on `name`, asked for there, means that entry. False with an exception set on failure.
///
/// # Safety
/// The GIL is held and `name` is alive.
pub(super) unsafe fn remember(state: &State, from: &Where, name: *mut ffi::PyObject, id: EntryId) -> bool {
    // SAFETY: as the caller promises; the dict is kept alive by the state.
    unsafe {
        let (Some(number), Some(names)) = (number(id.number()), from.names_or_new(state)) else { return false };
        ffi::PyDict_SetItem(names, name, number.as_ptr()) == 0
    }
}

/// `__mtime__`, as 3.1.x sets it: in a module's dict, as what a site has made of it may be lazy, and mind being written
/// to. What is no module goes without.
///
/// # Safety
/// The GIL is held and no exception is pending.
pub(super) unsafe fn set_mtime(module: &Owned, version: Option<Version>) {
    let time = version.map_or(0.0, |version| version.seconds as f64 + version.nanoseconds as f64 * 1e-9);
    // SAFETY: live objects, and a module's dict lives as long as it.
    unsafe {
        if ffi::PyModule_Check(module.as_ptr()) == 0 {
            return;
        }
        if let Some(time) = Owned::from_new(ffi::PyFloat_FromDouble(time)) {
            ffi::PyDict_SetItemString(ffi::PyModule_GetDict(module.as_ptr()), c"__mtime__".as_ptr(), time.as_ptr());
        }
        ffi::PyErr_Clear();
    }
}

/// The table of an interpreter whose thread has forked: names that other threads had claimed are free.
pub(super) fn after_fork(state: &State) {
    let epoch = epoch::current();
    if state.epoch.replace(epoch) != epoch {
        if let Ok(mut table) = state.modules.try_borrow_mut() {
            table.forget_claims();
        }
    }
}
