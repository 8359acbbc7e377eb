//! The functions through which the shim reads and writes the table behind `import_module`.

use super::call;
use super::content::{compare, content_of, look};
use super::files::{from_tuple, version_of};
use super::origin::Origin;
use super::state::{Loaded, Shim, State};
use super::writing::{after_fork, drop_all, remember, set_mtime, writable};
use crate::module_cache::{EntryId, Verdict, Version};
use crate::python::gil::{Gil, without_gil};
use crate::python::object::{Object, Owned, none};
use crate::python::values::{boolean, exactly, file_name, number, truth};
use crate::python::{dict, sequence, text};
use std::ffi::CStr;

/// `setup(load, import_lock_edges, apache, wsgi, once_a_tick, stock_reloads)`: the shim's two functions, the globals of
/// the two modules whose functions are stock dispatchers, whether one look at a file is enough for a tick of the coarse
/// clock, and whether the stock core runs a changed module again.
pub(super) fn setup(gil: &mut Gil, state: &State, given: &[Object<'_>]) -> Option<Owned> {
    let [load, import_lock_edges, apache, wsgi, once_a_tick, stock_reloads] = exactly(gil, "setup", given)?;
    let [load, import_lock_edges, apache, wsgi] =
        [load, import_lock_edges, apache, wsgi].map(|object| object.clone_ref(gil));
    let (Some(once_a_tick), Some(stock_reloads)) = (truth(gil, once_a_tick), truth(gil, stock_reloads)) else {
        return None;
    };
    state.once_a_tick.set(once_a_tick);
    state.stock_reloads.set(stock_reloads);
    let before = state.shim.replace(Some(Shim { load, import_lock_edges, apache, wsgi }));
    drop(before);
    Some(none(gil))
}

/// `hit(origin, name, autoreload)`: the module if it is at hand and fresh, else None.
pub(super) fn hit(gil: &mut Gil, state: &State, given: &[Object<'_>]) -> Option<Owned> {
    let [origin, name, autoreload] = exactly(gil, "hit", given)?;
    let origin = Origin::from_shim(gil, origin);
    let (Some(origin), Some(autoreload)) = (origin, truth(gil, autoreload)) else { return None };
    call::hit(gil, state, &origin, name, autoreload).or_else(|| Some(none(gil)))
}

/// `verdict(file, autoreload)`: what to do about a file (bytes), what it gave, its name in `sys.modules`, and the
/// module in which its code ran: "hit" or "reload" with all three, "load" with three None. The caller holds the lock of
/// the file: that its code is marked as running then means that the thread which ran it is gone, with a fork, and it
/// must be loaded.
pub(super) fn verdict(gil: &mut Gil, state: &State, given: &[Object<'_>]) -> Option<Owned> {
    let [file, autoreload] = exactly(gil, "verdict", given)?;
    let (Some(file), Some(autoreload)) = (file_name(gil, file), truth(gil, autoreload)) else { return None };
    let now = if autoreload { without_gil(gil, || version_of(&file)) } else { None };
    let same = to_compare(gil, state, &file, now).and_then(|id| compare(gil, state, id));
    let now = same.or(now);
    let table = state.modules.borrow();
    let none = [Object::none(); 3];
    let (word, known) = match table.of(&file).and_then(|entry| Some((entry, entry.ready()?))) {
        None => ("load", none),
        Some((entry, ready)) => {
            let now = now.filter(|_| entry.is_watched(autoreload));
            let known = [&ready.module, &ready.name, &ready.ran].map(Owned::object);
            match entry.verdict(ready.is_in_sys_modules(gil), now) {
                Verdict::Hit => ("hit", known),
                // Others may have compared meanwhile, and noted a version that came later.
                Verdict::Compare if same.is_some() => ("hit", known),
                Verdict::Reload | Verdict::Compare => ("reload", known),
                Verdict::Load | Verdict::Wait => ("load", none),
            }
        }
    };
    let [served, name, ran] = known.map(|object| object.clone_ref(gil));
    drop(table);
    sequence::tuple(gil, &[text::new(gil, word)?.object(), served.object(), name.object(), ran.object()])
}

/// The entry of the file, if only its inode has changed.
fn to_compare(gil: &Gil, state: &State, file: &CStr, now: Option<Version>) -> Option<EntryId> {
    let table = state.modules.borrow();
    let id = table.find(file)?;
    let entry = table.get(id)?;
    let in_sys_modules = entry.ready()?.is_in_sys_modules(gil);
    (entry.verdict(in_sys_modules, now) == Verdict::Compare).then_some(id)
}

/// `adopt(origin, name, file, module, sys_name, version)`: a plain import has run that version of the file (bytes)
/// in `module`; from now on `name`, asked for there, gives it. A version of None is never looked at again.
pub(super) fn adopt(gil: &mut Gil, state: &State, given: &[Object<'_>]) -> Option<Owned> {
    let [origin, name, file, loaded, sys_name, version] = exactly(gil, "adopt", given)?;
    let origin = Origin::from_shim(gil, origin)?;
    let file = file_name(gil, file)?;
    let version = if version.is_none() { None } else { Some(from_tuple(gil, version)?) };
    let (lives, seen) = look(gil, &file);
    let handle = Loaded::new(gil, loaded, loaded, sys_name);
    set_mtime(gil, &handle.module, version);
    let content = content_of(version, seen);
    let mut table = writable(gil, state)?;
    let (id, before) = table.publish(&file, handle, version, content, lives);
    drop(table);
    drop_all(before);
    remember(gil, state, &origin, name, id).then(|| none(gil))
}

/// `link(origin, name, file)`: from now on `name`, asked for there, means this file (bytes), which has been
/// published under another.
pub(super) fn link(gil: &mut Gil, state: &State, given: &[Object<'_>]) -> Option<Owned> {
    let [origin, name, file] = exactly(gil, "link", given)?;
    let origin = Origin::from_shim(gil, origin);
    let (Some(origin), Some(file)) = (origin, file_name(gil, file)) else { return None };
    let id = state.modules.borrow().find(&file);
    id.is_none_or(|id| remember(gil, state, &origin, name, id)).then(|| none(gil))
}

/// `refuse(origin, name, version)`: the file that gave the module of that name failed in that version, or, for None,
/// cannot be read or found now. Gives the module, which goes on being served until the file is another again, and
/// whether that is news; None without such a module.
pub(super) fn refuse(gil: &mut Gil, state: &State, given: &[Object<'_>]) -> Option<Owned> {
    let [origin, name, version] = exactly(gil, "refuse", given)?;
    let origin = Origin::from_shim(gil, origin)?;
    let Some(id) = call::entry_for(gil, state, &origin, name) else { return Some(none(gil)) };
    let file = state.modules.borrow().get(id).map(|entry| entry.file().to_owned());
    let Some(file) = file else { return Some(none(gil)) };
    let now = if version.is_none() { without_gil(gil, || version_of(&file)) } else { from_tuple(gil, version) };
    let mut table = writable(gil, state)?;
    let served = match table.get(id).and_then(|entry| entry.ready()) {
        Some(ready) if ready.is_in_sys_modules(gil) => Some(ready.module.clone_ref(gil)),
        _ => None,
    };
    let Some(served) = served else { return Some(none(gil)) };
    let news = table.refuse(id, now);
    drop(table);
    sequence::tuple(gil, &[served.object(), number(gil, news.into())?.object()])
}

/// `hidden_file(origin, name)`: the file (bytes) behind the module of that name, asked for there, if its code has
/// put something else into `sys.modules` and that is still there; else None.
pub(super) fn hidden_file(gil: &mut Gil, state: &State, given: &[Object<'_>]) -> Option<Owned> {
    let [origin, name] = exactly(gil, "hidden_file", given)?;
    let origin = Origin::from_shim(gil, origin)?;
    let table = state.modules.borrow();
    let entry = call::entry_for(gil, state, &origin, name).and_then(|id| table.get(id));
    let hidden = entry.filter(|entry| {
        entry.ready().is_some_and(|ready| !ready.ran.is(&ready.module) && ready.is_in_sys_modules(gil))
    });
    let Some(file) = hidden.map(|entry| entry.file().to_owned()) else { return Some(none(gil)) };
    drop(table);
    text::file(gil, file.to_bytes())
}

/// `running(file)`: the module in which the code of the file (bytes) runs just now, else the one that it gave, else
/// None.
pub(super) fn running(gil: &mut Gil, state: &State, file: Object<'_>) -> Option<Owned> {
    let file = file_name(gil, file)?;
    let table = state.modules.borrow();
    let known = table.of(&file).and_then(|entry| entry.running().or_else(|| entry.ready()));
    Some(known.map_or_else(|| none(gil), |known| known.module.clone_ref(gil)))
}

/// `is_running(file)`: whether some thread runs the code of the file (bytes), or did when this process was forked.
pub(super) fn is_running(gil: &mut Gil, state: &State, file: Object<'_>) -> Option<Owned> {
    let file = file_name(gil, file)?;
    let runs = state.modules.borrow().of(&file).is_some_and(|entry| entry.running().is_some());
    boolean(gil, runs)
}

/// `claim(name, file)`: whether the load of the file (bytes) may have the name in `sys.modules`; it is kept for it
/// until the load has ended.
pub(super) fn claim(gil: &mut Gil, state: &State, given: &[Object<'_>]) -> Option<Owned> {
    let [name, file] = exactly(gil, "claim", given)?;
    let file = file_name(gil, file)?;
    let name = text::encoded(gil, name)?;
    after_fork(state);
    let mut table = writable(gil, state)?;
    boolean(gil, table.claim(&name, &file))
}

impl Loaded {
    /// Whether `sys.modules` has the module under its name.
    #[inline]
    pub(super) fn is_in_sys_modules(&self, gil: &Gil) -> bool {
        // The lookup calls no Python: both the name and the keys that can equal it are exact strings.
        dict::has_as(gil, dict::modules(gil), &self.name, &self.module)
    }
}
