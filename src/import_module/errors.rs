//! The pending exception: taken off the thread, put back, or as text.

use super::object::Owned;
use super::text;
use crate::python::ffi;
use std::ffi::CStr;
use std::ptr::null_mut;

/// The pending exception as one line, "Type: text", and cleared.
///
/// # Safety
/// The GIL is held.
pub(super) unsafe fn take_error() -> String {
    // SAFETY: each call gets live objects and gives new references or NULL, which `Owned` takes.
    unsafe {
        let Some(error) = Pending::take().into_value() else { return "no reason given".to_owned() };
        let kind = CStr::from_ptr((*ffi::Py_TYPE(error.as_ptr())).tp_name).to_string_lossy().into_owned();
        // Python 2 names the module of its own exceptions too.
        let kind = kind.strip_prefix("exceptions.").map_or(kind.clone(), str::to_owned);
        let text = Owned::from_new(ffi::PyObject_Str(error.as_ptr()))
            .and_then(|text| text::encoded(text))
            .map(|text| String::from_utf8_lossy(&text).replace('\n', " "));
        ffi::PyErr_Clear();
        text.map_or(kind.clone(), |text| format!("{kind}: {text}"))
    }
}

/// The pending exception, taken off the thread, to be put back after what must not see it.
pub(super) struct Pending {
    #[cfg(not(Py_3_12))]
    kind: Option<Owned>,
    value: Option<Owned>,
    #[cfg(not(Py_3_12))]
    traceback: Option<Owned>,
}

impl Pending {
    /// # Safety
    /// The GIL is held.
    #[cfg(Py_3_12)]
    pub(super) unsafe fn take() -> Self {
        // SAFETY: a new reference or NULL.
        Self { value: unsafe { Owned::from_new(ffi::PyErr_GetRaisedException()) } }
    }

    /// # Safety
    /// The GIL is held.
    #[cfg(not(Py_3_12))]
    pub(super) unsafe fn take() -> Self {
        let (mut kind, mut value, mut traceback) = (null_mut(), null_mut(), null_mut());
        // SAFETY: three valid outputs, each a new reference or NULL afterwards.
        unsafe {
            ffi::PyErr_Fetch(&raw mut kind, &raw mut value, &raw mut traceback);
            ffi::PyErr_NormalizeException(&raw mut kind, &raw mut value, &raw mut traceback);
            Self { kind: Owned::from_new(kind), value: Owned::from_new(value), traceback: Owned::from_new(traceback) }
        }
    }

    /// The exception itself; None if none was pending.
    pub(super) fn value(&self) -> Option<&Owned> {
        self.value.as_ref()
    }

    /// Whether it is of that class.
    ///
    /// # Safety
    /// The GIL is held, and `class` is one of exceptions.
    pub(super) unsafe fn is_of(&self, class: *mut ffi::PyObject) -> bool {
        // SAFETY: live objects.
        self.value().is_some_and(|value| unsafe { ffi::PyErr_GivenExceptionMatches(value.as_ptr(), class) != 0 })
    }

    /// Its traceback, if it has one.
    ///
    /// # Safety
    /// The GIL is held.
    pub(super) unsafe fn traceback(&self) -> Option<Owned> {
        #[cfg(Py_3_12)]
        // SAFETY: a live exception; a new reference or NULL.
        return unsafe { Owned::from_new(ffi::PyException_GetTraceback(self.value()?.as_ptr())) };
        #[cfg(not(Py_3_12))]
        // SAFETY: a live object.
        return unsafe { Owned::from_borrowed(self.traceback.as_ref()?.as_ptr()) };
    }

    /// The exception itself.
    pub(super) fn into_value(self) -> Option<Owned> {
        self.value
    }

    /// Gives it another traceback, or none.
    ///
    /// # Safety
    /// The GIL is held.
    pub(super) unsafe fn set_traceback(&mut self, traceback: Option<Owned>) {
        #[cfg(Py_3_12)]
        if let Some(value) = self.value() {
            // SAFETY: a live exception; None stands for no traceback.
            unsafe {
                let traceback = traceback.as_ref().map_or(ffi::Py_None(), Owned::as_ptr);
                ffi::PyException_SetTraceback(value.as_ptr(), traceback);
            }
        }
        // The exception itself gets it from here when it is caught.
        #[cfg(not(Py_3_12))]
        {
            self.traceback = traceback;
        }
    }

    /// Raises it in a generator, of whose method `throw` the name is given. What that gives: a new reference or NULL.
    ///
    /// # Safety
    /// The GIL is held, and no exception is pending.
    pub(super) unsafe fn throw_into(&self, generator: &Owned, throw: &Owned) -> *mut ffi::PyObject {
        let given = |object: &Option<Owned>| object.as_ref().map_or(null_mut(), Owned::as_ptr);
        let (generator, throw, end) = (generator.as_ptr(), throw.as_ptr(), null_mut::<ffi::PyObject>());
        // SAFETY: live objects.
        #[cfg(Py_3_12)]
        return unsafe { ffi::PyObject_CallMethodObjArgs(generator, throw, given(&self.value), end) };
        // SAFETY: live objects; what is not there ends the arguments.
        #[cfg(not(Py_3_12))]
        unsafe {
            let (kind, value, traceback) = (given(&self.kind), given(&self.value), given(&self.traceback));
            ffi::PyObject_CallMethodObjArgs(generator, throw, kind, value, traceback, end)
        }
    }

    /// The same; but the StopIteration, if it is what a generator of Python 3 makes of one that comes out of it.
    ///
    /// # Safety
    /// The GIL is held.
    #[cfg(feature = "python3")]
    pub(super) unsafe fn into_raised(self) -> Self {
        // SAFETY: live objects; a new reference or NULL.
        unsafe {
            // It is made where the code has ended, and so has no traceback, as one that code raises has.
            let Some(value) = self.value().filter(|_| self.is_of(ffi::PyExc_RuntimeError)) else { return self };
            let cause = Owned::from_new(ffi::PyException_GetCause(value.as_ptr()));
            match cause.map(|cause| Self::of(cause)) {
                Some(cause) if cause.is_of(ffi::PyExc_StopIteration) && self.traceback().is_none() => cause,
                _ => self,
            }
        }
    }

    /// An exception that has been raised before.
    ///
    /// # Safety
    /// The GIL is held.
    #[cfg(feature = "python3")]
    unsafe fn of(value: Owned) -> Self {
        Self {
            #[cfg(not(Py_3_12))]
            // SAFETY: the class of a live object.
            kind: unsafe { Owned::from_borrowed(ffi::Py_TYPE(value.as_ptr()).cast()) },
            #[cfg(not(Py_3_12))]
            // SAFETY: a live exception; a new reference or NULL.
            traceback: unsafe { Owned::from_new(ffi::PyException_GetTraceback(value.as_ptr())) },
            value: Some(value),
        }
    }

    /// Makes it pending again, in the place of any that has come meanwhile.
    ///
    /// # Safety
    /// The GIL is held.
    pub(super) unsafe fn restore(self) {
        let given = |object: Option<Owned>| object.map_or(null_mut(), Owned::into_ptr);
        // SAFETY: the references are given away, as the calls want.
        #[cfg(Py_3_12)]
        unsafe {
            ffi::PyErr_SetRaisedException(given(self.value));
        }
        #[cfg(not(Py_3_12))]
        // SAFETY: as above.
        unsafe {
            ffi::PyErr_Restore(given(self.kind), given(self.value), given(self.traceback));
        }
    }
}
