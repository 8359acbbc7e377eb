//! `__import__` and what `importlib.import_module` imports by, once handlers' directories are there: an import
//! statement in a module of such a directory may mean that directory's file, and so may a name that is given to a
//! function in its requests. All others are handed on as they are.

#[cfg(feature = "python3")]
use super::bare_names;
use super::imports::{Call, Imports};
use super::module;
use super::object::{Owned, exactly, none, raise};
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

/// The functions that the shim has given.
///
/// # Safety
/// The GIL is held.
unsafe fn functions(state: &State) -> Option<Imports> {
    // SAFETY: as the caller promises; an exception is set where the interpreter has ended.
    unsafe {
        let imports = state.imports.borrow();
        let Some(Imports { import, by_name, sibling, named, failed }) = imports.as_ref() else {
            raise(ffi::PyExc_ImportError, "modpython-core: an import after its interpreter's end");
            return None;
        };
        let again = |object: &Owned| Owned::from_borrowed(object.as_ptr());
        let (import, by_name, failed) = (again(import)?, again(by_name)?, again(failed)?);
        Some(Imports { import, by_name, sibling: again(sibling)?, named: again(named)?, failed })
    }
}

/// `watch_imports(builtins, owner, name, sibling, named, failed)`: puts ours in the place of `builtins.__import__`, and
/// of what `importlib.import_module` imports by, which the module `owner` has under that name. It is done once, and in
/// one step: no code of Python runs in here, so that no other thread goes on with the old functions after the first
/// call.
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
        let (Some(state), Some([builtins, owner, name, sibling, named, failed])) =
            (module::of(core), exactly("watch_imports", args, nargs))
        else {
            return null_mut();
        };
        if state.imports.borrow().is_some() {
            return none();
        }
        let ours = ffi::PyDict_GetItemString(ffi::PyImport_GetModuleDict(), module::NAME.as_ptr());
        let Some(import_name) = text::interned(c"__import__") else { return null_mut() };
        let get =
            |module: *mut ffi::PyObject, name: *mut ffi::PyObject| Owned::from_new(ffi::PyObject_GetAttr(module, name));
        let (Some(import), Some(by_name)) = (get(builtins, import_name.as_ptr()), get(owner, name)) else {
            return null_mut();
        };
        let our_by_name = Owned::from_new(ffi::PyObject_GetAttrString(ours, c"import_by_name".as_ptr()));
        let (Some(our_import), Some(our_by_name)) = (get(ours, import_name.as_ptr()), our_by_name) else {
            return null_mut();
        };
        let [Some(sibling), Some(named), Some(failed)] =
            [sibling, named, failed].map(|object| Owned::from_borrowed(object))
        else {
            return null_mut();
        };
        state.imports.replace(Some(Imports { import, by_name, sibling, named, failed }));
        let is_set = ffi::PyObject_SetAttr(builtins, import_name.as_ptr(), our_import.as_ptr()) == 0
            && ffi::PyObject_SetAttr(owner, name, our_by_name.as_ptr()) == 0;
        if is_set { none() } else { null_mut() }
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
        let Some(imports) = functions(state) else { return null_mut() };
        let call = Call { args, keywords };
        let (name, level) = (call.argument(0, c"name"), call.argument(4, c"level"));
        #[cfg(feature = "python3")]
        let loads = loads(state);
        let other = if name.is_null() || !level.is_null() && level_is_up(level) {
            Ok(None)
        } else {
            meant(state, &imports, name, call.argument(1, c"globals"))
        };
        let Ok(other) = other else { return null_mut() };
        #[cfg(feature = "python3")]
        {
            let fromlist = call.argument(3, c"fromlist");
            let module = match just_loaded(state, loads, other.as_ref().map_or(name, Owned::as_ptr)) {
                Some(module) => with_parts(&imports, module, fromlist),
                None => call.hand_on(&imports.import, 0, c"name", other.as_ref()),
            };
            match &other {
                Some(other) => bare_names::imported(&imports, module, name, other, fromlist),
                None => module,
            }
        }
        #[cfg(not(feature = "python3"))]
        call.hand_on(&imports.import, 0, c"name", other.as_ref())
    }
}

/// How many loads have ended well so far.
#[cfg(feature = "python3")]
fn loads(state: &State) -> usize {
    state.modules.try_borrow().map_or(0, |table| table.loads())
}

/// The module of that name, if it is one that has been loaded since then. Python's own function would look at it, as at
/// one that was there before, and a lazy module takes that for its first use. None for a part.
///
/// # Safety
/// The GIL is held; `name` is alive or NULL.
#[cfg(feature = "python3")]
unsafe fn just_loaded(state: &State, before: usize, name: *mut ffi::PyObject) -> Option<Owned> {
    // SAFETY: as the caller promises.
    unsafe {
        if name.is_null() || loads(state) == before || !text::is_text(name) || top_of(name)?.as_ptr() != name {
            return None;
        }
        let module = Owned::from_borrowed(ffi::PyDict_GetItemWithError(ffi::PyImport_GetModuleDict(), name))?;
        let table = state.modules.try_borrow().ok()?;
        table.has_given(|known| known.module.as_ptr() == module.as_ptr()).then_some(module)
    }
}

/// The module, once a package has the parts that a statement asks it for, as Python's own function brings them.
///
/// # Safety
/// The GIL is held; `fromlist` is alive or NULL.
#[cfg(feature = "python3")]
unsafe fn with_parts(imports: &Imports, module: Owned, fromlist: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: as the caller promises; live objects.
    unsafe {
        if fromlist.is_null() || fromlist == ffi::Py_None() || ffi::PyObject_IsTrue(fromlist) == 0 {
            return module.into_ptr();
        }
        if Owned::from_new(ffi::PyObject_GetAttrString(module.as_ptr(), c"__path__".as_ptr())).is_none() {
            // Else it is what the module has run into.
            if ffi::PyErr_ExceptionMatches(ffi::PyExc_AttributeError) == 0 {
                return null_mut();
            }
            ffi::PyErr_Clear();
            return module.into_ptr();
        }
        let importlib = ffi::PyDict_GetItemString(ffi::PyImport_GetModuleDict(), c"_frozen_importlib".as_ptr());
        let Some(importlib) = Owned::from_borrowed(importlib) else { return null_mut() };
        let handle = Owned::from_new(ffi::PyObject_GetAttrString(importlib.as_ptr(), c"_handle_fromlist".as_ptr()));
        let Some(handle) = handle else { return null_mut() };
        let (import, end) = (imports.import.as_ptr(), null_mut::<ffi::PyObject>());
        ffi::PyObject_CallFunctionObjArgs(handle.as_ptr(), module.as_ptr(), fromlist, import, end)
    }
}

/// What `importlib.import_module` imports by, `(name, package, level)`, likewise: of a relative name the package says
/// where it leads.
///
/// # Safety
/// The GIL is held and the objects are alive.
pub(super) unsafe fn import_by_name(
    state: &State,
    args: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as the caller promises.
    unsafe {
        let Some(imports) = functions(state) else { return null_mut() };
        let call = Call { args, keywords };
        let name = call.argument(0, c"name");
        let level = call.argument(2, c"level");
        let is_relative = !level.is_null() && level_is_up(level)
            || !name.is_null()
                && text::is_text(name)
                && Owned::from_borrowed(name)
                    .and_then(|name| text::encoded(name))
                    .is_some_and(|name| name.starts_with(b"."));
        ffi::PyErr_Clear();
        let (at, keyword) = if is_relative { (1, c"package") } else { (0, c"name") };
        let name = call.argument(at, keyword);
        #[cfg(feature = "python3")]
        let loads = loads(state);
        let other = if name.is_null() { Ok(None) } else { meant(state, &imports, name, null_mut()) };
        let Ok(other) = other else { return null_mut() };
        #[cfg(feature = "python3")]
        {
            let module = match just_loaded(state, loads, other.as_ref().map_or(name, Owned::as_ptr)) {
                Some(module) if !is_relative => module.into_ptr(),
                _ => call.hand_on(&imports.by_name, at, keyword, other.as_ref()),
            };
            match &other {
                Some(other) => bare_names::imported(&imports, module, name, other, null_mut()),
                None => module,
            }
        }
        #[cfg(not(feature = "python3"))]
        call.hand_on(&imports.by_name, at, keyword, other.as_ref())
    }
}

/// The name in `sys.modules` that is meant by the code with these globals, if it is another than it says. NULL for
/// those of the running frame.
///
/// # Safety
/// The GIL is held and the objects are alive.
unsafe fn meant(
    state: &State,
    imports: &Imports,
    name: *mut ffi::PyObject,
    globals: *mut ffi::PyObject,
) -> Result<Option<Owned>, ()> {
    // SAFETY: as the caller promises.
    unsafe {
        if !text::is_text(name) {
            return Ok(None);
        }
        let globals = if globals.is_null() { ffi::PyEval_GetGlobals() } else { globals };
        let end = null_mut::<ffi::PyObject>();
        let (top, answer) = match scope_of(state, globals, name)? {
            Some(Scope { importer, directory, top }) => {
                let (directory, importer) = (directory.as_ptr(), importer.as_ptr());
                let function = imports.sibling.as_ptr();
                let answer = ffi::PyObject_CallFunctionObjArgs(function, top.as_ptr(), directory, importer, name, end);
                (top, answer)
            }
            None => {
                let top = top_of(name).ok_or(())?;
                if !may_be_siblings(state, &top) {
                    return Ok(None);
                }
                let importer = match globals {
                    none if none.is_null() || ffi::PyDict_Check(none) == 0 => null_mut(),
                    globals => ffi::PyDict_GetItemWithError(globals, state.names.dunder_name.as_ptr()),
                };
                let importer = Owned::from_borrowed(importer);
                let importer = importer.as_ref().map_or(ffi::Py_None(), Owned::as_ptr);
                let named = imports.named.as_ptr();
                let answer = ffi::PyObject_CallFunctionObjArgs(named, top.as_ptr(), importer, name, end);
                (top, answer)
            }
        };
        let answer = steps::finish(state, Owned::from_new(answer)).ok_or(())?;
        if answer.as_ptr() == ffi::Py_None() {
            return Ok(None);
        }
        let (Some(answer), Some(top)) = (text::encoded(answer), text::encoded(top)) else { return Err(()) };
        let name = Owned::from_borrowed(name).and_then(|name| text::encoded(name)).ok_or(())?;
        let meant = [answer, name[top.len()..].to_vec()].concat();
        if meant == name {
            return Ok(None);
        }
        text::new(meant).map(Some).ok_or(())
    }
}

/// `directory_of(name)`: the handler's directory that the module of that name in `sys.modules`, or its package, is of;
/// None if it is of none.
///
/// # Safety
/// Called by CPython, as METH_O.
pub(super) unsafe extern "C" fn directory_of(core: *mut ffi::PyObject, name: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let Some(state) = module::of(core) else { return null_mut() };
        if !text::is_text(name) {
            return none();
        }
        let Some(top) = top_of(name) else { return null_mut() };
        let directory = ffi::PyDict_GetItemWithError(state.scopes.as_ptr(), top.as_ptr());
        Owned::from_borrowed(directory).map_or_else(|| none(), Owned::into_ptr)
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
        Ok(may_be_siblings(state, &top).then_some(Scope { importer, directory, top }))
    }
}

/// Whether the name is one that files of handlers' directories are asked for by, or may become one.
///
/// # Safety
/// The GIL is held.
#[inline]
unsafe fn may_be_siblings(state: &State, top: &Owned) -> bool {
    // SAFETY: dicts and a live key.
    unsafe {
        ffi::PyDict_GetItemWithError(ffi::PyImport_GetModuleDict(), top.as_ptr()).is_null()
            || !ffi::PyDict_GetItemWithError(state.contested.as_ptr(), top.as_ptr()).is_null()
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
