//! `__import__` and what `importlib.import_module` imports by, once handlers' directories are there: an import
//! statement in a module of such a directory may mean that directory's file, and so may a name that is given to a
//! function in its requests. All others are handed on as they are.

#[cfg(feature = "python3")]
use super::bare_names;
use super::imports::{Call, Imports};
use super::module;
use super::state::State;
use super::steps;
use crate::python::exceptions::{self, Exception, Raised, raise};
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned, none};
use crate::python::text::{self, top_of};
use crate::python::values::{as_long, exactly, file_name};
use crate::python::{calls, dict};

/// `scope(sys_name, name, directory)`: the module of that name in `sys.modules`, asked for by `name`, is of a handler's
/// directory.
pub(super) fn scope(gil: &mut Gil, state: &State, given: &[Object<'_>]) -> Option<Owned> {
    let [sys_name, name, directory] = exactly(gil, "scope", given)?;
    if !dict::set(gil, &state.scopes, sys_name, directory) || !dict::set(gil, &state.contested, name, directory) {
        return None;
    }
    state.has_scopes.set(true);
    Some(none(gil))
}

/// The functions that the shim has given. None with an exception set where the interpreter has ended.
fn functions(gil: &Gil, state: &State) -> Option<Imports> {
    let imports = state.imports.borrow();
    let Some(Imports { import, by_name, sibling, named, failed }) = imports.as_ref() else {
        return raise(gil, Exception::Import, "modpython-core: an import after its interpreter's end");
    };
    let [import, by_name, failed] = [import, by_name, failed].map(|object| object.clone_ref(gil));
    Some(Imports { import, by_name, sibling: sibling.clone_ref(gil), named: named.clone_ref(gil), failed })
}

/// `watch_imports(builtins, owner, name, sibling, named, failed)`: puts ours in the place of `builtins.__import__`, and
/// of what `importlib.import_module` imports by, which the module `owner` has under that name. It is done once, and in
/// one step: no code of Python runs in here, so that no other thread goes on with the old functions after the first
/// call.
pub(super) fn watch_imports(gil: &mut Gil, state: &State, given: &[Object<'_>]) -> Option<Owned> {
    let [builtins, owner, name, sibling, named, failed] = exactly(gil, "watch_imports", given)?;
    if state.imports.borrow().is_some() {
        return Some(none(gil));
    }
    let ours = dict::get_named(gil, dict::modules(gil), module::NAME)?;
    let import_name = text::interned(gil, c"__import__")?;
    let theirs = (calls::attribute(gil, builtins, &import_name), calls::attribute(gil, owner, name));
    let (Some(import), Some(by_name)) = theirs else { return None };
    let our_by_name = calls::attribute_named(gil, &ours, c"import_by_name");
    let (our_import, our_by_name) = (calls::attribute(gil, &ours, &import_name)?, our_by_name?);
    let [sibling, named, failed] = [sibling, named, failed].map(|object| object.clone_ref(gil));
    state.imports.replace(Some(Imports { import, by_name, sibling, named, failed }));
    let is_set = calls::set_attribute(gil, builtins, import_name.object(), &our_import)
        && calls::set_attribute(gil, owner, name, &our_by_name);
    is_set.then(|| none(gil))
}

/// `__import__(name, globals, locals, fromlist, level)`.
pub(super) fn import(gil: &mut Gil, state: &State, call: &Call<'_>) -> Option<Owned> {
    let imports = functions(gil, state)?;
    let (name, level) = (call.argument(gil, 0, c"name"), call.argument(gil, 4, c"level"));
    #[cfg(feature = "python3")]
    let loads = loads(state);
    let other = match &name {
        Some(name) if !level.is_some_and(|level| level_is_up(gil, &level)) => {
            let globals = call.argument(gil, 1, c"globals");
            meant(gil, state, &imports, name.object(), globals.as_ref().map(Owned::object)).ok()?
        }
        _ => None,
    };
    #[cfg(feature = "python3")]
    {
        let fromlist = call.argument(gil, 3, c"fromlist");
        let fromlist = fromlist.as_ref().map(Owned::object);
        let module = match just_loaded(gil, state, loads, other.as_ref().or(name.as_ref())) {
            Some(module) => with_parts(gil, &imports, module, fromlist),
            None => call.hand_on(gil, &imports.import, 0, c"name", other.as_ref()),
        };
        match (&name, &other) {
            (Some(name), Some(other)) => bare_names::imported(gil, &imports, module, name.object(), other, fromlist),
            _ => module,
        }
    }
    #[cfg(not(feature = "python3"))]
    call.hand_on(gil, &imports.import, 0, c"name", other.as_ref())
}

/// How many loads have ended well so far.
#[cfg(feature = "python3")]
fn loads(state: &State) -> usize {
    state.modules.try_borrow().map_or(0, |table| table.loads())
}

/// The module of that name, if it is one that has been loaded since then. Python's own function would look at it, as at
/// one that was there before, and a lazy module takes that for its first use. None for a part.
#[cfg(feature = "python3")]
fn just_loaded(gil: &Gil, state: &State, before: usize, name: Option<&Owned>) -> Option<Owned> {
    let name = name?;
    if loads(state) == before || !text::is_text(name) || !top_of(gil, name.object())?.is(name) {
        return None;
    }
    let module = dict::get(gil, dict::modules(gil), name)?;
    let table = state.modules.try_borrow().ok()?;
    table.has_given(|known| known.module.is(&module)).then_some(module)
}

/// The module, once a package has the parts that a statement asks it for, as Python's own function brings them.
#[cfg(feature = "python3")]
fn with_parts(gil: &Gil, imports: &Imports, module: Owned, fromlist: Option<Object<'_>>) -> Option<Owned> {
    let fromlist = match fromlist {
        Some(fromlist) if !fromlist.is_none() && crate::python::values::truth(gil, fromlist) != Some(false) => fromlist,
        _ => return Some(module),
    };
    if calls::attribute_named(gil, &module, c"__path__").is_none() {
        // Else it is what the module has run into.
        if !exceptions::matches(gil, Exception::Attribute) {
            return None;
        }
        exceptions::clear(gil);
        return Some(module);
    }
    let importlib = dict::get_named(gil, dict::modules(gil), c"_frozen_importlib")?;
    let handle = calls::attribute_named(gil, &importlib, c"_handle_fromlist")?;
    calls::call(gil, &handle, [module.object(), fromlist, imports.import.object()])
}

/// `importlib.import_module` imports by it, as `(name, package, level)`: of a relative name the package says where it
/// leads.
pub(super) fn import_by_name(gil: &mut Gil, state: &State, call: &Call<'_>) -> Option<Owned> {
    let imports = functions(gil, state)?;
    let name = call.argument(gil, 0, c"name");
    let level = call.argument(gil, 2, c"level");
    let is_relative = level.is_some_and(|level| level_is_up(gil, &level))
        || name.as_ref().is_some_and(|name| {
            text::is_text(name) && text::encoded(gil, name).is_some_and(|name| name.starts_with(b"."))
        });
    exceptions::clear(gil);
    let (at, keyword) = if is_relative { (1, c"package") } else { (0, c"name") };
    let name = call.argument(gil, at, keyword);
    #[cfg(feature = "python3")]
    let loads = loads(state);
    let other = match &name {
        Some(name) => meant(gil, state, &imports, name.object(), None).ok()?,
        None => None,
    };
    #[cfg(feature = "python3")]
    {
        let module = match just_loaded(gil, state, loads, other.as_ref().or(name.as_ref())) {
            Some(module) if !is_relative => Some(module),
            _ => call.hand_on(gil, &imports.by_name, at, keyword, other.as_ref()),
        };
        match (&name, &other) {
            (Some(name), Some(other)) => bare_names::imported(gil, &imports, module, name.object(), other, None),
            _ => module,
        }
    }
    #[cfg(not(feature = "python3"))]
    call.hand_on(gil, &imports.by_name, at, keyword, other.as_ref())
}

/// The name in `sys.modules` that is meant by the code with these globals, if it is another than it says. Without
/// globals, by the running frame.
fn meant(
    gil: &mut Gil,
    state: &State,
    imports: &Imports,
    name: Object<'_>,
    globals: Option<Object<'_>>,
) -> Result<Option<Owned>, Raised> {
    if !text::is_text(name) {
        return Ok(None);
    }
    let globals = globals.or_else(|| dict::globals(gil));
    let (top, answer) = match scope_of(gil, state, globals, name)? {
        Some(Scope { importer, directory, top }) => {
            let given = [top.object(), directory.object(), importer.object(), name];
            let answer = calls::call(gil, &imports.sibling, given);
            (top, answer)
        }
        None => {
            let top = top_of(gil, name).ok_or(Raised)?;
            if !may_be_siblings(gil, state, &top) {
                return Ok(None);
            }
            let globals = globals.filter(|globals| dict::is_dict(*globals));
            let importer = globals.and_then(|globals| dict::get(gil, globals, &state.names.dunder_name));
            let importer = importer.as_ref().map_or(Object::none(), Owned::object);
            let answer = calls::call(gil, &imports.named, [top.object(), importer, name]);
            (top, answer)
        }
    };
    let answer = steps::finish(gil, state, answer).ok_or(Raised)?;
    if answer.is_none() {
        return Ok(None);
    }
    let (Some(answer), Some(top)) = (text::encoded(gil, &answer), text::encoded(gil, &top)) else {
        return Err(Raised);
    };
    let name = text::encoded(gil, name).ok_or(Raised)?;
    let meant = [answer, name[top.len()..].to_vec()].concat();
    if meant == name {
        return Ok(None);
    }
    text::new(gil, meant).map(Some).ok_or(Raised)
}

/// `directory_of(name)`: the handler's directory that the module of that name in `sys.modules`, or its package, is of;
/// None if it is of none.
pub(super) fn directory_of(gil: &mut Gil, state: &State, name: Object<'_>) -> Option<Owned> {
    if !text::is_text(name) {
        return Some(none(gil));
    }
    let top = top_of(gil, name)?;
    dict::get(gil, &state.scopes, &top).or_else(|| Some(none(gil)))
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

/// None if the name, which is text, means in code with these globals what it means everywhere.
#[inline]
pub(super) fn scope_of(
    gil: &Gil,
    state: &State,
    globals: Option<Object<'_>>,
    name: Object<'_>,
) -> Result<Option<Scope>, Raised> {
    let Some(globals) = globals.filter(|globals| dict::is_dict(*globals)) else { return Ok(None) };
    let importer = dict::get(gil, globals, &state.names.dunder_name);
    let Some(importer) = importer.filter(|importer| text::is_text(importer)) else { return Ok(None) };
    let of = top_of(gil, importer.object()).ok_or(Raised)?;
    let Some(directory) = dict::get(gil, &state.scopes, &of) else { return Ok(None) };
    let top = top_of(gil, name).ok_or(Raised)?;
    Ok(may_be_siblings(gil, state, &top).then_some(Scope { importer, directory, top }))
}

/// Whether the name is one that files of handlers' directories are asked for by, or may become one.
#[inline]
fn may_be_siblings(gil: &Gil, state: &State, top: &Owned) -> bool {
    !dict::has(gil, dict::modules(gil), top) || dict::has(gil, &state.contested, top)
}

/// An error means that it is no number, which the real function says.
fn level_is_up(gil: &Gil, level: &Owned) -> bool {
    let level = as_long(gil, level);
    exceptions::clear(gil);
    level > 0
}

/// `name_of(file)`: the name in `sys.modules` under which the file (bytes) runs just now, or has run; None if it has
/// not.
pub(super) fn name_of(gil: &mut Gil, state: &State, file: Object<'_>) -> Option<Owned> {
    let file = file_name(gil, file)?;
    let table = state.modules.borrow();
    let known = table.of(&file).and_then(|entry| entry.running().or_else(|| entry.ready()));
    Some(known.map_or_else(|| none(gil), |known| known.name.clone_ref(gil)))
}
