//! `import_module` itself. A hit is answered here, without a line of Python; everything else goes to the shim.

use super::caller::{self, Where};
use super::files::{version_of, without_gil};
use super::object::{Owned, arguments, raise, truth};
use super::state::State;
use crate::importer::{EntryId, Place, Verdict};
use crate::python::ffi;

/// The arguments of one call, borrowed for its time.
struct Asked {
    name: *mut ffi::PyObject,
    autoreload: *mut ffi::PyObject,
    log: *mut ffi::PyObject,
    path: *mut ffi::PyObject,
}

/// `import_module(module_name, autoreload=1, log=0, path=None)`.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL | METH_KEYWORDS.
pub(super) unsafe extern "C" fn import_module(
    module: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let Some(state) = State::of(module) else { return std::ptr::null_mut() };
        let Some(asked) = Asked::from_call(state, args, nargs, keywords) else { return std::ptr::null_mut() };
        // Absent means on, as the default 1 does.
        let autoreload = asked.autoreload.is_null() || {
            let Some(autoreload) = truth(asked.autoreload) else { return std::ptr::null_mut() };
            autoreload
        };
        let Some(from) = asked.from(state) else { return std::ptr::null_mut() };
        match hit(state, &from, asked.name, autoreload) {
            Some(module) => module.into_ptr(),
            None => load(state, &from, &asked, autoreload),
        }
    }
}

/// The module for `name` if it is at hand and fresh. None, with no exception set, if it takes more than a look.
///
/// # Safety
/// The GIL is held and `name` is alive.
#[inline]
pub(super) unsafe fn hit(state: &State, from: &Where, name: *mut ffi::PyObject, autoreload: bool) -> Option<Owned> {
    // SAFETY: the GIL is held, so that what is borrowed from our dicts and our cache stays as it is until it is
    // given up; where it is (`Remote`), everything used later is owned.
    unsafe {
        let number = ffi::PyDict_GetItemWithError(from.names(state)?, name);
        if number.is_null() {
            ffi::PyErr_Clear();
            return None;
        }
        let id = EntryId::from_number(ffi::PyLong_AsSize_t(number));
        let cache = state.cache.borrow();
        let entry = cache.get(id)?;
        let loaded = entry.handle();
        // The lookup calls no Python: both the name and the keys that can equal it are exact strings.
        let registered = ffi::PyDict_GetItemWithError(ffi::PyImport_GetModuleDict(), loaded.name.as_ptr());
        let in_sys_modules = registered == loaded.module.as_ptr();
        if !entry.is_watched(autoreload) {
            let verdict = entry.verdict(in_sys_modules, None);
            return Owned::from_borrowed(loaded.module.as_ptr()).filter(|_| verdict == Verdict::Hit);
        }
        if entry.place() == Place::Local {
            let verdict = entry.verdict(in_sys_modules, version_of(entry.file()));
            return Owned::from_borrowed(loaded.module.as_ptr()).filter(|_| verdict == Verdict::Hit);
        }
        let (file, module) = (entry.file().to_owned(), Owned::from_borrowed(loaded.module.as_ptr())?);
        drop(cache);
        let now = without_gil(|| version_of(&file));
        // Looked up again: another thread may have loaded, or started to, while the GIL was away.
        let verdict = state.cache.borrow().get(id)?.verdict(in_sys_modules, now);
        Some(module).filter(|_| verdict == Verdict::Hit)
    }
}

/// # Safety
/// The GIL is held and the arguments are alive.
unsafe fn load(state: &State, from: &Where, asked: &Asked, autoreload: bool) -> *mut ffi::PyObject {
    // SAFETY: as the caller promises; every new reference is owned until the call is over.
    unsafe {
        let shim = state.shim.borrow().as_ref().and_then(|shim| Owned::from_borrowed(shim.load.as_ptr()));
        let Some(shim) = shim else {
            raise(ffi::PyExc_RuntimeError, "modpython-core: import_module called before the shim was put in place");
            return std::ptr::null_mut();
        };
        let or_none = |object: *mut ffi::PyObject| if object.is_null() { ffi::Py_None() } else { object };
        let Some(kind) = Owned::from_new(ffi::PyLong_FromLongLong(from.kind())) else { return std::ptr::null_mut() };
        let Some(reload) = Owned::from_new(ffi::PyBool_FromLong(autoreload.into())) else {
            return std::ptr::null_mut();
        };
        let place = from.object().map_or(ffi::Py_None(), Owned::as_ptr);
        ffi::PyObject_CallFunctionObjArgs(
            shim.as_ptr(),
            asked.name,
            reload.as_ptr(),
            or_none(asked.log),
            or_none(asked.path),
            kind.as_ptr(),
            place,
            std::ptr::null_mut::<ffi::PyObject>(),
        )
    }
}

impl Asked {
    /// Reads positional and keyword arguments. None with a TypeError set if they do not fit.
    ///
    /// # Safety
    /// As the vectorcall protocol has it; the GIL is held.
    #[inline]
    unsafe fn from_call(
        state: &State,
        args: *const *mut ffi::PyObject,
        nargs: ffi::Py_ssize_t,
        keywords: *mut ffi::PyObject,
    ) -> Option<Self> {
        // SAFETY: `nargs` positional arguments, then one value per keyword.
        unsafe {
            let named = if keywords.is_null() { 0 } else { ffi::PyTuple_GET_SIZE(keywords) };
            let given = arguments(args, nargs + named);
            let (positional, rest) = given.split_at(nargs.unsigned_abs());
            if positional.len() > 4 {
                raise(ffi::PyExc_TypeError, "import_module() takes at most 4 positional arguments");
                return None;
            }
            let mut fields = [std::ptr::null_mut(); 4];
            fields[..positional.len()].copy_from_slice(positional);
            for (at, &value) in (0..).zip(rest) {
                let field = Self::field(state, ffi::PyTuple_GET_ITEM(keywords, at))?;
                if !fields[field].is_null() {
                    raise(ffi::PyExc_TypeError, "import_module() got multiple values for one argument");
                    return None;
                }
                fields[field] = value;
            }
            let [name, autoreload, log, path] = fields;
            if name.is_null() || ffi::PyUnicode_Check(name) == 0 {
                raise(ffi::PyExc_TypeError, "import_module() needs the name of a module, a string, as module_name");
                return None;
            }
            Some(Self { name, autoreload, log, path })
        }
    }

    /// Which argument a keyword means.
    ///
    /// # Safety
    /// `keyword` is a live string and the GIL is held.
    #[inline]
    unsafe fn field(state: &State, keyword: *mut ffi::PyObject) -> Option<usize> {
        let names = &state.names;
        let known = [&names.module_name, &names.autoreload, &names.log, &names.path];
        // Keywords of a call site are interned, so that nearly always the address decides.
        if let Some(field) = known.iter().position(|name| name.as_ptr() == keyword) {
            return Some(field);
        }
        // SAFETY: two live strings.
        let field = known.iter().position(|name| unsafe { ffi::PyUnicode_Compare(name.as_ptr(), keyword) } == 0);
        if field.is_none() {
            // SAFETY: the format names one object, which is alive.
            unsafe {
                let text = c"import_module() got an unexpected keyword argument %R";
                ffi::PyErr_Format(ffi::PyExc_TypeError, text.as_ptr(), keyword);
            }
        }
        field
    }

    /// Where the call wants its module from. An empty path counts as none, as it always has.
    ///
    /// # Safety
    /// The GIL is held.
    #[inline]
    unsafe fn from(&self, state: &State) -> Option<Where> {
        // SAFETY: live objects under the GIL.
        unsafe {
            if self.path.is_null() || self.path == ffi::Py_None() || !truth(self.path)? {
                return Some(caller::from_frame(state));
            }
            // A string is a sequence of its letters, and was surely meant as one directory.
            if ffi::PyUnicode_Check(self.path) != 0 {
                return Owned::from_new(ffi::PyTuple_Pack(1, self.path)).map(Where::Path);
            }
            Owned::from_new(ffi::PySequence_Tuple(self.path)).map(Where::Path)
        }
    }
}
