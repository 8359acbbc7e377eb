//! `import_module` itself. A hit is answered here, without a line of Python; everything else goes to the shim.

use super::content::compare;
use super::dispatcher;
use super::files::version_of;
use super::origin::{Caller, Origin};
use super::state::{Loaded, State};
use super::steps;
use crate::module_cache::{Entry, EntryId, FileSystemKind, Verdict, Version};
use crate::python::exceptions::{self, Exception, raise};
use crate::python::gil::{Gil, without_gil};
use crate::python::object::{Object, Owned};
use crate::python::text::{self, is_text};
use crate::python::values::{as_number, boolean, truth};
use crate::python::{calls, dict, sequence};
use std::cell::Cell;

thread_local! {
    /// The value of PythonAutoReload in the request that this thread has dispatched last.
    static OF_REQUEST: Cell<bool> = const { Cell::new(true) };
}

/// The arguments of one call.
struct Asked<'a> {
    name: Object<'a>,
    autoreload: Option<Object<'a>>,
    log: Option<Object<'a>>,
    path: Option<Object<'a>>,
}

/// `import_module(module_name, autoreload=1, log=0, path=None)`, with its arguments by position and by name.
#[inline]
pub(super) fn import_module<'a>(
    gil: &mut Gil,
    state: &State,
    positional: &[Object<'a>],
    named: impl Iterator<Item = (Object<'a>, Object<'a>)>,
) -> Option<Owned> {
    let asked = Asked::from_call(gil, state, positional, named)?;
    let autoreload = match asked.autoreload {
        // As the default 1 says, but where the stock core reloads nothing a page that does not say so has not been
        // reloaded with PythonAutoReload Off.
        None => state.stock_reloads.get() || OF_REQUEST.get(),
        Some(autoreload) => {
            let autoreload = truth(gil, autoreload)?;
            if dispatcher::is_dispatcher(gil, state) {
                OF_REQUEST.set(autoreload);
            }
            autoreload
        }
    };
    let caller = asked.caller(gil, state)?;
    if let Caller::At(origin) = &caller {
        if let Some(module) = hit(gil, state, origin, asked.name, autoreload) {
            return Some(module);
        }
    }
    load(gil, state, &caller, &asked, autoreload)
}

/// The entry of the file that gave the module of that name, asked for there, when it was asked for last.
#[inline]
pub(super) fn entry_for(gil: &Gil, state: &State, origin: &Origin, name: Object<'_>) -> Option<EntryId> {
    let Some(number) = dict::get(gil, &origin.names(gil, state)?, name) else {
        exceptions::clear(gil);
        return None;
    };
    Some(EntryId::from_number(as_number(gil, &number)))
}

/// The module for `name` if it is loaded and fresh. None without an exception if it has to be loaded, reloaded or
/// waited for.
#[inline]
pub(super) fn hit(gil: &mut Gil, state: &State, origin: &Origin, name: Object<'_>, autoreload: bool) -> Option<Owned> {
    let id = entry_for(gil, state, origin, name)?;
    let table = state.modules.borrow();
    let entry = table.get(id)?;
    let ready = entry.ready()?;
    if entry.is_for_one() && is_for_another(entry) {
        return None;
    }
    let watched = entry.is_watched(autoreload);
    let tick = if watched && state.once_a_tick.get() { tick() } else { 0 };
    if !watched || entry.was_fresh_in(tick) {
        let verdict = entry.verdict(ready.is_in_sys_modules(gil), None);
        return (verdict == Verdict::Hit).then(|| ready.module.clone_ref(gil));
    }
    // A file that cannot be seen: another one may have the name now.
    if entry.file_system() == FileSystemKind::Local {
        let now = version_of(entry.file())?;
        let verdict = entry.verdict(ready.is_in_sys_modules(gil), Some(now));
        entry.fresh_in(if verdict == Verdict::Hit { tick } else { 0 });
        if verdict == Verdict::Hit {
            return Some(ready.module.clone_ref(gil));
        }
        drop(table);
        return if verdict == Verdict::Compare { hit_if_same(gil, state, id, tick) } else { None };
    }
    let file = entry.file().to_owned();
    drop(table);
    let now = without_gil(gil, || version_of(&file))?;
    match look_again(gil, state, id, now, tick)? {
        Ok(module) => Some(module),
        Err(Verdict::Compare) => hit_if_same(gil, state, id, tick),
        Err(_) => None,
    }
}

/// The module if what is in the file is what was run, though its inode has changed. None, too, if another thread has
/// loaded, or started to, while the two were compared. The table is not borrowed.
#[cold]
fn hit_if_same(gil: &mut Gil, state: &State, id: EntryId, tick: u64) -> Option<Owned> {
    let now = compare(gil, state, id)?;
    look_again(gil, state, id, now, tick)?.ok()
}

/// The module if the file, which is `now`, is what was run, and else the verdict. Looked up again: another thread may
/// have loaded, or started to, while the GIL was away.
fn look_again(gil: &Gil, state: &State, id: EntryId, now: Version, tick: u64) -> Option<Result<Owned, Verdict>> {
    let table = state.modules.borrow();
    let entry = table.get(id)?;
    let ready = entry.ready()?;
    let verdict = entry.verdict(ready.is_in_sys_modules(gil), Some(now));
    entry.fresh_in(if verdict == Verdict::Hit { tick } else { 0 });
    Some(if verdict == Verdict::Hit { Ok(ready.module.clone_ref(gil)) } else { Err(verdict) })
}

/// Whether the first request of the module runs alone, in another thread, or another one keeps it back.
#[cold]
fn is_for_another(entry: &Entry<Loaded>) -> bool {
    entry.is_for_another(super::locks::me()) || entry.kept_back_by_another(super::half_made::number()).is_some()
}

/// The coarse clock, which the kernel moves on every few milliseconds, and which is read without a call of the kernel.
#[inline]
fn tick() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: space for the answer. A clock that is not there leaves 0, which is no tick.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn load(gil: &mut Gil, state: &State, caller: &Caller, asked: &Asked<'_>, autoreload: bool) -> Option<Owned> {
    let shim = state.shim.borrow().as_ref().map(|shim| shim.load.clone_ref(gil));
    let Some(shim) = shim else {
        return raise(gil, Exception::Runtime, "modpython-core: import_module called before the shim was put in place");
    };
    let origin = caller.for_shim(gil)?;
    let reload = boolean(gil, autoreload)?;
    let dispatched = boolean(gil, dispatcher::is_dispatcher(gil, state))?;
    let given = [
        asked.name,
        reload.object(),
        asked.log.unwrap_or(Object::none()),
        asked.path.unwrap_or(Object::none()),
        origin.object(),
        dispatched.object(),
    ];
    let loaded = calls::call(gil, &shim, given);
    steps::finish(gil, state, loaded)
}

impl<'a> Asked<'a> {
    /// Reads positional and keyword arguments. None with a TypeError set if they do not fit.
    #[inline]
    fn from_call(
        gil: &Gil,
        state: &State,
        positional: &[Object<'a>],
        named: impl Iterator<Item = (Object<'a>, Object<'a>)>,
    ) -> Option<Self> {
        if positional.len() > 4 {
            return raise(gil, Exception::Type, "import_module() takes at most 4 positional arguments");
        }
        // One by one: so few are not worth a call of memcpy.
        let positional = |at| positional.get(at).copied();
        let mut fields = [positional(0), positional(1), positional(2), positional(3)];
        for (keyword, value) in named {
            let field = Self::field(gil, state, keyword)?;
            if fields[field].is_some() {
                return raise(gil, Exception::Type, "import_module() got multiple values for one argument");
            }
            fields[field] = Some(value);
        }
        let [name, autoreload, log, path] = fields;
        let Some(name) = name.filter(|name| is_text(*name)) else {
            let text = "import_module() needs the name of a module, a string, as module_name";
            return raise(gil, Exception::Type, text);
        };
        Some(Self { name, autoreload, log, path })
    }

    /// Which argument a keyword means.
    #[inline]
    fn field(gil: &Gil, state: &State, keyword: Object<'_>) -> Option<usize> {
        let names = &state.names;
        let known = [&names.module_name, &names.autoreload, &names.log, &names.path];
        // Keywords of a call site are interned, so that nearly always the address decides.
        if let Some(field) = known.iter().position(|&name| keyword.is(name)) {
            return Some(field);
        }
        let text = text::encoded(gil, keyword)?;
        let field = ["module_name", "autoreload", "log", "path"].iter().position(|name| name.as_bytes() == text);
        field.or_else(|| {
            let text = String::from_utf8_lossy(&text);
            raise(gil, Exception::Type, &format!("import_module() got an unexpected keyword argument '{text}'"))
        })
    }

    /// Where the call wants its module from. An empty path counts as none, as it always has.
    #[inline]
    fn caller(&self, gil: &Gil, state: &State) -> Option<Caller> {
        let path = match self.path {
            Some(path) if !path.is_none() && truth(gil, path)? => path,
            _ => return dispatcher::from_frame(gil, state, self.name),
        };
        let items = match text::directory(gil, path) {
            // A string is a sequence of its letters, and was surely meant as one directory.
            Some(directory) => sequence::tuple(gil, &[directory.object()]),
            None if exceptions::is_pending(gil) => None,
            // The one time that it is read: an iterator gives what it has once.
            None => sequence::to_tuple(gil, path),
        };
        items.map(|items| Caller::At(Origin::Path(items)))
    }
}
