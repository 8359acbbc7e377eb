//! `import_module` itself. A hit is answered here, without a line of Python; everything else goes to the shim.

use super::caller::{self, Caller, Where};
use super::content::compare;
use super::files::{version_of, without_gil};
use super::object::{Owned, as_number, raise, truth};
use super::state::{Loaded, State};
use super::steps;
use super::text::{self, is_text};
use crate::module_cache::{Entry, EntryId, Place, Verdict, Version};
use crate::python::ffi;
use std::cell::Cell;

thread_local! {
    /// What PythonAutoReload says for the request that this thread has dispatched last.
    static OF_REQUEST: Cell<bool> = const { Cell::new(true) };
}

/// The arguments of one call, borrowed for its time.
struct Asked {
    name: *mut ffi::PyObject,
    autoreload: *mut ffi::PyObject,
    log: *mut ffi::PyObject,
    path: *mut ffi::PyObject,
}

/// `import_module(module_name, autoreload=1, log=0, path=None)`, with its arguments by position and by name.
///
/// # Safety
/// The GIL is held and the arguments are alive.
#[inline]
pub(super) unsafe fn import_module<'a>(
    state: &State,
    positional: &[*mut ffi::PyObject],
    named: impl Iterator<Item = (*mut ffi::PyObject, *mut ffi::PyObject)> + 'a,
) -> *mut ffi::PyObject {
    // SAFETY: as the caller promises.
    unsafe {
        let Some(asked) = Asked::from_call(state, positional, named) else { return std::ptr::null_mut() };
        let autoreload = if asked.autoreload.is_null() {
            // As the default 1 says, but where the stock core reloads nothing a page that does not say so has not been
            // reloaded with PythonAutoReload Off.
            state.stock_reloads.get() || OF_REQUEST.get()
        } else {
            let Some(autoreload) = truth(asked.autoreload) else { return std::ptr::null_mut() };
            if caller::is_dispatcher(state) {
                OF_REQUEST.set(autoreload);
            }
            autoreload
        };
        let Some(caller) = asked.caller(state) else { return std::ptr::null_mut() };
        let (kind, place) = match &caller {
            Caller::At(from) => match hit(state, from, asked.name, autoreload) {
                Some(module) => return module.into_ptr(),
                None => (from.kind(), from.object()),
            },
            Caller::Page(directory) => (Where::Plain.kind(), Some(directory)),
        };
        load(state, kind, place, &asked, autoreload)
    }
}

/// The entry of the file that gave the module of that name, asked for there, when it was asked for last.
///
/// # Safety
/// The GIL is held and `name` is alive.
#[inline]
pub(super) unsafe fn entry_for(state: &State, from: &Where, name: *mut ffi::PyObject) -> Option<EntryId> {
    // SAFETY: the GIL is held; the number is borrowed from a dict of ours.
    unsafe {
        let number = ffi::PyDict_GetItemWithError(from.names(state)?, name);
        if number.is_null() {
            ffi::PyErr_Clear();
            return None;
        }
        Some(EntryId::from_number(as_number(number)))
    }
}

/// The module for `name` if it is at hand and fresh. None, with no exception set, if it takes more than a look.
///
/// # Safety
/// The GIL is held and `name` is alive.
#[inline]
pub(super) unsafe fn hit(state: &State, from: &Where, name: *mut ffi::PyObject, autoreload: bool) -> Option<Owned> {
    // SAFETY: the GIL is held, so that what is borrowed from our dicts and our table stays as it is until it is
    // given up; where it is (`Remote`), everything used later is owned.
    unsafe {
        let id = entry_for(state, from, name)?;
        let table = state.modules.borrow();
        let entry = table.get(id)?;
        let ready = entry.ready()?;
        let module = ready.module.as_ptr();
        if entry.is_for_one() && is_for_another(entry) {
            return None;
        }
        let watched = entry.is_watched(autoreload);
        let tick = if watched && state.once_a_tick.get() { tick() } else { 0 };
        if !watched || entry.was_fresh_in(tick) {
            let verdict = entry.verdict(ready.is_in_sys_modules(), None);
            return if verdict == Verdict::Hit { Owned::from_borrowed(module) } else { None };
        }
        // A file that cannot be seen: another one may have the name now.
        if entry.place() == Place::Local {
            let now = version_of(entry.file())?;
            let verdict = entry.verdict(ready.is_in_sys_modules(), Some(now));
            entry.fresh_in(if verdict == Verdict::Hit { tick } else { 0 });
            if verdict == Verdict::Hit {
                return Owned::from_borrowed(module);
            }
            drop(table);
            return if verdict == Verdict::Compare { hit_if_same(state, id, tick) } else { None };
        }
        let file = entry.file().to_owned();
        drop(table);
        let now = without_gil(|| version_of(&file))?;
        match look_again(state, id, now, tick)? {
            Ok(module) => Some(module),
            Err(Verdict::Compare) => hit_if_same(state, id, tick),
            Err(_) => None,
        }
    }
}

/// The module if what is in the file is what was run, though its inode has changed. None, too, if another thread has
/// loaded, or started to, while the two were compared.
///
/// # Safety
/// The GIL is held, and the table is not borrowed.
#[cold]
unsafe fn hit_if_same(state: &State, id: EntryId, tick: u64) -> Option<Owned> {
    // SAFETY: as the caller promises.
    unsafe { look_again(state, id, compare(state, id)?, tick)?.ok() }
}

/// The module if the file, which is `now`, is what was run, and else the verdict. Looked up again: another thread may
/// have loaded, or started to, while the GIL was away.
///
/// # Safety
/// The GIL is held.
unsafe fn look_again(state: &State, id: EntryId, now: Version, tick: u64) -> Option<Result<Owned, Verdict>> {
    let table = state.modules.borrow();
    let entry = table.get(id)?;
    let ready = entry.ready()?;
    // SAFETY: the GIL is held; the module is alive as long as the table has it.
    unsafe {
        let verdict = entry.verdict(ready.is_in_sys_modules(), Some(now));
        entry.fresh_in(if verdict == Verdict::Hit { tick } else { 0 });
        if verdict != Verdict::Hit {
            return Some(Err(verdict));
        }
        Owned::from_borrowed(ready.module.as_ptr()).map(Ok)
    }
}

/// Whether the first request of the module runs alone, in another thread, or another one keeps it back.
///
/// # Safety
/// Python is initialised.
#[cold]
unsafe fn is_for_another(entry: &Entry<Loaded>) -> bool {
    // SAFETY: as the caller promises.
    entry.is_for_another(unsafe { super::locks::me() })
        || entry.kept_back_by_another(super::half_made::number()).is_some()
}

/// The coarse clock, which the kernel moves on every few milliseconds, and which is read without a call of the kernel.
#[inline]
fn tick() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: room for the answer. A clock that is not there leaves 0, which is no tick.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// # Safety
/// The GIL is held and the arguments are alive.
unsafe fn load(state: &State, kind: i64, place: Option<&Owned>, asked: &Asked, autoreload: bool) -> *mut ffi::PyObject {
    // SAFETY: as the caller promises; every new reference is owned until the call is over.
    unsafe {
        let shim = state.shim.borrow().as_ref().and_then(|shim| Owned::from_borrowed(shim.load.as_ptr()));
        let Some(shim) = shim else {
            raise(ffi::PyExc_RuntimeError, "modpython-core: import_module called before the shim was put in place");
            return std::ptr::null_mut();
        };
        let or_none = |object: *mut ffi::PyObject| if object.is_null() { ffi::Py_None() } else { object };
        let Some(kind) = Owned::from_new(ffi::PyLong_FromLongLong(kind)) else { return std::ptr::null_mut() };
        let Some(reload) = Owned::from_new(ffi::PyBool_FromLong(autoreload.into())) else {
            return std::ptr::null_mut();
        };
        let Some(dispatched) = Owned::from_new(ffi::PyBool_FromLong(caller::is_dispatcher(state).into())) else {
            return std::ptr::null_mut();
        };
        let place = place.map_or(ffi::Py_None(), Owned::as_ptr);
        let loaded = ffi::PyObject_CallFunctionObjArgs(
            shim.as_ptr(),
            asked.name,
            reload.as_ptr(),
            or_none(asked.log),
            or_none(asked.path),
            kind.as_ptr(),
            place,
            dispatched.as_ptr(),
            std::ptr::null_mut::<ffi::PyObject>(),
        );
        steps::finish(state, Owned::from_new(loaded)).map_or(std::ptr::null_mut(), Owned::into_ptr)
    }
}

impl Asked {
    /// Reads positional and keyword arguments. None with a TypeError set if they do not fit.
    ///
    /// # Safety
    /// The GIL is held and the arguments are alive.
    #[inline]
    unsafe fn from_call(
        state: &State,
        positional: &[*mut ffi::PyObject],
        named: impl Iterator<Item = (*mut ffi::PyObject, *mut ffi::PyObject)>,
    ) -> Option<Self> {
        // SAFETY: as the caller promises.
        unsafe {
            if positional.len() > 4 {
                raise(ffi::PyExc_TypeError, "import_module() takes at most 4 positional arguments");
                return None;
            }
            // One by one: so few are not worth a call of memcpy.
            let positional = |place| positional.get(place).copied().unwrap_or(std::ptr::null_mut());
            let mut fields = [positional(0), positional(1), positional(2), positional(3)];
            for (keyword, value) in named {
                let field = Self::field(state, keyword)?;
                if !fields[field].is_null() {
                    raise(ffi::PyExc_TypeError, "import_module() got multiple values for one argument");
                    return None;
                }
                fields[field] = value;
            }
            let [name, autoreload, log, path] = fields;
            if name.is_null() || !is_text(name) {
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
        // SAFETY: two live strings, of which the keyword is encoded in an owned reference.
        unsafe {
            let text = Owned::from_borrowed(keyword).and_then(|keyword| text::encoded(keyword))?;
            let field = ["module_name", "autoreload", "log", "path"].iter().position(|name| name.as_bytes() == text);
            if field.is_none() {
                let text = String::from_utf8_lossy(&text);
                raise(ffi::PyExc_TypeError, &format!("import_module() got an unexpected keyword argument '{text}'"));
            }
            field
        }
    }

    /// Where the call wants its module from. An empty path counts as none, as it always has.
    ///
    /// # Safety
    /// The GIL is held.
    #[inline]
    unsafe fn caller(&self, state: &State) -> Option<Caller> {
        // SAFETY: live objects under the GIL.
        unsafe {
            if self.path.is_null() || self.path == ffi::Py_None() || !truth(self.path)? {
                return caller::from_frame(state, self.name);
            }
            let items = match text::directory(self.path) {
                // A string is a sequence of its letters, and was surely meant as one directory.
                Some(directory) => Owned::from_new(ffi::PyTuple_Pack(1, directory.as_ptr())),
                None if !ffi::PyErr_Occurred().is_null() => None,
                // The one time that it is read: an iterator gives what it has once.
                None => Owned::from_new(ffi::PySequence_Tuple(self.path)),
            };
            items.map(|items| Caller::At(Where::Path(items)))
        }
    }
}
