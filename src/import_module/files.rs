//! Questions to the system about a file: its version, and its file system.

use super::state::State;
use crate::module_cache::{FileSystemKind, Version};
use crate::python::calls::item_at;
use crate::python::exceptions::is_pending;
use crate::python::ffi;
use crate::python::gil::{Gil, without_gil};
use crate::python::object::{Object, Owned, none};
use crate::python::values::{as_integer, as_long, as_unsigned, file_name, is_int};
use std::ffi::{CStr, c_int, c_longlong, c_ulonglong};
use std::mem::MaybeUninit;

/// The version of the file as it is now, or None if it cannot be seen.
pub(super) fn version_of(file: &CStr) -> Option<Version> {
    let mut answer = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: a NUL-terminated name, and space for the answer.
    let seen = unsafe { libc::stat(file.as_ptr(), answer.as_mut_ptr()) } == 0;
    // SAFETY: the call has filled the answer in when it returns 0.
    seen.then(|| from_stat(unsafe { answer.assume_init_ref() }))
}

/// The version of an open file.
pub(super) fn version_of_open(descriptor: c_int) -> Option<Version> {
    let mut answer = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: space for the answer; a descriptor that is not open is an error, not undefined.
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

/// The kind of file system that the file is on. One that cannot be asked counts as remote, the careful answer.
pub(super) fn file_system_of(file: &CStr) -> FileSystemKind {
    let mut answer = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: a NUL-terminated name, and space for the answer.
    if unsafe { libc::statfs(file.as_ptr(), answer.as_mut_ptr()) } != 0 {
        return FileSystemKind::Remote;
    }
    // SAFETY: the call has filled the answer in.
    let f_type = unsafe { answer.assume_init_ref() }.f_type;
    // The magic numbers are 32 bits wide; the field is a signed word of the platform.
    FileSystemKind::of_filesystem(f_type as u32)
}

/// `version(file)`: the version of a file, by its name (bytes) or its descriptor (int), as a tuple that only this
/// module reads (seconds, nanoseconds, size, inode, device, and twice the time of the last change); None if the file
/// cannot be seen.
pub(super) fn version(gil: &mut Gil, _: &State, file: Object<'_>) -> Option<Owned> {
    let seen = if is_int(file) {
        let descriptor = as_long(gil, file);
        if descriptor == -1 && is_pending(gil) {
            return None;
        }
        without_gil(gil, || version_of_open(descriptor as c_int))
    } else {
        let name = file_name(gil, file)?;
        without_gil(gil, || version_of(&name))
    };
    match seen {
        Some(version) => to_tuple(gil, &version),
        None => Some(none(gil)),
    }
}

/// The tuple for a version. None with an exception set on failure.
pub(super) fn to_tuple(gil: &Gil, version: &Version) -> Option<Owned> {
    // SAFETY: the format names exactly these seven types; a new reference or NULL.
    unsafe {
        let tuple = ffi::Py_BuildValue(
            c"(LLLKKLL)".as_ptr(),
            version.seconds as c_longlong,
            version.nanoseconds as c_longlong,
            version.size as c_longlong,
            version.inode as c_ulonglong,
            version.device as c_ulonglong,
            version.changed.0 as c_longlong,
            version.changed.1 as c_longlong,
        );
        Owned::from_new(gil, tuple)
    }
}

/// The version in such a tuple; None with an exception set for anything else.
pub(super) fn from_tuple(gil: &Gil, tuple: Object<'_>) -> Option<Version> {
    let signed = |at| Some(as_integer(gil, &item_at(gil, tuple, at)?));
    let unsigned = |at| Some(as_unsigned(gil, &item_at(gil, tuple, at)?));
    let version = Version {
        seconds: signed(0)?,
        nanoseconds: signed(1)?,
        changed: (signed(5)?, signed(6)?),
        size: signed(2)?,
        inode: unsigned(3)?,
        device: unsigned(4)?,
    };
    (!is_pending(gil)).then_some(version)
}
