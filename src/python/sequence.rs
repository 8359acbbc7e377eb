//! Python's lists and tuples. CPython looks at the type of a list, and raises for any other object.

use super::ffi;
use super::gil::Gil;
use super::object::{Object, Owned};

/// A new list with nothing in it. None with an exception set on failure.
pub(crate) fn list(gil: &Gil) -> Option<Owned> {
    // SAFETY: a new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PyList_New(0)) }
}

/// Whether the object is a list.
pub(crate) fn is_list<'o>(object: impl Into<Object<'o>>) -> bool {
    // SAFETY: a live object, whose type is looked at.
    unsafe { ffi::PyList_Check(object.into().as_ptr()) != 0 }
}

/// How many items a list has; -1 with an exception set for any other object.
pub(crate) fn list_size<'l>(_: &Gil, list: impl Into<Object<'l>>) -> ffi::Py_ssize_t {
    // SAFETY: a live object.
    unsafe { ffi::PyList_Size(list.into().as_ptr()) }
}

/// An item of a list. None with an exception set if there is none at that index.
pub(crate) fn list_item<'l>(gil: &Gil, list: impl Into<Object<'l>>, at: ffi::Py_ssize_t) -> Option<Owned> {
    // SAFETY: a live object; what is borrowed from the list is owned before anything else runs.
    unsafe { Owned::from_borrowed(gil, ffi::PyList_GetItem(list.into().as_ptr(), at)) }
}

/// Puts an item at the end of a list. False with an exception set on failure.
pub(crate) fn append(_: &Gil, list: &Owned, item: &Owned) -> bool {
    // SAFETY: live objects.
    unsafe { ffi::PyList_Append(list.as_ptr(), item.as_ptr()) == 0 }
}

/// A new list of the first items of a list. None with an exception set on failure.
pub(crate) fn first_items(gil: &Gil, list: Object<'_>, size: ffi::Py_ssize_t) -> Option<Owned> {
    // SAFETY: a live object; a new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PyList_GetSlice(list.as_ptr(), 0, size)) }
}

/// Replaces the first items of a list by those of another. False with an exception set on failure.
pub(crate) fn set_first_items(_: &Gil, list: Object<'_>, size: ffi::Py_ssize_t, items: Object<'_>) -> bool {
    // SAFETY: live objects.
    unsafe { ffi::PyList_SetSlice(list.as_ptr(), 0, size, items.as_ptr()) == 0 }
}

/// Whether the object is a tuple.
#[inline]
pub(crate) fn is_tuple<'o>(object: impl Into<Object<'o>>) -> bool {
    // SAFETY: a live object, whose type is looked at.
    unsafe { ffi::PyTuple_Check(object.into().as_ptr()) != 0 }
}

/// A new tuple. None with an exception set on failure.
pub(crate) fn tuple(gil: &Gil, items: &[Object<'_>]) -> Option<Owned> {
    // SAFETY: a new reference or NULL; a new tuple has space for so many items, and takes a reference to each over.
    unsafe {
        let tuple = Owned::from_new(gil, ffi::PyTuple_New(items.len() as ffi::Py_ssize_t))?;
        for (at, item) in (0..).zip(items) {
            ffi::PyTuple_SetItem(tuple.as_ptr(), at, item.clone_ref(gil).into_ptr());
        }
        Some(tuple)
    }
}

/// A new tuple of all but the first item of a tuple. None with an exception set on failure.
pub(crate) fn rest(gil: &Gil, tuple: &Owned) -> Option<Owned> {
    let tuple = tuple.as_ptr();
    // SAFETY: a live object, whose type each call checks; a new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PyTuple_GetSlice(tuple, 1, ffi::PyTuple_Size(tuple))) }
}

/// The items of a tuple; no items for any other object.
#[inline]
pub(crate) fn items<'t>(tuple: impl Into<Object<'t>>) -> &'t [Object<'t>] {
    let tuple = tuple.into();
    if !is_tuple(tuple) {
        return &[];
    }
    // SAFETY: a tuple, which keeps its items, and never has others; they lie in it one after the other.
    unsafe {
        let tuple = tuple.as_ptr();
        #[cfg(feature = "python3")]
        return Object::many(
            (&raw const (*tuple.cast::<ffi::PyTupleObject>()).ob_item).cast(),
            ffi::PyTuple_GET_SIZE(tuple),
        );
        #[cfg(not(feature = "python3"))]
        return Object::many(ffi::tuple_items(tuple), ffi::PyTuple_Size(tuple));
    }
}

/// A tuple of what an object gives one after the other. None with an exception set on failure.
pub(crate) fn to_tuple(gil: &Gil, object: Object<'_>) -> Option<Owned> {
    // SAFETY: a live object; a new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PySequence_Tuple(object.as_ptr())) }
}
