//! The functions through which the shim reads and writes the cache behind `import_module`.

use super::caller::Where;
use super::files::{from_tuple, place_of, version_of, without_gil};
use super::hit;
use super::module;
use super::object::{Owned, exactly, file_name, none, number, raise, truth};
use super::state::{Loaded, Shim, State};
use crate::importer::{Cache, EntryId, Verdict};
use crate::python::ffi;
use std::cell::RefMut;
use std::ptr::null_mut;

/// `setup(load, blocked, apache, wsgi)`: the shim's two functions, and the globals of the two modules whose functions
/// are stock dispatchers.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn setup(
    module: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some(given)) = (module::of(module), exactly::<4>("setup", args, nargs)) else {
            return null_mut();
        };
        let [Some(load), Some(blocked), Some(apache), Some(wsgi)] = given.map(|object| Owned::from_borrowed(object))
        else {
            return null_mut();
        };
        let before = state.shim.replace(Some(Shim { load, blocked, apache, wsgi }));
        drop(before);
        none()
    }
}

/// `hit(kind, where, name, autoreload)`: the module if it is at hand and fresh, else None.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn hit(
    module: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some([kind, place, name, autoreload])) = (module::of(module), exactly("hit", args, nargs))
        else {
            return null_mut();
        };
        let (Some(from), Some(autoreload)) = (Where::of(ffi::PyLong_AsLongLong(kind), place), truth(autoreload)) else {
            return null_mut();
        };
        hit::hit(state, &from, name, autoreload).map_or_else(|| none(), Owned::into_ptr)
    }
}

/// `verdict(file, autoreload)`: what to do about a file (bytes), the module it gave, and its name in `sys.modules`:
/// "hit" or "reload" with both, "load" with None and None. For whoever holds the lock of the file: that its code is
/// marked as running then means that the thread which ran it is gone, with a fork, and it must be loaded.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn verdict(
    module: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some([file, autoreload])) = (module::of(module), exactly("verdict", args, nargs)) else {
            return null_mut();
        };
        let (Some(file), Some(autoreload)) = (file_name(file), truth(autoreload)) else { return null_mut() };
        let now = if autoreload { without_gil(|| version_of(&file)) } else { None };
        let cache = state.cache.borrow();
        let entry = cache.find(&file).and_then(|id| cache.get(id));
        let absent = (c"load", ffi::Py_None(), ffi::Py_None());
        let (word, found, name) = match entry {
            None => absent,
            Some(entry) => {
                let loaded = entry.handle();
                let registered = ffi::PyDict_GetItemWithError(ffi::PyImport_GetModuleDict(), loaded.name.as_ptr());
                let now = now.filter(|_| entry.is_watched(autoreload));
                match entry.verdict(registered == loaded.module.as_ptr(), now) {
                    Verdict::Hit => (c"hit", loaded.module.as_ptr(), loaded.name.as_ptr()),
                    Verdict::Reload => (c"reload", loaded.module.as_ptr(), loaded.name.as_ptr()),
                    Verdict::Load | Verdict::Wait => absent,
                }
            }
        };
        let (Some(found), Some(name)) = (Owned::from_borrowed(found), Owned::from_borrowed(name)) else {
            return null_mut();
        };
        drop(cache);
        ffi::Py_BuildValue(c"(sOO)".as_ptr(), word.as_ptr(), found.as_ptr(), name.as_ptr())
    }
}

/// `publish(kind, where, name, file, module, sys_name, version)`: from now on `name`, asked for there, is a hit and
/// gives `module`, as long as the file (bytes) is that version. A version of None is never looked at again.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn publish(
    module: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let Some([kind, place, name, file, loaded, sys_name, version]) = exactly("publish", args, nargs) else {
            return null_mut();
        };
        let (Some(state), Some(from)) = (module::of(module), Where::of(ffi::PyLong_AsLongLong(kind), place)) else {
            raise(ffi::PyExc_ValueError, "publish() got a place that is none");
            return null_mut();
        };
        let Some(file) = file_name(file) else { return null_mut() };
        let version = match version == ffi::Py_None() {
            true => None,
            false => match from_tuple(version) {
                None => return null_mut(),
                version => version,
            },
        };
        let lives = without_gil(|| place_of(&file));
        let (Some(loaded), Some(sys_name)) = (Owned::from_borrowed(loaded), Owned::from_borrowed(sys_name)) else {
            return null_mut();
        };
        let handle = Loaded { module: loaded, name: sys_name };
        let Some(mut cache) = writable(state) else { return null_mut() };
        let (id, before) = cache.publish(&file, handle, version, lives);
        drop(cache);
        drop(before);
        remember(state, &from, name, id)
    }
}

/// `link(kind, where, name, file)`: from now on `name`, asked for there, means this file (bytes), which has been
/// published under another.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn link(
    module: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some([kind, place, name, file])) = (module::of(module), exactly("link", args, nargs)) else {
            return null_mut();
        };
        let (Some(from), Some(file)) = (Where::of(ffi::PyLong_AsLongLong(kind), place), file_name(file)) else {
            return null_mut();
        };
        let id = state.cache.borrow().find(&file);
        id.map_or_else(|| none(), |id| remember(state, &from, name, id))
    }
}

/// The cache, to be written. None with an exception set while it is being read, which takes a module name in
/// `sys.modules` that is no string and runs Python code when it is compared: to panic would end the process.
///
/// # Safety
/// The GIL is held.
unsafe fn writable(state: &State) -> Option<RefMut<'_, Cache<Loaded>>> {
    state.cache.try_borrow_mut().ok().or_else(|| {
        // SAFETY: the GIL is held.
        unsafe { raise(ffi::PyExc_RuntimeError, "modpython-core: import_module called from within its own lookup") };
        None
    })
}

/// # Safety
/// The GIL is held and `name` is alive.
unsafe fn remember(state: &State, from: &Where, name: *mut ffi::PyObject, id: EntryId) -> *mut ffi::PyObject {
    // SAFETY: as the caller promises; the dict is kept alive by the state.
    unsafe {
        let Some(number) = number(id.number()) else { return null_mut() };
        let Some(names) = from.names_or_new(state) else { return null_mut() };
        if ffi::PyDict_SetItem(names, name, number.as_ptr()) < 0 { null_mut() } else { none() }
    }
}

/// `set_loading(file, flag)`: whether the code of a file (bytes) is running again. While it is, nobody has a hit.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn set_loading(
    module: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some([file, flag])) = (module::of(module), exactly("set_loading", args, nargs)) else {
            return null_mut();
        };
        let (Some(file), Some(flag)) = (file_name(file), truth(flag)) else { return null_mut() };
        let Some(mut cache) = writable(state) else { return null_mut() };
        cache.set_loading(&file, flag);
        none()
    }
}
