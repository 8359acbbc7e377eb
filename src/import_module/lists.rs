//! A list whose items are replaced in one step, while other threads change it too.

use super::state::State;
use crate::python::exceptions::{Exception, raise};
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned};
use crate::python::sequence;
use crate::python::values::exactly;

/// `exchange(list, items)`: the list has these items; a new list of those that it had. No code of Python runs between
/// the two (the items are strings), so that nothing is lost that another thread has put into it.
pub(super) fn exchange(gil: &mut Gil, _: &State, given: &[Object<'_>]) -> Option<Owned> {
    let [list, items] = exactly(gil, "exchange", given)?;
    if !sequence::is_list(list) || !sequence::is_list(items) {
        return raise(gil, Exception::Type, "exchange() takes two lists");
    }
    let size = sequence::list_size(gil, list);
    let before = sequence::first_items(gil, list, size)?;
    sequence::set_first_items(gil, list, size, items).then_some(before)
}
