//! `__import__`, once handlers of more than one directory are there: an import statement in a module of such a
//! directory may mean that directory's file. All others are handed on as they are.

use super::module;
use super::object::{Owned, arguments, exactly, none, raise, tuple_items};
use super::state::State;
use super::steps;
use super::text;
use crate::python::ffi;
use std::ptr::null_mut;

/// `scope(sys_name, name, directory)`: the module of that name in `sys.modules`, asked for by `name`, is of a handler's
/// directory.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn scope(
    core: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some([sys_name, name, directory])) = (module::of(core), exactly("scope", args, nargs)) else {
            return null_mut();
        };
        if ffi::PyDict_SetItem(state.scopes.as_ptr(), sys_name, directory) < 0
            || ffi::PyDict_SetItem(state.contested.as_ptr(), name, directory) < 0
        {
            return null_mut();
        }
        state.has_scopes.set(true);
        none()
    }
}

/// `watch_imports(before, sibling)`: the function to put in the place of `before`, which is `builtins.__import__`.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn watch_imports(
    core: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some([before, sibling])) = (module::of(core), exactly("watch_imports", args, nargs)) else {
            return null_mut();
        };
        let (Some(before), Some(sibling)) = (Owned::from_borrowed(before), Owned::from_borrowed(sibling)) else {
            return null_mut();
        };
        let old = state.imports.replace(Some([before, sibling]));
        drop(old);
        let ours = ffi::PyDict_GetItemString(ffi::PyImport_GetModuleDict(), module::NAME.as_ptr());
        ffi::PyObject_GetAttrString(ours, c"__import__".as_ptr())
    }
}

unsafe extern "C" {
    /// See `capi/functions.c`.
    fn mpc_glue_rename_functions(
        values: *mut ffi::PyObject,
        name: *mut ffi::PyObject,
        other: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject;
}

/// `rename_functions(values, name, other)`: functions in the values of a dict whose `__module__` is `name` get `other`;
/// a list of the rest of the values.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn rename_functions(
    _: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL; the types are looked at before the call.
    unsafe {
        let Some([values, name, other]) = exactly("rename_functions", args, nargs) else { return null_mut() };
        if ffi::PyDict_Check(values) == 0 || !text::is_text(name) || !text::is_text(other) {
            raise(ffi::PyExc_TypeError, "rename_functions() takes a dict and two strings");
            return null_mut();
        }
        mpc_glue_rename_functions(values, name, other)
    }
}

/// `__import__(name, globals, locals, fromlist, level)`, its arguments as a tuple and a dict or NULL.
///
/// # Safety
/// The GIL is held and the objects are alive.
pub(super) unsafe fn import(
    state: &State,
    args: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as the caller promises.
    unsafe {
        let functions = state.imports.borrow().as_ref().and_then(|[before, sibling]| {
            Some([Owned::from_borrowed(before.as_ptr())?, Owned::from_borrowed(sibling.as_ptr())?])
        });
        let Some([before, sibling]) = functions else {
            raise(ffi::PyExc_ImportError, "modpython-core: __import__ called after its interpreter's end");
            return null_mut();
        };
        let given = arguments(tuple_items(args), ffi::PyTuple_Size(args));
        let meant = if keywords.is_null() || ffi::PyDict_Size(keywords) == 0 {
            match meant(state, given, &sibling) {
                Ok(meant) => meant,
                Err(()) => return null_mut(),
            }
        } else {
            None
        };
        let Some(name) = meant else { return ffi::PyObject_Call(before.as_ptr(), args, keywords) };
        let Some(changed) = Owned::from_new(ffi::PyTuple_New(given.len() as ffi::Py_ssize_t)) else {
            return null_mut();
        };
        for (at, &object) in (0..).zip(given) {
            let object = if at == 0 { name.as_ptr() } else { object };
            ffi::Py_INCREF(object);
            ffi::PyTuple_SetItem(changed.as_ptr(), at, object);
        }
        ffi::PyObject_Call(before.as_ptr(), changed.as_ptr(), null_mut())
    }
}

/// The name in `sys.modules` that the import statement means, if it is another than it says.
///
/// # Safety
/// The GIL is held and the objects are alive.
unsafe fn meant(state: &State, given: &[*mut ffi::PyObject], sibling: &Owned) -> Result<Option<Owned>, ()> {
    // SAFETY: as the caller promises; what is borrowed from a dict is used before anything else runs.
    unsafe {
        let (name, globals) = match *given {
            [name, globals, ..] => (name, globals),
            // `__import__(name)`, called by hand.
            [name] => (name, ffi::PyEval_GetGlobals()),
            [] => return Ok(None),
        };
        if !text::is_text(name) || given.get(4).is_some_and(|&level| level_is_up(level)) {
            return Ok(None);
        }
        let Some(Scope { importer, directory, top }) = scope_of(state, globals, name)? else { return Ok(None) };
        let none = null_mut::<ffi::PyObject>();
        let function = sibling.as_ptr();
        let answer =
            ffi::PyObject_CallFunctionObjArgs(function, top.as_ptr(), directory.as_ptr(), importer.as_ptr(), none);
        let answer = steps::finish(state, Owned::from_new(answer)).ok_or(())?;
        if answer.as_ptr() == ffi::Py_None() {
            return Ok(None);
        }
        let (Some(answer), Some(top)) = (text::encoded(answer), text::encoded(top)) else { return Err(()) };
        let name = Owned::from_borrowed(name).and_then(|name| text::encoded(name)).ok_or(())?;
        let meant = [answer, name[top.len()..].to_vec()].concat();
        text::new(meant).map(Some).ok_or(())
    }
}

/// An import in a module of a handler's directory, of a name that may be that directory's.
pub(super) struct Scope {
    /// The name of the module.
    importer: Owned,
    /// The directory.
    pub(super) directory: Owned,
    /// The name without its parts after the first.
    top: Owned,
}

/// None if the name means in code with these globals what it means everywhere. An exception is set on failure.
///
/// # Safety
/// The GIL is held, `globals` is alive or NULL, and `name` is text.
#[inline]
pub(super) unsafe fn scope_of(
    state: &State,
    globals: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
) -> Result<Option<Scope>, ()> {
    // SAFETY: as the caller promises; what is borrowed from a dict is owned before anything else runs.
    unsafe {
        if globals.is_null() || ffi::PyDict_Check(globals) == 0 {
            return Ok(None);
        }
        let importer = ffi::PyDict_GetItemWithError(globals, state.names.dunder_name.as_ptr());
        if importer.is_null() || !text::is_text(importer) {
            return Ok(None);
        }
        let importer = Owned::from_borrowed(importer).ok_or(())?;
        let of = top_of(importer.as_ptr()).ok_or(())?;
        let directory = ffi::PyDict_GetItemWithError(state.scopes.as_ptr(), of.as_ptr());
        let Some(directory) = Owned::from_borrowed(directory) else { return Ok(None) };
        let top = top_of(name).ok_or(())?;
        let there = !ffi::PyDict_GetItemWithError(ffi::PyImport_GetModuleDict(), top.as_ptr()).is_null();
        let contested = !ffi::PyDict_GetItemWithError(state.contested.as_ptr(), top.as_ptr()).is_null();
        Ok(if there && !contested { None } else { Some(Scope { importer, directory, top }) })
    }
}

/// # Safety
/// The GIL is held and `level` is alive.
unsafe fn level_is_up(level: *mut ffi::PyObject) -> bool {
    // SAFETY: as the caller promises; an error means that it is no number, which the real function says.
    unsafe {
        let level = ffi::PyLong_AsLong(level);
        ffi::PyErr_Clear();
        level > 0
    }
}

/// The part of a dotted name before its first dot.
///
/// # Safety
/// The GIL is held and `name` is text.
unsafe fn top_of(name: *mut ffi::PyObject) -> Option<Owned> {
    // SAFETY: as the caller promises.
    #[cfg(feature = "python3")]
    unsafe {
        match ffi::PyUnicode_FindChar(name, '.' as u32, 0, ffi::PyUnicode_GetLength(name), 1) {
            -1 => Owned::from_borrowed(name),
            at if at < 0 => None,
            at => Owned::from_new(ffi::PyUnicode_Substring(name, 0, at)),
        }
    }
    // SAFETY: as above.
    #[cfg(not(feature = "python3"))]
    unsafe {
        let name = text::encoded(Owned::from_borrowed(name)?)?;
        let top = name.split(|&byte| byte == b'.').next()?;
        text::new(top)
    }
}

/// `name_of(file)`: the name in `sys.modules` under which the file (bytes) runs just now, or has run; None if it has
/// not.
///
/// # Safety
/// Called by CPython, as METH_O.
pub(super) unsafe extern "C" fn name_of(core: *mut ffi::PyObject, file: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let (Some(state), Some(file)) = (module::of(core), super::object::file_name(file)) else { return null_mut() };
        let table = state.modules.borrow();
        let known = table.of(&file).and_then(|entry| entry.running().or_else(|| entry.ready()));
        known.and_then(|known| Owned::from_borrowed(known.name.as_ptr())).map_or_else(|| none(), Owned::into_ptr)
    }
}
