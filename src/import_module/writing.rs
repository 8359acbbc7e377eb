//! Steps that every change of the table of modules needs, whichever call makes it.

use super::epoch;
use super::origin::Origin;
use super::state::{Loaded, State};
use crate::module_cache::{EntryId, Modules, Version};
use crate::python::dict;
use crate::python::exceptions::{Exception, clear, raise};
use crate::python::ffi;
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned};
use crate::python::values::number;
use std::cell::RefMut;

/// The table, to be written. None with an exception set while it is being read, which takes a module name in
/// `sys.modules` that is no string and runs Python code when it is compared: to panic would end the process.
pub(super) fn writable<'s>(gil: &Gil, state: &'s State) -> Option<RefMut<'s, Modules<Loaded>>> {
    state
        .modules
        .try_borrow_mut()
        .ok()
        .or_else(|| raise(gil, Exception::Runtime, "modpython-core: import_module called from within its own lookup"))
}

/// Gives handles up, with the GIL held and the table not borrowed: that may run Python code which comes back here.
pub(super) fn drop_all(handles: [Option<Loaded>; 2]) {
    drop(handles);
}

/// From now on `name`, asked for at that origin, means that entry. False with an exception set on failure.
pub(super) fn remember(gil: &Gil, state: &State, origin: &Origin, name: Object<'_>, id: EntryId) -> bool {
    let (Some(number), Some(names)) = (number(gil, id.number()), origin.names_or_new(gil, state)) else { return false };
    dict::set(gil, &names, name, &number)
}

/// `__mtime__`, as 3.1.x sets it: in a module's dict, as a site's own object may be lazy, and refuse to be written to.
/// An object that is no module goes without. No exception is pending before, nor after.
pub(super) fn set_mtime(gil: &Gil, module: &Owned, version: Option<Version>) {
    if !dict::is_module(module) {
        return;
    }
    let time = version.map_or(0.0, |version| version.seconds as f64 + version.nanoseconds as f64 * 1e-9);
    // In Python 2.4 os.path.getmtime() knows no part of a second.
    // SAFETY: a new reference or NULL.
    #[cfg(python24)]
    let time = unsafe { Owned::from_new(gil, ffi::PyInt_FromLong(time as std::ffi::c_long)) };
    // SAFETY: as above.
    #[cfg(not(python24))]
    let time = unsafe { Owned::from_new(gil, ffi::PyFloat_FromDouble(time)) };
    if let (Some(time), Some(names)) = (time, dict::of_module(gil, module)) {
        dict::set_named(gil, names, c"__mtime__", &time);
    }
    clear(gil);
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
