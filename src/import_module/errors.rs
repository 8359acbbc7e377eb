//! The pending exception: taken off the thread, put back, or as text.

use super::object::Owned;
use super::text;
use crate::python::ffi;
use std::ffi::CStr;

/// The pending exception as one line, "Type: text", and cleared.
///
/// # Safety
/// The GIL is held.
pub(super) unsafe fn take_error() -> String {
    // SAFETY: each call gets live objects and gives new references or NULL, which `Owned` takes.
    unsafe {
        let Some(error) = Pending::take().value else { return "no reason given".to_owned() };
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
        let (mut kind, mut value, mut traceback) = (std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
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

    /// Makes it pending again, in the place of any that has come meanwhile.
    ///
    /// # Safety
    /// The GIL is held.
    pub(super) unsafe fn restore(self) {
        let given = |object: Option<Owned>| object.map_or(std::ptr::null_mut(), Owned::into_ptr);
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
