//! Python's dicts, and those that CPython has itself: `sys.modules`, a module's, the running frame's, a thread's.
//!
//! CPython looks at the type of each: any other object raises, or has nothing.

use super::ffi;
use super::gil::Gil;
use super::object::{Object, Owned};
use std::ffi::CStr;

/// A new dict. None with an exception set on failure.
pub(crate) fn new(gil: &Gil) -> Option<Owned> {
    // SAFETY: a new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PyDict_New()) }
}

/// The dict's value of that key. None if absent, or, with an exception set, if the key could not be looked up.
#[inline]
pub(crate) fn get<'d, 'k>(gil: &Gil, dict: impl Into<Object<'d>>, key: impl Into<Object<'k>>) -> Option<Owned> {
    // SAFETY: live objects; what is borrowed from the dict is owned before anything else runs.
    unsafe { Owned::from_borrowed(gil, ffi::PyDict_GetItemWithError(dict.into().as_ptr(), key.into().as_ptr())) }
}

/// Whether the dict has anything under that key; an exception is set where it could not be looked up.
#[inline]
pub(crate) fn has<'d, 'k>(_: &Gil, dict: impl Into<Object<'d>>, key: impl Into<Object<'k>>) -> bool {
    // SAFETY: live objects; what is borrowed is only compared with NULL.
    unsafe { !ffi::PyDict_GetItemWithError(dict.into().as_ptr(), key.into().as_ptr()).is_null() }
}

/// Whether the dict has that very object under that key.
#[inline]
pub(crate) fn has_as(_: &Gil, dict: Object<'_>, key: &Owned, value: &Owned) -> bool {
    // SAFETY: live objects; of what is borrowed the address alone is compared, which is all that a hit asks.
    unsafe { std::ptr::eq(ffi::PyDict_GetItemWithError(dict.as_ptr(), key.as_ptr()), value.as_ptr()) }
}

/// The dict's value of that name. No exception is set either way.
pub(crate) fn get_named<'d>(gil: &Gil, dict: impl Into<Object<'d>>, name: &CStr) -> Option<Owned> {
    // SAFETY: a live object; what is borrowed from the dict is owned before anything else runs.
    unsafe { Owned::from_borrowed(gil, ffi::PyDict_GetItemString(dict.into().as_ptr(), name.as_ptr())) }
}

/// Whether the dict has anything under that name. No exception is set either way.
pub(crate) fn has_named<'d>(_: &Gil, dict: impl Into<Object<'d>>, name: &CStr) -> bool {
    // SAFETY: a live object; what is borrowed is only compared with NULL.
    unsafe { !ffi::PyDict_GetItemString(dict.into().as_ptr(), name.as_ptr()).is_null() }
}

/// Enters a value. False with an exception set on failure.
pub(crate) fn set<'d, 'k, 'v>(
    _: &Gil,
    dict: impl Into<Object<'d>>,
    key: impl Into<Object<'k>>,
    value: impl Into<Object<'v>>,
) -> bool {
    // SAFETY: live objects, of which the dict takes references of its own.
    unsafe { ffi::PyDict_SetItem(dict.into().as_ptr(), key.into().as_ptr(), value.into().as_ptr()) == 0 }
}

/// The same under a name.
pub(crate) fn set_named<'d, 'v>(
    _: &Gil,
    dict: impl Into<Object<'d>>,
    name: &CStr,
    value: impl Into<Object<'v>>,
) -> bool {
    // SAFETY: live objects, of which the dict takes references of its own.
    unsafe { ffi::PyDict_SetItemString(dict.into().as_ptr(), name.as_ptr(), value.into().as_ptr()) == 0 }
}

/// The value under that key, which is `fresh` if there was none. None with an exception set on failure.
pub(crate) fn get_or_set(gil: &Gil, dict: &Owned, key: &Owned, fresh: &Owned) -> Option<Owned> {
    // SAFETY: live objects; what is borrowed from the dict is owned before anything else runs.
    unsafe { Owned::from_borrowed(gil, ffi::PyDict_SetDefault(dict.as_ptr(), key.as_ptr(), fresh.as_ptr())) }
}

/// Takes out what is under that key; an exception is set if there is nothing.
pub(crate) fn delete<'d, 'k>(_: &Gil, dict: impl Into<Object<'d>>, key: impl Into<Object<'k>>) {
    // SAFETY: live objects.
    unsafe { ffi::PyDict_DelItem(dict.into().as_ptr(), key.into().as_ptr()) };
}

/// The same under a name.
pub(crate) fn delete_named(_: &Gil, dict: Object<'_>, name: &CStr) {
    // SAFETY: a live object.
    unsafe { ffi::PyDict_DelItemString(dict.as_ptr(), name.as_ptr()) };
}

/// How many entries there are.
pub(crate) fn size(_: &Gil, dict: &Owned) -> ffi::Py_ssize_t {
    // SAFETY: a live object.
    unsafe { ffi::PyDict_Size(dict.as_ptr()) }
}

/// Takes all out.
pub(crate) fn clear(_: &Gil, dict: &Owned) {
    // SAFETY: a live object.
    unsafe { ffi::PyDict_Clear(dict.as_ptr()) }
}

/// Another dict of the same entries. None with an exception set on failure.
pub(crate) fn copy<'d>(gil: &Gil, dict: impl Into<Object<'d>>) -> Option<Owned> {
    // SAFETY: a live object; a new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PyDict_Copy(dict.into().as_ptr())) }
}

/// Enters all that the other one has. An exception is set on failure.
pub(crate) fn update(_: &Gil, dict: Object<'_>, other: &Owned) {
    // SAFETY: live objects.
    unsafe { ffi::PyDict_Update(dict.as_ptr(), other.as_ptr()) };
}

/// A new list of the keys. None with an exception set on failure.
pub(crate) fn keys(gil: &Gil, dict: Object<'_>) -> Option<Owned> {
    // SAFETY: a live object; a new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PyDict_Keys(dict.as_ptr())) }
}

/// Whether the object is a dict.
#[inline]
pub(crate) fn is_dict(object: Object<'_>) -> bool {
    // SAFETY: a live object, whose type is looked at.
    unsafe { ffi::PyDict_Check(object.as_ptr()) != 0 }
}

/// `sys.modules` of the current interpreter, as import statements have it.
#[inline]
pub(crate) fn modules(_: &Gil) -> Object<'_> {
    // SAFETY: it lives as long as its interpreter, in which this thread holds the GIL. CPython ends the process rather
    // than give NULL.
    unsafe { Object::new(ffi::PyImport_GetModuleDict()).unwrap_unchecked() }
}

/// The attribute of the module `sys`. No exception is set either way.
pub(crate) fn of_sys(gil: &Gil, name: &CStr) -> Option<Owned> {
    // SAFETY: what is borrowed from the module's dict is owned before anything else runs.
    unsafe { Owned::from_borrowed(gil, ffi::PySys_GetObject(name.as_ptr())) }
}

/// The names in a module. None with an exception set for what is no module.
pub(crate) fn of_module<'m>(_: &Gil, module: impl Into<Object<'m>>) -> Option<Object<'m>> {
    // SAFETY: a live object, whose type the call checks; a module keeps its dict.
    unsafe { Object::new(ffi::PyModule_GetDict(module.into().as_ptr())) }
}

/// Whether the object is a module.
pub(crate) fn is_module(object: &Owned) -> bool {
    // SAFETY: a live object, whose type is looked at.
    unsafe { ffi::PyModule_Check(object.as_ptr()) != 0 }
}

/// The globals of the Python code that has called this room; None if none has.
#[inline]
pub(crate) fn globals(_: &Gil) -> Option<Object<'_>> {
    // SAFETY: the frame that has called waits for an answer, for which the GIL is lent, and keeps its globals.
    unsafe { Object::new(ffi::PyEval_GetGlobals()) }
}

/// The built-in names that the running code has.
pub(crate) fn builtins(gil: &Gil) -> Option<Owned> {
    // SAFETY: what is borrowed from the frame, or the interpreter, is owned before anything else runs.
    unsafe { Owned::from_borrowed(gil, ffi::PyEval_GetBuiltins()) }
}

/// The dict of the thread's current state; None, without an exception, if there is no memory for one.
pub(crate) fn of_thread(gil: &Gil) -> Option<Owned> {
    // SAFETY: what is borrowed from the state is owned before anything else runs.
    unsafe { Owned::from_borrowed(gil, ffi::PyThreadState_GetDict()) }
}
