//! What the system says of a file: its version, and where it lives.

use super::object::{Owned, file_name, is_int};
use crate::module_cache::{Place, Version};
use crate::python::ffi;
use std::ffi::{CStr, c_int, c_longlong, c_ulonglong};
use std::mem::MaybeUninit;

/// The version of the file as it is now, or None if it cannot be seen.
pub(super) fn version_of(file: &CStr) -> Option<Version> {
    let mut answer = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: a NUL-terminated name, and room for the answer.
    let seen = unsafe { libc::stat(file.as_ptr(), answer.as_mut_ptr()) } == 0;
    // SAFETY: the call has filled the answer in when it returns 0.
    seen.then(|| from_stat(unsafe { answer.assume_init_ref() }))
}

/// The version of an open file.
pub(super) fn version_of_open(descriptor: c_int) -> Option<Version> {
    let mut answer = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: room for the answer; a descriptor that is not open is an error, not undefined.
    let seen = unsafe { libc::fstat(descriptor, answer.as_mut_ptr()) } == 0;
    // SAFETY: as above.
    seen.then(|| from_stat(unsafe { answer.assume_init_ref() }))
}

// The types of these fields differ from platform to platform, so some of the conversions do nothing on this one.
#[allow(clippy::unnecessary_cast)]
fn from_stat(answer: &libc::stat) -> Version {
    Version {
        seconds: answer.st_mtime as i64,
        nanoseconds: answer.st_mtime_nsec as i64,
        changed: (answer.st_ctime as i64, answer.st_ctime_nsec as i64),
        size: answer.st_size as i64,
        inode: answer.st_ino as u64,
        device: answer.st_dev as u64,
    }
}

/// Where the file lives. What cannot be asked is taken for remote, which is the careful answer.
pub(super) fn place_of(file: &CStr) -> Place {
    let mut answer = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: a NUL-terminated name, and room for the answer.
    if unsafe { libc::statfs(file.as_ptr(), answer.as_mut_ptr()) } != 0 {
        return Place::Remote;
    }
    // SAFETY: the call has filled the answer in.
    let f_type = unsafe { answer.assume_init_ref() }.f_type;
    // The magic numbers are 32 bits wide; the field is a signed word of the platform.
    Place::of_filesystem(f_type as u32)
}

/// Does `look` without the GIL.
///
/// # Safety
/// The GIL is held, and `look` calls nothing of CPython.
pub(super) unsafe fn without_gil<T>(look: impl FnOnce() -> T) -> T {
    // SAFETY: the thread has a state and holds the GIL. Between the two calls nothing of CPython is called, and
    // nothing of ours is locked when the GIL is taken back (cpython issue 87135).
    unsafe {
        let thread = ffi::PyEval_SaveThread();
        let seen = look();
        ffi::PyEval_RestoreThread(thread);
        seen
    }
}

/// `version(file)`: the version of a file, by its name (bytes) or its descriptor (int), as a tuple that only this
/// module reads (seconds, nanoseconds, size, inode, device, and twice the time of the last change); None if the file
/// cannot be seen.
///
/// # Safety
/// Called by CPython, as METH_O.
pub(super) unsafe extern "C" fn version(_: *mut ffi::PyObject, file: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython gives a live object and holds the GIL; `without_gil` gets plain system calls.
    unsafe {
        let seen = if is_int(file) {
            let descriptor = ffi::PyLong_AsLong(file);
            if descriptor == -1 && !ffi::PyErr_Occurred().is_null() {
                return std::ptr::null_mut();
            }
            without_gil(|| version_of_open(descriptor as c_int))
        } else {
            let Some(name) = file_name(file) else { return std::ptr::null_mut() };
            without_gil(|| version_of(&name))
        };
        match seen {
            Some(version) => to_tuple(&version),
            None => super::object::none(),
        }
    }
}

/// The tuple for a version, as a new reference or NULL.
///
/// # Safety
/// The GIL is held.
pub(super) unsafe fn to_tuple(version: &Version) -> *mut ffi::PyObject {
    // SAFETY: the format names exactly these seven types.
    unsafe {
        ffi::Py_BuildValue(
            c"(LLLKKLL)".as_ptr(),
            version.seconds as c_longlong,
            version.nanoseconds as c_longlong,
            version.size as c_longlong,
            version.inode as c_ulonglong,
            version.device as c_ulonglong,
            version.changed.0 as c_longlong,
            version.changed.1 as c_longlong,
        )
    }
}

/// The version in such a tuple; None with an exception set if it is none.
///
/// # Safety
/// `tuple` is alive and the GIL is held.
pub(super) unsafe fn from_tuple(tuple: *mut ffi::PyObject) -> Option<Version> {
    // SAFETY: the items are borrowed from a live tuple, whose type and size each call checks.
    unsafe {
        let signed = |at| Some(ffi::PyLong_AsLongLong(Owned::from_new(ffi::PySequence_GetItem(tuple, at))?.as_ptr()));
        let unsigned =
            |at| Some(ffi::PyLong_AsUnsignedLongLong(Owned::from_new(ffi::PySequence_GetItem(tuple, at))?.as_ptr()));
        let version = Version {
            seconds: signed(0)?,
            nanoseconds: signed(1)?,
            changed: (signed(5)?, signed(6)?),
            size: signed(2)?,
            inode: unsigned(3)?,
            device: unsigned(4)?,
        };
        ffi::PyErr_Occurred().is_null().then_some(version)
    }
}
