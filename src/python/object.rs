//! References to Python's objects: owned ones, and borrowed ones that live as long as their owner.

use super::ffi;
use super::gil::Gil;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// An owned reference. It is made with the GIL of its interpreter, is not `Send`, and so is dropped with that GIL held;
/// what moves it through the lock table without the GIL says so (`locks::Told`).
pub struct Owned(NonNull<ffi::PyObject>);

/// A borrowed reference to an object that somebody owns for as long as `'a`: CPython the arguments of a call, this room
/// what it has in an [`Owned`].
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Object<'a>(NonNull<ffi::PyObject>, PhantomData<&'a ()>);

impl Owned {
    /// Takes a new reference over. None, with Python's exception set, if the call that made it failed.
    ///
    /// # Safety
    /// `object` is NULL or a reference that the caller owns.
    #[inline]
    pub(crate) unsafe fn from_new(_: &Gil, object: *mut ffi::PyObject) -> Option<Self> {
        NonNull::new(object).map(Self)
    }

    /// Makes a reference of one's own out of a borrowed one; None out of NULL.
    ///
    /// # Safety
    /// `object` is NULL or alive.
    #[inline]
    pub(crate) unsafe fn from_borrowed(gil: &Gil, object: *mut ffi::PyObject) -> Option<Self> {
        // SAFETY: alive or NULL, says the caller.
        unsafe { Object::new(object) }.map(|object| object.clone_ref(gil))
    }

    /// The object, borrowed.
    #[inline]
    pub(crate) fn object(&self) -> Object<'_> {
        Object(self.0, PhantomData)
    }

    /// The address of the object.
    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut ffi::PyObject {
        self.0.as_ptr()
    }

    /// The object, with the reference given away.
    #[inline]
    pub(crate) fn into_ptr(self) -> *mut ffi::PyObject {
        let object = self.0.as_ptr();
        std::mem::forget(self);
        object
    }

    /// Another reference to the same object.
    #[inline]
    pub(crate) fn clone_ref(&self, gil: &Gil) -> Self {
        self.object().clone_ref(gil)
    }

    /// Whether it is that very object.
    #[inline]
    pub(crate) fn is<'o>(&self, other: impl Into<Object<'o>>) -> bool {
        self.object().is(other)
    }

    /// Whether it is Python's None.
    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        self.object().is_none()
    }
}

impl Drop for Owned {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the reference is ours, and the thread that drops it holds the GIL (see the type).
        unsafe { ffi::Py_DECREF(self.0.as_ptr()) }
    }
}

impl<'a> Object<'a> {
    /// The object at that address; None for NULL.
    ///
    /// # Safety
    /// `object` is NULL, or alive as long as `'a`, which is a time in which its interpreter's GIL is held.
    #[inline]
    pub unsafe fn new(object: *mut ffi::PyObject) -> Option<Self> {
        NonNull::new(object).map(|object| Self(object, PhantomData))
    }

    /// Python's None.
    #[inline]
    pub(crate) fn none() -> Object<'static> {
        // SAFETY: its address, at which it is as long as Python's library is loaded.
        unsafe { Object(NonNull::new_unchecked(ffi::Py_None()), PhantomData) }
    }

    /// The arguments of a call, as the vectorcall protocol gives them.
    ///
    /// # Safety
    /// `args` points at `nargs` objects, alive as long as `'a`; or it is NULL, or `nargs` is 0.
    #[inline]
    pub(crate) unsafe fn many(args: *const *mut ffi::PyObject, nargs: ffi::Py_ssize_t) -> &'a [Self] {
        if args.is_null() || nargs <= 0 {
            return &[];
        }
        // SAFETY: so many pointers to live objects, says the caller; an `Object` is such a pointer.
        unsafe { std::slice::from_raw_parts(args.cast(), usize::try_from(nargs).unwrap_or_default()) }
    }

    /// The address of the object.
    #[inline]
    pub(crate) fn as_ptr(self) -> *mut ffi::PyObject {
        self.0.as_ptr()
    }

    /// A reference of one's own to it.
    #[inline]
    pub(crate) fn clone_ref(self, _: &Gil) -> Owned {
        // SAFETY: alive, and the GIL is held.
        unsafe { ffi::Py_INCREF(self.0.as_ptr()) };
        Owned(self.0)
    }

    /// Whether it is that very object.
    #[inline]
    pub(crate) fn is<'o>(self, other: impl Into<Object<'o>>) -> bool {
        self.0 == other.into().0
    }

    /// Whether it is Python's None.
    #[inline]
    pub(crate) fn is_none(self) -> bool {
        self.is(Object::none())
    }

    /// Whether it is of that type itself, of no subclass.
    #[inline]
    pub(crate) fn is_exactly(self, kind: *mut ffi::PyTypeObject) -> bool {
        // SAFETY: a live object has a type, whose address is all that is looked at.
        std::ptr::eq(unsafe { ffi::Py_TYPE(self.as_ptr()) }, kind)
    }
}

impl<'a> From<&'a Owned> for Object<'a> {
    #[inline]
    fn from(owned: &'a Owned) -> Self {
        owned.object()
    }
}

/// Python's None, as a reference of one's own.
#[inline]
pub(crate) fn none(gil: &Gil) -> Owned {
    Object::none().clone_ref(gil)
}
