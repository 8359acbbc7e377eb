//! The files that the loader has in memory: whether some of them may hold libpython.

use crate::{python::ffi, server::apache};
use std::{
    ffi::{CStr, OsStr, c_int, c_void},
    os::unix::ffi::OsStrExt,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

/// Parts of the paths of extension modules of Python. Nothing unloads those, and they keep libpython.
const EXTENSION_MODULES: [&[u8]; 5] =
    [b"/lib-dynload/", b"/site-packages/", b"/dist-packages/", b".cpython-", b".abi3.so"];

/// The part for those of Python, which may be initialised again. Others (numpy, lxml, those of PyO3) are not made
/// for that: some raise, and numpy crashes.
const OF_PYTHON: &[u8] = b"/lib-dynload/";

/// The number of files that the loader had loaded when Python was about to start, or 0 if it ran already.
static LOADED_AT_START: AtomicU64 = AtomicU64::new(0);

/// Whether something else than the module may hold libpython: a file that has been loaded since Python started, or
/// whatever had it in memory before the module came.
pub fn libpython_may_stay() -> bool {
    let module = apache::file_of(apache::symbol(c"python_decref") as usize);
    let libpython = apache::file_of(ffi::Py_IsInitialized as *const () as usize);
    LOADED_AT_START.load(Ordering::Relaxed) != number_loaded() || !is_loaded_first(module, libpython)
}

/// Python is about to start in this process.
pub fn python_starts() {
    LOADED_AT_START.store(number_loaded(), Ordering::Relaxed);
}

/// A test of each path, and whether one of them has passed.
struct Question {
    is_wanted: fn(&[u8]) -> bool,
    found: bool,
}

/// Whether a file of such a path is in memory.
pub fn is_loaded(is_wanted: fn(&[u8]) -> bool) -> bool {
    let mut question = Question { is_wanted, found: false };
    // SAFETY: the callback gets the pointer to the question, and is not called afterwards.
    unsafe { libc::dl_iterate_phdr(Some(look_at), (&raw mut question).cast()) };
    question.found
}

/// Whether the loader has loaded the one file before the other. False if one of them is not known.
fn is_loaded_first(one: Option<&'static Path>, other: Option<&'static Path>) -> bool {
    struct Order {
        files: [Option<&'static Path>; 2],
        first: Option<&'static Path>,
    }
    unsafe extern "C" fn read(info: *mut libc::dl_phdr_info, _size: usize, order: *mut c_void) -> c_int {
        // SAFETY: the loader passes a structure whose name is a C string or NULL, and what dl_iterate_phdr was given.
        unsafe {
            let (name, order) = ((*info).dlpi_name, &mut *order.cast::<Order>());
            let file = if name.is_null() { return 0 } else { OsStr::from_bytes(CStr::from_ptr(name).to_bytes()) };
            order.first = order.files.into_iter().flatten().find(|known| known.as_os_str() == file);
            order.first.is_some().into()
        }
    }
    let mut order = Order { files: [one, other], first: None };
    // SAFETY: the callback gets the pointer to the structure, and is not called afterwards. The files come in the order
    // in which they were loaded.
    unsafe { libc::dl_iterate_phdr(Some(read), (&raw mut order).cast()) };
    other.is_some() && order.first.is_some() && order.first == one
}

/// How many files the loader has ever loaded.
fn number_loaded() -> u64 {
    unsafe extern "C" fn read(info: *mut libc::dl_phdr_info, _size: usize, number: *mut c_void) -> c_int {
        // SAFETY: the loader passes a structure that has the field since version 2.4 of the GNU C library, and what
        // dl_iterate_phdr was given. 1 ends it.
        unsafe { *number.cast::<u64>() = (*info).dlpi_adds };
        1
    }
    let mut number = 0_u64;
    // SAFETY: the callback gets the pointer to the number, and is not called afterwards.
    unsafe { libc::dl_iterate_phdr(Some(read), (&raw mut number).cast()) };
    number
}

unsafe extern "C" fn look_at(info: *mut libc::dl_phdr_info, _size: usize, question: *mut c_void) -> c_int {
    // SAFETY: the loader passes a structure whose name is a C string or NULL, and what dl_iterate_phdr was given.
    unsafe {
        let (name, question) = ((*info).dlpi_name, &mut *question.cast::<Question>());
        question.found |= !name.is_null() && (question.is_wanted)(CStr::from_ptr(name).to_bytes());
    }
    0
}

/// Whether a file of that path is an extension module of Python.
pub fn is_extension_module(path: &[u8]) -> bool {
    EXTENSION_MODULES.iter().any(|part| contains(path, part))
}

/// One that keeps libpython, too.
pub fn is_made_for_one_start(path: &[u8]) -> bool {
    is_extension_module(path) && !contains(path, OF_PYTHON)
}

/// Whether one is a part of the other.
pub fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extension_modules_are_told_by_their_paths() {
        for path in [
            &b"/usr/lib/python3.11/lib-dynload/_json.cpython-311-x86_64-linux-gnu.so"[..],
            b"/usr/lib/python2.7/lib-dynload/_json.so",
            b"/usr/lib/python3/dist-packages/agent/_native.abi3.so",
        ] {
            assert!(is_extension_module(path));
        }
        for path in [&b"/usr/lib/apache2/modules/mod_python.so"[..], b"/lib/libpython3.11.so.1.0", b""] {
            assert!(!is_extension_module(path));
        }
        assert!(is_made_for_one_start(b"/usr/lib/python3/dist-packages/agent/_native.abi3.so"));
        assert!(!is_made_for_one_start(b"/usr/lib/python3.11/lib-dynload/_json.cpython-311-x86_64-linux-gnu.so"));
    }
}
