//! The operations that the shim's generators name in their steps (`steps`), and the function behind each.

#[cfg(feature = "python3")]
use super::import_lock::import_under_lock;
use super::locked::locked_by;
use super::question::ask;
use super::run::run_module;
use super::state::State;
use crate::python::exceptions::{Exception, raise};
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned};
#[cfg(not(feature = "python3"))]
use crate::python::{calls, dict};

/// Does what has that name. None with an exception set on failure.
#[inline(never)]
pub(super) fn perform(gil: &mut Gil, state: &State, name: &[u8], given: &[Object<'_>]) -> Option<Owned> {
    match (name, given) {
        (b"ask", &[question, look]) => ask(gil, state, question, look),
        (b"locked", &[file, real, decide, failed]) => locked_by(gil, state, [file, real, decide, failed]),
        #[cfg(feature = "python3")]
        (b"importing", &[get_lock, name, function]) => import_under_lock(gil, state, get_lock, name, function),
        (b"run", &[origin, asked, file, name, module, previous, again, runner]) => {
            run_module(gil, state, [origin, asked, file, name, module, previous, again, runner])
        }
        #[cfg(not(feature = "python3"))]
        (b"execute", &[code, namespace]) => execute(gil, code, namespace),
        _ => raise(gil, Exception::System, "modpython-core: a step that is not known"),
    }
}

/// Runs a module's code, as an import statement of Python 2 does.
#[cfg(not(feature = "python3"))]
#[inline(never)]
fn execute(gil: &Gil, code: Object<'_>, namespace: Object<'_>) -> Option<Owned> {
    let name = c"__builtins__";
    if !dict::has_named(gil, namespace, name) && !dict::set_named(gil, namespace, name, &dict::builtins(gil)?) {
        return None;
    }
    // SAFETY: the shim's step has what compile() or marshal has given it as code, and the dict of a module.
    unsafe { calls::run_code(gil, code, namespace) }
}
