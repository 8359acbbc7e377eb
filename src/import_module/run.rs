//! The run of a module's code: what is marked and entered before it, and published or put back after it, with no
//! bytecode between (I13).

use super::caller::Where;
use super::content::{content_of, look};
use super::errors::Pending;
use super::files::from_tuple;
use super::object::{Owned, file_name, none, raise, truth};
use super::stack;
use super::state::{Loaded, State};
use super::steps;
use super::text;
use super::writing::{drop_all, remember, set_mtime, writable};
use crate::python::ffi;
use std::cell::Cell;
use std::ptr::null_mut;

thread_local! {
    /// Modules whose code this thread is running again.
    static RELOADS: Cell<u32> = const { Cell::new(0) };
}

/// `is_reloading()`: whether this thread is running the code of a module again.
///
/// # Safety
/// Called by CPython, as METH_NOARGS.
pub(super) unsafe extern "C" fn is_reloading(_: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the GIL is held.
    unsafe { ffi::PyBool_FromLong((RELOADS.get() > 0).into()) }
}

/// The step `'run', kind, where, name, file, sys_name, module, previous, again, runner`: `runner(module)` runs the code
/// of a file (bytes), and answers its version. From then on `name`, asked for there, gives what the code has left in
/// `sys.modules` under `sys_name`, which is also the answer. None if another module than `previous` (None: none) is
/// there at the start.
///
/// A failure puts everything back: `sys.modules`, and, `again`, the names in the module.
///
/// # Safety
/// The GIL is held and the arguments are alive.
#[inline(never)]
pub(super) unsafe fn run_module(state: &State, given: [*mut ffi::PyObject; 9]) -> Option<Owned> {
    let [kind, place, asked, file, name, module, previous, again, runner] = given;
    // SAFETY: as the caller promises.
    unsafe {
        let Some(from) = Where::of(ffi::PyLong_AsLongLong(kind), place) else {
            raise(ffi::PyExc_ValueError, "run() got a place that is none");
            return None;
        };
        let (file, again) = (file_name(file)?, truth(again)?);
        if stack::is_short() {
            #[cfg(feature = "python3")]
            let kind = ffi::PyExc_RecursionError;
            #[cfg(not(feature = "python3"))]
            let kind = ffi::PyExc_RuntimeError;
            raise(kind, "maximum recursion depth exceeded: the thread's stack is too small for more imports");
            return None;
        }
        let (lives, seen) = look(&file);
        let modules = ffi::PyImport_GetModuleDict();
        let there = ffi::PyDict_GetItemWithError(modules, name);
        // None there stands for a module that an import statement has not found.
        let or_none = |object: *mut ffi::PyObject| if object.is_null() { ffi::Py_None() } else { object };
        if or_none(there) != previous {
            return Owned::from_new(none());
        }
        // One that the site has taken out of `sys.modules` is gone, as it is for an import statement: with it go the
        // sockets and locks that the new one is to have.
        let gone = writable(state)?.take_gone(&file, |known| known.is_in_sys_modules());
        drop(gone);
        let before = Before::note(module, there, again)?;
        let handle = Loaded::new(module, module, name)?;
        let mut table = writable(state)?;
        let left = table.start(&file, handle);
        drop(table);
        drop(left);
        before.mark(true);
        let entered = ffi::PyDict_SetItem(modules, name, module) == 0;
        RELOADS.set(RELOADS.get() + u32::from(again));
        let ran = if entered { call(state, runner, module) } else { None };
        RELOADS.set(RELOADS.get() - u32::from(again));
        before.mark(false);
        let version = match ran.as_ref().map(Owned::as_ptr) {
            Some(version) if version != ffi::Py_None() => from_tuple(version),
            _ => None,
        };
        let served = match ran {
            Some(_) if ffi::PyErr_Occurred().is_null() => still_there(modules, name),
            _ => None,
        };
        let Some(served) = served else {
            let error = Pending::take();
            // With no bytecode between: what is not running is whole, or gone.
            let left = state.modules.try_borrow_mut().ok().map(|mut table| table.fail(&file));
            before.put_back(modules, name, module);
            drop(left);
            ffi::PyErr_Clear();
            error.restore();
            return None;
        };
        set_mtime(&served, version);
        let content = content_of(version, seen);
        let handle = Loaded::new(served.as_ptr(), module, name)?;
        let mut table = writable(state)?;
        let (id, left) = table.publish(&file, handle, version, content, lives);
        let gone = table.take_all_gone(|known| known.is_in_sys_modules());
        drop(table);
        drop_all(left);
        drop(gone);
        remember(state, &from, asked, id).then_some(served)
    }
}

/// # Safety
/// The GIL is held and the objects are alive.
unsafe fn call(state: &State, runner: *mut ffi::PyObject, module: *mut ffi::PyObject) -> Option<Owned> {
    // SAFETY: as the caller promises; a new reference or NULL.
    unsafe {
        let version = ffi::PyObject_CallFunctionObjArgs(runner, module, null_mut::<ffi::PyObject>());
        steps::finish(state, Owned::from_new(version))
    }
}

/// What `sys.modules` has under the name after the run: a module may have put something else in its place. None there
/// ends an import statement too.
///
/// # Safety
/// The GIL is held.
unsafe fn still_there(modules: *mut ffi::PyObject, name: *mut ffi::PyObject) -> Option<Owned> {
    // SAFETY: live objects.
    unsafe {
        let served = Owned::from_borrowed(ffi::PyDict_GetItemWithError(modules, name));
        let problem = match &served {
            None => "has taken itself out of sys.modules",
            Some(served) if served.as_ptr() == ffi::Py_None() => "has put None into sys.modules in its own place",
            _ => return served,
        };
        let name = Owned::from_borrowed(name).and_then(|name| text::encoded(name)).unwrap_or_default();
        ffi::PyErr_Clear();
        raise(ffi::PyExc_ImportError, &format!("module '{}' {problem}", String::from_utf8_lossy(&name)));
        None
    }
}

/// How things were before the run.
struct Before {
    /// What `sys.modules` had under the name.
    previous: Option<Owned>,
    /// The names in the module, if it is run again.
    names: Option<Owned>,
    /// Which modules there were, if it is a package that is run for the first time: its parts go with it. Python 3
    /// leaves them, and finds them again; in Python 2 `from . import part` would not.
    #[cfg(not(feature = "python3"))]
    modules: Option<Owned>,
    /// The spec of the module: an import that finds one which is initialising waits on the module's lock.
    spec: Option<Owned>,
}

impl Before {
    /// # Safety
    /// The GIL is held and the objects are alive. None with an exception set on failure.
    unsafe fn note(module: *mut ffi::PyObject, previous: *mut ffi::PyObject, again: bool) -> Option<Self> {
        // SAFETY: as the caller promises; what is asked of a module's dict runs no bytecode.
        unsafe {
            let spec = Owned::from_new(ffi::PyObject_GetAttrString(module, c"__spec__".as_ptr()));
            ffi::PyErr_Clear();
            #[cfg(not(feature = "python3"))]
            let is_package = {
                let parts = Owned::from_new(ffi::PyObject_GetAttrString(module, c"__path__".as_ptr()));
                ffi::PyErr_Clear();
                parts.is_some()
            };
            Some(Self {
                previous: Owned::from_borrowed(previous),
                names: if again { Some(copy(ffi::PyModule_GetDict(module))?) } else { None },
                #[cfg(not(feature = "python3"))]
                modules: if is_package && !again { Some(copy(ffi::PyImport_GetModuleDict())?) } else { None },
                spec: spec.filter(|spec| spec.as_ptr() != ffi::Py_None()),
            })
        }
    }

    /// Marks the module as one whose import is under way, or takes the mark off again. An exception stays pending.
    ///
    /// # Safety
    /// The GIL is held.
    unsafe fn mark(&self, initialising: bool) {
        // Python 2 has no such mark.
        #[cfg(feature = "python3")]
        // SAFETY: live objects; a spec that takes no attributes goes without.
        unsafe {
            let error = Pending::take();
            let flag = if initialising { ffi::Py_True() } else { ffi::Py_False() };
            if let Some(spec) = &self.spec {
                ffi::PyObject_SetAttrString(spec.as_ptr(), c"_initializing".as_ptr(), flag);
            }
            ffi::PyErr_Clear();
            error.restore();
        }
        #[cfg(not(feature = "python3"))]
        let _ = (initialising, &self.spec);
    }

    /// # Safety
    /// The GIL is held and no exception is pending. What is left pending means nothing.
    unsafe fn put_back(&self, modules: *mut ffi::PyObject, name: *mut ffi::PyObject, module: *mut ffi::PyObject) {
        // SAFETY: live objects.
        unsafe {
            match &self.previous {
                Some(previous) => ffi::PyDict_SetItem(modules, name, previous.as_ptr()),
                None => ffi::PyDict_DelItem(modules, name),
            };
            ffi::PyErr_Clear();
            if let Some(names) = &self.names {
                // First everything back in, then what is new out: requests are running in it, and none must miss a
                // name.
                let namespace = ffi::PyModule_GetDict(module);
                ffi::PyDict_Update(namespace, names.as_ptr());
                delete_where(namespace, |key| ffi::PyDict_GetItemWithError(names.as_ptr(), key).is_null());
            }
            #[cfg(not(feature = "python3"))]
            if let Some(there) = &self.modules {
                let name = Owned::from_borrowed(name).and_then(|name| text::encoded(name));
                let Some(mut prefix) = name else { return };
                prefix.push(b'.');
                delete_where(modules, |key| {
                    ffi::PyDict_GetItemWithError(there.as_ptr(), key).is_null()
                        && text::is_text(key)
                        && Owned::from_borrowed(key)
                            .and_then(|key| text::encoded(key))
                            .is_some_and(|key| key.starts_with(&prefix))
                });
            }
        }
    }
}

/// # Safety
/// The GIL is held and `dict` is a live dict.
unsafe fn copy(dict: *mut ffi::PyObject) -> Option<Owned> {
    // SAFETY: as the caller promises.
    unsafe { Owned::from_new(ffi::PyDict_Copy(dict)) }
}

/// # Safety
/// The GIL is held and `dict` is a live dict.
unsafe fn delete_where(dict: *mut ffi::PyObject, condition: impl Fn(*mut ffi::PyObject) -> bool) {
    // SAFETY: the keys are borrowed from a list that is ours alone; one that has gone meanwhile is no error.
    unsafe {
        let Some(keys) = Owned::from_new(ffi::PyDict_Keys(dict)) else { return };
        for at in 0..ffi::PyList_Size(keys.as_ptr()) {
            let key = ffi::PyList_GetItem(keys.as_ptr(), at);
            if condition(key) {
                ffi::PyDict_DelItem(dict, key);
            }
            ffi::PyErr_Clear();
        }
    }
}

impl Loaded {
    /// # Safety
    /// The GIL is held and the objects are alive.
    pub(super) unsafe fn new(
        module: *mut ffi::PyObject,
        ran: *mut ffi::PyObject,
        name: *mut ffi::PyObject,
    ) -> Option<Self> {
        // SAFETY: as the caller promises.
        unsafe {
            Some(Self {
                module: Owned::from_borrowed(module)?,
                ran: Owned::from_borrowed(ran)?,
                name: Owned::from_borrowed(name)?,
            })
        }
    }
}
