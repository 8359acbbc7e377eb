//! What the shim's generators name in their steps (`steps`), and who does it.

#[cfg(feature = "python3")]
use super::import_lock::import_under_lock;
use super::locked::locked_by;
use super::object::{Owned, raise};
use super::question::ask;
use super::run::run_module;
use super::state::State;
use crate::python::ffi;

/// Does what has that name. None with an exception set on failure.
///
/// # Safety
/// The GIL is held and the arguments are alive.
#[inline(never)]
pub(super) unsafe fn perform(state: &State, name: &[u8], given: &[*mut ffi::PyObject]) -> Option<Owned> {
    // SAFETY: as the caller promises.
    unsafe {
        match (name, given) {
            (b"ask", &[question, look]) => ask(state, question, look),
            (b"locked", &[file, real, decide, failed]) => locked_by(state, [file, real, decide, failed]),
            #[cfg(feature = "python3")]
            (b"importing", &[get_lock, name, function]) => import_under_lock(state, get_lock, name, function),
            (b"run", &[kind, place, asked, file, name, module, previous, again, runner]) => {
                run_module(state, [kind, place, asked, file, name, module, previous, again, runner])
            }
            #[cfg(not(feature = "python3"))]
            (b"execute", &[code, namespace]) => execute(code, namespace),
            _ => {
                raise(ffi::PyExc_SystemError, "modpython-core: a step that is not known");
                None
            }
        }
    }
}

/// Runs a module's code, as an import statement of Python 2 does.
///
/// # Safety
/// As [`perform`].
#[cfg(not(feature = "python3"))]
#[inline(never)]
unsafe fn execute(code: *mut ffi::PyObject, namespace: *mut ffi::PyObject) -> Option<Owned> {
    // SAFETY: live objects of the shim's: a code object, and the dict of a module.
    unsafe {
        let name = c"__builtins__".as_ptr();
        if ffi::PyDict_GetItemString(namespace, name).is_null()
            && ffi::PyDict_SetItemString(namespace, name, ffi::PyEval_GetBuiltins()) < 0
        {
            return None;
        }
        Owned::from_new(ffi::PyEval_EvalCode(code, namespace, namespace))
    }
}
