//! The functions through which the shim reads and writes the table behind `import_module`.

use super::caller::Where;
use super::content::{compare, content_of, look};
use super::files::{from_tuple, version_of, without_gil};
use super::hit;
use super::module;
use super::object::{Owned, exactly, file_name, none, raise, truth};
use super::state::{Loaded, Shim, State};
use super::text;
use super::writing::{after_fork, drop_all, remember, set_mtime, writable};
use crate::module_cache::{EntryId, Verdict, Version};
use crate::python::ffi;
use std::ffi::CStr;
use std::ptr::null_mut;

/// `setup(load, blocked, apache, wsgi, once_a_tick, stock_reloads)`: the shim's two functions, the globals of the two
/// modules whose functions are stock dispatchers, whether one look at a file is enough for a tick of the coarse clock,
/// and whether the stock core runs a changed module again.
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
        let (Some(state), Some([load, blocked, apache, wsgi, once_a_tick, stock_reloads])) =
            (module::of(module), exactly::<6>("setup", args, nargs))
        else {
            return null_mut();
        };
        let given = [load, blocked, apache, wsgi].map(|object| Owned::from_borrowed(object));
        let ([Some(load), Some(blocked), Some(apache), Some(wsgi)], Some(once_a_tick), Some(stock_reloads)) =
            (given, truth(once_a_tick), truth(stock_reloads))
        else {
            return null_mut();
        };
        state.once_a_tick.set(once_a_tick);
        state.stock_reloads.set(stock_reloads);
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

/// `verdict(file, autoreload)`: what to do about a file (bytes), what it gave, its name in `sys.modules`, and the
/// module in which its code ran: "hit" or "reload" with all three, "load" with three None. For whoever holds the lock
/// of the file: that its code is marked as running then means that the thread which ran it is gone, with a fork, and it
/// must be loaded.
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
        let same = to_compare(state, &file, now).and_then(|id| compare(state, id));
        let now = same.or(now);
        let table = state.modules.borrow();
        let none = ffi::Py_None();
        let (word, [served, name, ran]) = match table.of(&file).and_then(|entry| Some((entry, entry.ready()?))) {
            None => (c"load", [none; 3]),
            Some((entry, ready)) => {
                let now = now.filter(|_| entry.is_watched(autoreload));
                let known = [ready.module.as_ptr(), ready.name.as_ptr(), ready.ran.as_ptr()];
                match entry.verdict(ready.is_in_sys_modules(), now) {
                    Verdict::Hit => (c"hit", known),
                    // Others may have compared meanwhile, and noted a version that came later.
                    Verdict::Compare if same.is_some() => (c"hit", known),
                    Verdict::Reload | Verdict::Compare => (c"reload", known),
                    Verdict::Load | Verdict::Wait => (c"load", [none; 3]),
                }
            }
        };
        let [Some(served), Some(name), Some(ran)] = [served, name, ran].map(|object| Owned::from_borrowed(object))
        else {
            return null_mut();
        };
        drop(table);
        ffi::Py_BuildValue(c"(sOOO)".as_ptr(), word.as_ptr(), served.as_ptr(), name.as_ptr(), ran.as_ptr())
    }
}

/// The entry of the file, if only its inode has changed.
///
/// # Safety
/// The GIL is held.
unsafe fn to_compare(state: &State, file: &CStr, now: Option<Version>) -> Option<EntryId> {
    let table = state.modules.borrow();
    let id = table.find(file)?;
    let entry = table.get(id)?;
    // SAFETY: the GIL is held.
    let in_sys_modules = unsafe { entry.ready()?.is_in_sys_modules() };
    (entry.verdict(in_sys_modules, now) == Verdict::Compare).then_some(id)
}

/// `adopt(kind, where, name, file, module, sys_name, version)`: a plain import has run that version of the file (bytes)
/// in `module`; from now on `name`, asked for there, gives it. A version of None is never looked at again.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn adopt(
    module: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let Some([kind, place, name, file, loaded, sys_name, version]) = exactly("adopt", args, nargs) else {
            return null_mut();
        };
        let (Some(state), Some(from)) = (module::of(module), Where::of(ffi::PyLong_AsLongLong(kind), place)) else {
            raise(ffi::PyExc_ValueError, "adopt() got a place that is none");
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
        let (lives, seen) = look(&file);
        let Some(handle) = Loaded::new(loaded, loaded, sys_name) else { return null_mut() };
        set_mtime(&handle.module, version);
        let content = content_of(version, seen);
        let Some(mut table) = writable(state) else { return null_mut() };
        let (id, before) = table.publish(&file, handle, version, content, lives);
        drop(table);
        drop_all(before);
        if remember(state, &from, name, id) { none() } else { null_mut() }
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
        let id = state.modules.borrow().find(&file);
        if id.is_none_or(|id| remember(state, &from, name, id)) { none() } else { null_mut() }
    }
}

/// `refuse(kind, where, name, version)`: that version of the file which gave the module of that name is not to be had:
/// it has failed, or, for None, what is there now cannot be read or found. The module, which goes on being served until
/// the file is another again, and whether that is news; None if there is none.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn refuse(
    module: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some([kind, place, name, version])) = (module::of(module), exactly("refuse", args, nargs))
        else {
            return null_mut();
        };
        let Some(from) = Where::of(ffi::PyLong_AsLongLong(kind), place) else { return null_mut() };
        let Some(id) = hit::entry_for(state, &from, name) else { return none() };
        let file = state.modules.borrow().get(id).map(|entry| entry.file().to_owned());
        let Some(file) = file else { return none() };
        let now = match version {
            none if none == ffi::Py_None() => without_gil(|| version_of(&file)),
            version => from_tuple(version),
        };
        let Some(mut table) = writable(state) else { return null_mut() };
        let served = match table.get(id).and_then(|entry| entry.ready()) {
            Some(ready) if ready.is_in_sys_modules() => Owned::from_borrowed(ready.module.as_ptr()),
            _ => None,
        };
        let Some(served) = served else { return none() };
        let news = table.refuse(id, now);
        drop(table);
        ffi::Py_BuildValue(c"(Oi)".as_ptr(), served.as_ptr(), std::ffi::c_int::from(news))
    }
}

/// `hidden_file(kind, where, name)`: the file (bytes) behind the module of that name, asked for there, if its code has
/// put something else into `sys.modules` and that is still there; else None.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn hidden_file(
    module: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some([kind, place, name])) = (module::of(module), exactly("hidden_file", args, nargs)) else {
            return null_mut();
        };
        let Some(from) = Where::of(ffi::PyLong_AsLongLong(kind), place) else { return null_mut() };
        let table = state.modules.borrow();
        let entry = hit::entry_for(state, &from, name).and_then(|id| table.get(id));
        let hidden = entry.filter(|entry| {
            entry.ready().is_some_and(|ready| ready.ran.as_ptr() != ready.module.as_ptr() && ready.is_in_sys_modules())
        });
        let Some(file) = hidden.map(|entry| entry.file().to_owned()) else { return none() };
        drop(table);
        text::file(file.to_bytes()).map_or(null_mut(), Owned::into_ptr)
    }
}

/// `running(file)`: the module in which the code of the file (bytes) runs just now, else the one that it gave, else
/// None.
///
/// # Safety
/// Called by CPython, as METH_O.
pub(super) unsafe extern "C" fn running(module: *mut ffi::PyObject, file: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some(file)) = (module::of(module), file_name(file)) else { return null_mut() };
        let table = state.modules.borrow();
        let known = table.of(&file).and_then(|entry| entry.running().or_else(|| entry.ready()));
        known.and_then(|known| Owned::from_borrowed(known.module.as_ptr())).map_or_else(|| none(), Owned::into_ptr)
    }
}

/// `is_running(file)`: whether some thread runs the code of the file (bytes), or did when this process was forked.
///
/// # Safety
/// Called by CPython, as METH_O.
pub(super) unsafe extern "C" fn is_running(module: *mut ffi::PyObject, file: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some(file)) = (module::of(module), file_name(file)) else { return null_mut() };
        let runs = state.modules.borrow().of(&file).is_some_and(|entry| entry.running().is_some());
        ffi::PyBool_FromLong(runs.into())
    }
}

/// `claim(name, file)`: whether the load of the file (bytes) may have the name in `sys.modules`; it is kept for it
/// until the load has ended.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn claim(
    module: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some([name, file])) = (module::of(module), exactly("claim", args, nargs)) else {
            return null_mut();
        };
        let (Some(name), Some(file)) = (Owned::from_borrowed(name), file_name(file)) else { return null_mut() };
        let Some(name) = text::encoded(name) else { return null_mut() };
        after_fork(state);
        let Some(mut table) = writable(state) else { return null_mut() };
        ffi::PyBool_FromLong(table.claim(&name, &file).into())
    }
}

impl Loaded {
    /// Whether `sys.modules` has the module under its name.
    ///
    /// # Safety
    /// The GIL is held.
    #[inline]
    pub(super) unsafe fn is_in_sys_modules(&self) -> bool {
        // The lookup calls no Python: both the name and the keys that can equal it are exact strings.
        // SAFETY: live objects; what is found is only compared.
        unsafe {
            ffi::PyDict_GetItemWithError(ffi::PyImport_GetModuleDict(), self.name.as_ptr()) == self.module.as_ptr()
        }
    }
}
