//! The first making of an extension module in a process, for Python 3: other interpreters wait for its end.
//!
//! A module that keeps its data in static variables is made once a process; for the next interpreter CPython copies
//! what the first has got. It looks whether there is something to copy before it makes the module, and importlib has
//! its locks per interpreter. So two interpreters that import the module at the same moment, while its code has given
//! the GIL up for an import of its own, make it twice, and the static variables are those of the second. What the first
//! has got, decimal's exceptions for one, is for good another than what the code uses. Python 2 has one lock of all
//! imports for the process.
//!
//! Nobody waits once the first making has ended, well or not, or has taken too long: a module of another kind is made
//! by each interpreter, and one that fails is tried again by each request.

use super::locks::{self, Awaited, TABLE};
use super::state::State;
use crate::pathlock::{Begin, Key};
use crate::python::exceptions::{self, Exception};
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned};
use crate::python::{calls, sequence, text};
use crate::server::log;
use crate::server::messages::Message;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// For how many seconds a thread waits for another interpreter's: that one may wait for this thread, by locks of
/// importlib's that only its own interpreter can see.
const SECONDS: u8 = 5;

/// What is known of the making of a module.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Making {
    /// An interpreter is at the first.
    First(i64),
    /// It is over, or has taken too long.
    Over,
}

/// By file, or by name for one that is built in. Whoever looks at it holds the GIL, as does a fork from Python.
static MAKINGS: LazyLock<Mutex<HashMap<Vec<u8>, Making>>> = LazyLock::new(Mutex::default);

fn makings() -> MutexGuard<'static, HashMap<Vec<u8>, Making>> {
    MAKINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `create_extension(create, attribute, spec, ...)`: `create(spec, ...)`, one of importlib's functions that make an
/// extension module. That attribute of the spec says which module it is.
pub(super) fn create_extension(gil: &mut Gil, state: &State, given: &[Object<'_>]) -> Option<Owned> {
    let [create, attribute, arguments @ ..] = given else {
        return exceptions::raise(gil, Exception::Type, "create_extension() takes 2 arguments or more");
    };
    let module = arguments.first().and_then(|spec| name_of(gil, *spec, *attribute));
    // What the function does not accept is its own to say.
    exceptions::clear(gil);
    let arguments = sequence::tuple(gil, arguments)?;
    match module {
        Some(module) => guarded(gil, state, module, |gil| calls::call_with_tuple(gil, *create, &arguments)),
        None => calls::call_with_tuple(gil, *create, &arguments),
    }
}

/// The name by which the module is known here. None, with or without an exception set, if it is no text.
fn name_of(gil: &Gil, spec: Object<'_>, attribute: Object<'_>) -> Option<Vec<u8>> {
    let name = calls::attribute(gil, spec, attribute)?;
    if text::is_text(&name) { text::encoded(gil, &name) } else { None }
}

fn guarded(gil: &mut Gil, state: &State, module: Vec<u8>, make: impl FnOnce(&Gil) -> Option<Owned>) -> Option<Owned> {
    // No file has a name with a NUL in it.
    let key = Key::new(Key::EVERY_INTERPRETER, &[b"extension\0", module.as_slice()].concat());
    let known = makings().get(&module).copied();
    match known {
        None => {
            makings().insert(module.clone(), Making::First(state.interpreter));
            let is_held = matches!(TABLE.try_begin(&key, locks::me()), Begin::Acquired(_));
            let made = make(gil);
            makings().insert(module, Making::Over);
            if is_held {
                locks::finish(&key, None);
            }
            return made;
        }
        Some(Making::First(interpreter)) if interpreter != state.interpreter => {
            match locks::await_end(gil, state, &key, SECONDS.into()) {
                Awaited::Interrupted => return None,
                Awaited::Over => drop(makings().insert(module, Making::Over)),
                Awaited::Late => {
                    if makings().insert(module.clone(), Making::Over) != Some(Making::Over) {
                        say_that_it_goes_on(&module);
                    }
                }
                Awaited::Cycle => {}
            }
        }
        // A thread of the same interpreter comes here by ways around importlib's lock of the module.
        Some(Making::First(_) | Making::Over) => {}
    }
    make(gil)
}

fn say_that_it_goes_on(module: &[u8]) {
    let module = String::from_utf8_lossy(module);
    let text = format!(
        "an import of the extension module {module} has waited {SECONDS} s for another interpreter that makes it, and goes on"
    );
    log::line(Message::ExtensionUnguarded, &text);
}
