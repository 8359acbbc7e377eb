//! Calls of Python's objects, and what they are asked for. None, or false, says that an exception is set.

use super::ffi;
use super::gil::Gil;
use super::object::{Object, Owned};
use std::ffi::CStr;
use std::ptr::null_mut;

/// With how many arguments a function is called at the most.
const MANY: usize = 7;

/// The attribute of that name, which is text.
#[inline]
pub(crate) fn attribute<'o, 'n>(gil: &Gil, of: impl Into<Object<'o>>, name: impl Into<Object<'n>>) -> Option<Owned> {
    // SAFETY: live objects; a new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PyObject_GetAttr(of.into().as_ptr(), name.into().as_ptr())) }
}

/// The attribute of that name.
pub(crate) fn attribute_named<'o>(gil: &Gil, of: impl Into<Object<'o>>, name: &CStr) -> Option<Owned> {
    // SAFETY: a live object; a new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PyObject_GetAttrString(of.into().as_ptr(), name.as_ptr())) }
}

/// Sets the attribute of that name, which is text.
pub(crate) fn set_attribute<'v>(_: &Gil, of: Object<'_>, name: Object<'_>, value: impl Into<Object<'v>>) -> bool {
    // SAFETY: live objects.
    unsafe { ffi::PyObject_SetAttr(of.as_ptr(), name.as_ptr(), value.into().as_ptr()) == 0 }
}

/// Sets the attribute of that name.
#[cfg(feature = "python3")]
pub(crate) fn set_attribute_named<'o, 'v>(
    _: &Gil,
    of: impl Into<Object<'o>>,
    name: &CStr,
    value: impl Into<Object<'v>>,
) -> bool {
    // SAFETY: live objects.
    unsafe { ffi::PyObject_SetAttrString(of.into().as_ptr(), name.as_ptr(), value.into().as_ptr()) == 0 }
}

/// The object's item under that key. None with an exception set if absent.
pub(crate) fn item<'o, 'k>(gil: &Gil, of: impl Into<Object<'o>>, key: impl Into<Object<'k>>) -> Option<Owned> {
    // SAFETY: live objects; a new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PyObject_GetItem(of.into().as_ptr(), key.into().as_ptr())) }
}

/// The item of a sequence at that index. None with an exception set if absent.
pub(crate) fn item_at<'o>(gil: &Gil, of: impl Into<Object<'o>>, at: ffi::Py_ssize_t) -> Option<Owned> {
    // SAFETY: a live object, whose type and size the call checks; a new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PySequence_GetItem(of.into().as_ptr(), at)) }
}

/// Whether the object says that it contains that one. None with an exception set if it refuses to say.
#[cfg(feature = "python3")]
pub(crate) fn contains(_: &Gil, of: &Owned, item: &Owned) -> Option<bool> {
    // SAFETY: live objects.
    let answer = unsafe { ffi::PySequence_Contains(of.as_ptr(), item.as_ptr()) };
    (answer >= 0).then_some(answer > 0)
}

/// Calls a function with those arguments, seven at the most.
#[inline]
pub(crate) fn call<'f, const N: usize>(
    gil: &Gil,
    function: impl Into<Object<'f>>,
    given: [Object<'_>; N],
) -> Option<Owned> {
    let [one, two, three, four, five, six, seven] = padded(given);
    let (function, end) = (function.into().as_ptr(), null_mut::<ffi::PyObject>());
    // SAFETY: live objects, which the first NULL ends; a new reference or NULL.
    unsafe {
        let answer = ffi::PyObject_CallFunctionObjArgs(function, one, two, three, four, five, six, seven, end);
        Owned::from_new(gil, answer)
    }
}

/// Calls the method of that name, which is text, likewise.
#[inline]
pub(crate) fn call_method<'o, 'n, const N: usize>(
    gil: &Gil,
    of: impl Into<Object<'o>>,
    name: impl Into<Object<'n>>,
    given: [Object<'_>; N],
) -> Option<Owned> {
    let [one, two, three, four, five, six, seven] = padded(given);
    let (of, name, end) = (of.into().as_ptr(), name.into().as_ptr(), null_mut::<ffi::PyObject>());
    // SAFETY: live objects, which the first NULL ends; a new reference or NULL.
    unsafe {
        let answer = ffi::PyObject_CallMethodObjArgs(of, name, one, two, three, four, five, six, seven, end);
        Owned::from_new(gil, answer)
    }
}

/// The arguments, and NULL for those that are not given.
#[inline]
fn padded<const N: usize>(given: [Object<'_>; N]) -> [*mut ffi::PyObject; MANY] {
    const { assert!(N <= MANY) };
    std::array::from_fn(|at| given.get(at).map_or(null_mut(), |object| object.as_ptr()))
}

/// Calls the method of that name with those arguments, two at the most. A single one is no tuple.
pub(crate) fn call_method_named<'o, const N: usize>(
    gil: &Gil,
    of: impl Into<Object<'o>>,
    name: &CStr,
    given: [Object<'_>; N],
) -> Option<Owned> {
    const { assert!(N <= 2) };
    let format = [c"", c"O", c"OO"][N].as_ptr();
    let [one, two, ..] = padded(given);
    // SAFETY: the format says how many of the objects, which are alive, are looked at; a new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PyObject_CallMethod(of.into().as_ptr(), name.as_ptr(), format, one, two)) }
}

/// Calls a function with a tuple of arguments and a dict of those that are given by name.
///
/// # Safety
/// `args` is a tuple, and `keywords` a dict.
pub(crate) unsafe fn call_with(
    gil: &Gil,
    function: &Owned,
    args: Object<'_>,
    keywords: Option<Object<'_>>,
) -> Option<Owned> {
    let keywords = keywords.map_or(null_mut(), Object::as_ptr);
    // SAFETY: live objects of the types that the caller promises; a new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PyObject_Call(function.as_ptr(), args.as_ptr(), keywords)) }
}

/// Calls a function with a tuple of arguments.
pub(crate) fn call_with_tuple(gil: &Gil, function: Object<'_>, given: &Owned) -> Option<Owned> {
    // SAFETY: live objects; anything but a tuple raises. A new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PyObject_CallObject(function.as_ptr(), given.as_ptr())) }
}

/// Imports the module of that name and gives the outermost package. Anything but text raises.
#[cfg(feature = "python3")]
pub(crate) fn import(gil: &Gil, name: Object<'_>) -> Option<Owned> {
    let none = null_mut();
    // SAFETY: a live object, whose type the call checks; an absolute import wants no dicts. A new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PyImport_ImportModuleLevelObject(name.as_ptr(), none, none, none, 0)) }
}

/// Imports the module of that name, which is given itself.
pub(crate) fn import_named(gil: &Gil, name: &CStr) -> Option<Owned> {
    // SAFETY: a new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PyImport_ImportModule(name.as_ptr())) }
}

/// Runs code with that dict as its globals and its locals.
///
/// # Safety
/// `code` is a code object, and `namespace` a dict.
pub(crate) unsafe fn run_code(gil: &Gil, code: Object<'_>, namespace: Object<'_>) -> Option<Owned> {
    let (code, namespace) = (code.as_ptr(), namespace.as_ptr());
    // SAFETY: live objects of the types that the caller promises; a new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PyEval_EvalCode(code, namespace, namespace)) }
}
