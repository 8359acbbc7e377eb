//! The pending exception: taken off the thread, put back, or as text.

use super::calls;
use super::exceptions::{self, Exception};
use super::ffi;
use super::gil::Gil;
use super::object::Owned;
use super::text;
use std::ptr::null_mut;

/// The pending exception as one line, "Type: text", and cleared.
pub(crate) fn take_error(gil: &Gil) -> String {
    let Some(error) = Pending::take(gil).into_value() else { return "no reason given".to_owned() };
    let kind = name_of_class(gil, &error);
    let text = text::of(gil, &error)
        .and_then(|text| text::encoded(gil, &text))
        .map(|text| String::from_utf8_lossy(&text).replace('\n', " "));
    exceptions::clear(gil);
    text.map_or(kind.clone(), |text| format!("{kind}: {text}"))
}

#[cfg(feature = "python3")]
use exceptions::name_of_class;

/// The name of an exception's class. Python 2 names the module of its own exceptions too; and those of its old classes,
/// which all are in 2.4, are of one type.
#[cfg(not(feature = "python3"))]
fn name_of_class(gil: &Gil, error: &Owned) -> String {
    let kind = exceptions::name_of_class(gil, error);
    if kind != "instance" {
        return kind.strip_prefix("exceptions.").map_or(kind.clone(), str::to_owned);
    }
    let name = calls::attribute_named(gil, error, c"__class__")
        .and_then(|class| calls::attribute_named(gil, &class, c"__name__"))
        .and_then(|name| text::encoded(gil, &name).map(|name| String::from_utf8_lossy(&name).into_owned()));
    exceptions::clear(gil);
    name.unwrap_or(kind)
}

/// The pending exception, taken off the thread, to be put back after what must not see it.
pub(crate) struct Pending {
    #[cfg(not(Py_3_12))]
    kind: Option<Owned>,
    value: Option<Owned>,
    #[cfg(not(Py_3_12))]
    traceback: Option<Owned>,
}

impl Pending {
    #[cfg(Py_3_12)]
    pub(crate) fn take(gil: &Gil) -> Self {
        // SAFETY: a new reference or NULL.
        Self { value: unsafe { Owned::from_new(gil, ffi::PyErr_GetRaisedException()) } }
    }

    #[cfg(not(Py_3_12))]
    pub(crate) fn take(gil: &Gil) -> Self {
        let (mut kind, mut value, mut traceback) = (null_mut(), null_mut(), null_mut());
        // SAFETY: three valid outputs, each a new reference or NULL afterwards.
        unsafe {
            ffi::PyErr_Fetch(&raw mut kind, &raw mut value, &raw mut traceback);
            ffi::PyErr_NormalizeException(&raw mut kind, &raw mut value, &raw mut traceback);
            let [kind, value, traceback] = [kind, value, traceback].map(|object| Owned::from_new(gil, object));
            Self { kind, value, traceback }
        }
    }

    /// The exception itself; None if none was pending.
    pub(crate) fn value(&self) -> Option<&Owned> {
        self.value.as_ref()
    }

    /// The string that was raised, as can be done up to Python 2.5: its value says nothing.
    #[cfg(not(feature = "python3"))]
    pub(crate) fn raised_string(&self, _: &Gil) -> Option<&Owned> {
        self.kind.as_ref().filter(|kind| text::is_text(kind.object()))
    }

    /// None: Python 3 raises no strings.
    #[cfg(feature = "python3")]
    pub(crate) fn raised_string(&self, _: &Gil) -> Option<&Owned> {
        None
    }

    /// Whether it is of that class.
    pub(crate) fn is_of(&self, _: &Gil, kind: Exception) -> bool {
        // SAFETY: a live exception, and a class.
        self.value().is_some_and(|value| unsafe { ffi::PyErr_GivenExceptionMatches(value.as_ptr(), kind.class()) != 0 })
    }

    /// Its traceback, if it has one.
    pub(crate) fn traceback(&self, gil: &Gil) -> Option<Owned> {
        #[cfg(Py_3_12)]
        return traceback_of(gil, self.value()?);
        #[cfg(not(Py_3_12))]
        return self.traceback.as_ref().map(|traceback| traceback.clone_ref(gil));
    }

    /// The exception itself.
    pub(crate) fn into_value(self) -> Option<Owned> {
        self.value
    }

    /// Gives it another traceback, or none.
    pub(crate) fn set_traceback(&mut self, _: &Gil, traceback: Option<Owned>) {
        #[cfg(Py_3_12)]
        if let Some(value) = self.value() {
            // SAFETY: a live exception; None stands for no traceback.
            unsafe {
                let traceback = traceback.as_ref().map_or(super::object::Object::none(), Owned::object);
                ffi::PyException_SetTraceback(value.as_ptr(), traceback.as_ptr());
            }
        }
        // The exception itself gets it from here when it is caught.
        #[cfg(not(Py_3_12))]
        {
            self.traceback = traceback;
        }
    }

    /// Raises it in a generator, of whose method `throw` the name is given, and gives what that yields. No exception is
    /// pending before.
    #[cfg(not(lowered))]
    pub(crate) fn throw_into(&self, gil: &Gil, generator: &Owned, throw: &Owned) -> Option<Owned> {
        // The first one that is absent ends the arguments.
        #[cfg(Py_3_12)]
        let given = [&self.value];
        #[cfg(not(Py_3_12))]
        let given = [&self.kind, &self.value, &self.traceback];
        match given.map(|object| object.as_ref().map(Owned::object)) {
            #[cfg(not(Py_3_12))]
            [Some(kind), Some(value), Some(traceback)] => {
                calls::call_method(gil, generator, throw, [kind, value, traceback])
            }
            #[cfg(not(Py_3_12))]
            [Some(kind), Some(value), None] => calls::call_method(gil, generator, throw, [kind, value]),
            #[cfg(not(Py_3_12))]
            [Some(kind), None, _] => calls::call_method(gil, generator, throw, [kind]),
            #[cfg(Py_3_12)]
            [Some(value)] => calls::call_method(gil, generator, throw, [value]),
            [None, ..] => calls::call_method(gil, generator, throw, []),
        }
    }

    /// The same; but the StopIteration, if it is what a generator of Python 3 makes of one that comes out of it.
    #[cfg(feature = "python3")]
    pub(crate) fn into_raised(self, gil: &Gil) -> Self {
        // It is made where the code has ended, and so has no traceback, as one that code raises has.
        let Some(value) = self.value().filter(|_| self.is_of(gil, Exception::Runtime)) else { return self };
        // SAFETY: a live exception; a new reference or NULL.
        let cause = unsafe { Owned::from_new(gil, ffi::PyException_GetCause(value.as_ptr())) };
        match cause.map(|cause| Self::of(gil, cause)) {
            Some(cause) if cause.is_of(gil, Exception::StopIteration) && self.traceback(gil).is_none() => cause,
            _ => self,
        }
    }

    /// An exception that has been raised before.
    #[cfg(feature = "python3")]
    fn of(#[cfg_attr(Py_3_12, allow(unused))] gil: &Gil, value: Owned) -> Self {
        Self {
            #[cfg(not(Py_3_12))]
            // SAFETY: the class of a live object.
            kind: unsafe { Owned::from_borrowed(gil, ffi::Py_TYPE(value.as_ptr()).cast()) },
            #[cfg(not(Py_3_12))]
            traceback: traceback_of(gil, &value),
            value: Some(value),
        }
    }

    /// Makes it pending again, in the place of any that has come meanwhile.
    pub(crate) fn restore(self, _: &Gil) {
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

/// The traceback in an exception that has been raised before.
#[cfg(feature = "python3")]
fn traceback_of(gil: &Gil, error: &Owned) -> Option<Owned> {
    // SAFETY: a live exception; a new reference or NULL.
    unsafe { Owned::from_new(gil, ffi::PyException_GetTraceback(error.as_ptr())) }
}
