//! The run of a module's code: it is marked and entered before, and published or put back after, with no
//! bytecode between (I13).

use super::content::{content_of, look};
use super::files::from_tuple;
use super::origin::Origin;
use super::state::{Loaded, State};
use super::writing::{drop_all, remember, set_mtime, writable};
use super::{stack, steps};
use crate::python::errors::Pending;
use crate::python::exceptions::{Exception, clear, is_pending, raise};
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned, none};
use crate::python::values::{boolean, file_name, truth};
use crate::python::{calls, dict, sequence, text};
use std::cell::Cell;

thread_local! {
    /// Modules whose code this thread is running again.
    static RELOADS: Cell<u32> = const { Cell::new(0) };
}

/// `is_reloading()`: whether this thread is running the code of a module again.
pub(super) fn is_reloading(gil: &mut Gil, _: &State) -> Option<Owned> {
    boolean(gil, RELOADS.get() > 0)
}

/// The step `'run', origin, name, file, sys_name, module, previous, again, runner`: `runner(module)` runs the code
/// of a file (bytes), and answers its version. From then on `name`, asked for there, gives what the code has left in
/// `sys.modules` under `sys_name`, which is also the answer. None if another module than `previous` (None: none) is
/// there at the start.
///
/// A failure puts everything back: `sys.modules`, and, `again`, the names in the module.
#[inline(never)]
pub(super) fn run_module(gil: &mut Gil, state: &State, given: [Object<'_>; 8]) -> Option<Owned> {
    let [origin, asked, file, name, module, previous, again, runner] = given;
    let origin = Origin::from_shim(gil, origin)?;
    let (file, again) = (file_name(gil, file)?, truth(gil, again)?);
    if stack::is_short() {
        let text = "maximum recursion depth exceeded: the thread's stack is too small for more imports";
        return raise(gil, Exception::Recursion, text);
    }
    let (lives, seen) = look(gil, &file);
    let modules = dict::modules(gil).clone_ref(gil);
    let there = dict::get(gil, &modules, name);
    // None there means a module that an import statement has not found.
    if !there.as_ref().map_or(Object::none(), Owned::object).is(previous) {
        return Some(none(gil));
    }
    // One that the site has taken out of `sys.modules` is gone, as it is for an import statement: with it go the
    // sockets and locks that the new one is to have.
    let gone = writable(gil, state)?.take_gone(&file, |known| known.is_in_sys_modules(gil));
    drop(gone);
    let before = Before::note(gil, module, there, again)?;
    let handle = Loaded::new(gil, module, module, name);
    let mut table = writable(gil, state)?;
    let left = table.start(&file, handle);
    drop(table);
    drop(left);
    before.mark(gil, true);
    let entered = dict::set(gil, &modules, name, module);
    RELOADS.set(RELOADS.get() + u32::from(again));
    let ran = if entered { call(gil, state, runner, module) } else { None };
    RELOADS.set(RELOADS.get() - u32::from(again));
    before.mark(gil, false);
    let version = match &ran {
        Some(version) if !version.is_none() => from_tuple(gil, version.object()),
        _ => None,
    };
    let served = match ran {
        Some(_) if !is_pending(gil) => still_there(gil, &modules, name),
        _ => None,
    };
    let Some(served) = served else {
        let error = Pending::take(gil);
        // With no bytecode between: a module that is not running is whole, or gone.
        let left = state.modules.try_borrow_mut().ok().map(|mut table| table.fail(&file));
        before.put_back(gil, &modules, name, module);
        drop(left);
        clear(gil);
        error.restore(gil);
        return None;
    };
    set_mtime(gil, &served, version);
    let content = content_of(version, seen);
    let handle = Loaded::new(gil, served.object(), module, name);
    let mut table = writable(gil, state)?;
    let (id, left) = table.publish(&file, handle, version, content, lives);
    let gone = table.take_all_gone(|known| known.is_in_sys_modules(gil));
    drop(table);
    drop_all(left);
    drop(gone);
    remember(gil, state, &origin, asked, id).then_some(served)
}

fn call(gil: &mut Gil, state: &State, runner: Object<'_>, module: Object<'_>) -> Option<Owned> {
    let version = calls::call(gil, runner, [module]);
    steps::finish(gil, state, version)
}

/// The object under the name in `sys.modules` after the run: a module may have put something else in its place. None
/// there ends an import statement too.
fn still_there(gil: &Gil, modules: &Owned, name: Object<'_>) -> Option<Owned> {
    let served = dict::get(gil, modules, name);
    let problem = match &served {
        None => "has taken itself out of sys.modules",
        Some(served) if served.is_none() => "has put None into sys.modules in its own place",
        _ => return served,
    };
    let name = text::encoded(gil, name).unwrap_or_default();
    clear(gil);
    raise(gil, Exception::Import, &format!("module '{}' {problem}", String::from_utf8_lossy(&name)))
}

/// How things were before the run.
struct Before {
    /// The object that `sys.modules` had under the name.
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
    /// `previous` is what `sys.modules` has under the name. None with an exception set on failure.
    fn note(gil: &Gil, module: Object<'_>, previous: Option<Owned>, again: bool) -> Option<Self> {
        // A look into a module's dict runs no bytecode.
        let spec = calls::attribute_named(gil, module, c"__spec__");
        clear(gil);
        #[cfg(not(feature = "python3"))]
        let is_package = {
            let parts = calls::attribute_named(gil, module, c"__path__");
            clear(gil);
            parts.is_some()
        };
        Some(Self {
            previous,
            names: if again { Some(dict::copy(gil, dict::of_module(gil, module)?)?) } else { None },
            #[cfg(not(feature = "python3"))]
            modules: if is_package && !again { Some(dict::copy(gil, dict::modules(gil))?) } else { None },
            spec: spec.filter(|spec| !spec.is_none()),
        })
    }

    /// Marks the module as one whose import is under way, or takes the mark off again. An exception stays pending.
    fn mark(&self, gil: &Gil, initialising: bool) {
        // Python 2 has no such mark.
        #[cfg(feature = "python3")]
        {
            let error = Pending::take(gil);
            // A spec that takes no attributes goes without.
            if let (Some(spec), Some(flag)) = (&self.spec, boolean(gil, initialising)) {
                calls::set_attribute_named(gil, spec, c"_initializing", &flag);
            }
            clear(gil);
            error.restore(gil);
        }
        #[cfg(not(feature = "python3"))]
        let _ = (gil, initialising, &self.spec);
    }

    /// No exception is pending before. One that is left pending means nothing.
    fn put_back(&self, gil: &Gil, modules: &Owned, name: Object<'_>, module: Object<'_>) {
        match &self.previous {
            Some(previous) => {
                dict::set(gil, modules, name, previous);
            }
            None => dict::delete(gil, modules, name),
        }
        clear(gil);
        if let (Some(names), Some(namespace)) = (&self.names, dict::of_module(gil, module)) {
            // First everything back in, then what is new out: requests are running in it, and none must miss a name.
            dict::update(gil, namespace, names);
            delete_where(gil, namespace, |key| !dict::has(gil, names, key));
        }
        #[cfg(not(feature = "python3"))]
        if let Some(there) = &self.modules {
            let Some(mut prefix) = text::encoded(gil, name) else { return };
            prefix.push(b'.');
            delete_where(gil, modules.object(), |key| {
                !dict::has(gil, there, key)
                    && text::is_text(key)
                    && text::encoded(gil, key).is_some_and(|key| key.starts_with(&prefix))
            });
        }
    }
}

/// Takes out of a dict what has such a key. The keys are in a list that is ours alone; one that has gone meanwhile is
/// no error.
fn delete_where(gil: &Gil, dict: Object<'_>, condition: impl Fn(Object<'_>) -> bool) {
    let Some(keys) = dict::keys(gil, dict) else { return };
    for at in 0..sequence::list_size(gil, &keys) {
        let Some(key) = sequence::list_item(gil, &keys, at) else { return };
        if condition(key.object()) {
            dict::delete(gil, dict, &key);
        }
        clear(gil);
    }
}

impl Loaded {
    /// The object that the code of a file, run in the module `ran`, has left in `sys.modules` under that name.
    pub(super) fn new(gil: &Gil, module: Object<'_>, ran: Object<'_>, name: Object<'_>) -> Self {
        Self { module: module.clone_ref(gil), ran: ran.clone_ref(gil), name: name.clone_ref(gil) }
    }
}
