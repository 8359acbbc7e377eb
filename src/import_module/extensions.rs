//! One interpreter at a time makes an extension module, for Python 3.
//!
//! A module that keeps its data in static variables is made once a process; for the next interpreter CPython copies
//! what the first has got. It looks whether there is something to copy before it makes the module, and importlib has
//! its locks per interpreter. So two interpreters that import the module at the same moment, while its code has given
//! the GIL up for an import of its own, make it twice, and the static variables are those of the second. What the first
//! has got, decimal's exceptions for one, is for good another than what the code uses. Python 2 has one lock of all
//! imports for the process.

use super::locks::{self, Bounded};
use super::state::State;
use crate::pathlock::Key;
use crate::python::exceptions::{Exception, raise};
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned};
use crate::python::{calls, text};
use crate::server::log;
use crate::server::messages::Message;

/// For how many seconds a thread waits for another interpreter's: it may wait for this thread by locks of importlib's
/// that only its own interpreter can see. Then it goes on as without us.
const SECONDS: u16 = 10;

/// `create_extension(create, spec, ...)`: `create(spec, ...)`, one of importlib's functions that make an extension
/// module, while no other interpreter makes one of that name.
pub(super) fn create_extension(gil: &mut Gil, state: &State, given: &[Object<'_>]) -> Option<Owned> {
    let [create, spec, rest @ ..] = given else {
        return raise(gil, Exception::Type, "create_extension() takes 2 arguments or more");
    };
    let name = text::encoded(gil, &calls::attribute_named(gil, *spec, c"name")?)?;
    // No file has a name with a NUL in it.
    let key = Key::new(Key::EVERY_INTERPRETER, &[b"extension\0", name.as_slice()].concat());
    let turn = locks::take_within(gil, state, &key, SECONDS.into());
    match turn {
        Bounded::Interrupted => return None,
        Bounded::Late => say_that_it_goes_on(&name),
        Bounded::Mine | Bounded::Cycle => {}
    }
    let module = match rest {
        [] => calls::call(gil, *create, [*spec]),
        [file, ..] => calls::call(gil, *create, [*spec, *file]),
    };
    if matches!(turn, Bounded::Mine) {
        locks::end(&key);
    }
    module
}

fn say_that_it_goes_on(name: &[u8]) {
    let name = String::from_utf8_lossy(name);
    let text = format!(
        "an import of the extension module {name} has waited {SECONDS} s for another interpreter that makes it, and goes on"
    );
    log::line(Message::ExtensionUnguarded, &text);
}
