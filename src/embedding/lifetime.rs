//! How long this library stays in memory.
//!
//! httpd unloads mod_python.so at each restart, and its parent loads it anew: the file may be another one by then, the
//! stock one among them, which needs a Python that is not initialised yet. So the library goes with the module, and
//! libpython with both. Where libpython stays, the library has to stay too, since Python's table of built-in modules
//! leads to it; then the parent ends Python at a restart, so that whichever module comes next starts it.

use crate::{
    python::{Cpython, Python},
    server::apache::{self, Cleanup},
};
use std::{
    ffi::{CStr, OsStr, c_char, c_int, c_void},
    fs,
    os::unix::ffi::OsStrExt,
    path::Path,
    process, ptr,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

/// What the file of an extension module of Python has in its path.
const EXTENSION_MODULES: [&[u8]; 5] =
    [b"/lib-dynload/", b"/site-packages/", b"/dist-packages/", b".cpython-", b".abi3.so"];

/// What the names of our shared libraries begin with. Linked into mod_python.so, the code goes and stays with that.
const LIBRARY: &[u8] = b"libmodpython-core-";

/// The parent has started Python: stays if an extension module of Python is loaded, since nothing unloads those, and
/// they keep libpython.
pub fn stay_if_python_stays() {
    let mut found = false;
    // SAFETY: the callback gets the pointer to `found`, and is not called afterwards.
    unsafe { libc::dl_iterate_phdr(Some(look_at), (&raw mut found).cast()) };
    if found {
        stay();
    }
}

unsafe extern "C" fn look_at(info: *mut libc::dl_phdr_info, _size: usize, found: *mut c_void) -> c_int {
    // SAFETY: the loader passes a structure whose name is a C string or NULL, and what dl_iterate_phdr was given.
    unsafe {
        let name = (*info).dlpi_name;
        if !name.is_null() && is_extension_module(CStr::from_ptr(name).to_bytes()) {
            *found.cast::<bool>() = true;
        }
    }
    0
}

fn is_extension_module(path: &[u8]) -> bool {
    EXTENSION_MODULES.iter().any(|part| contains(path, part))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Whether [`stay`] has marked the library.
static STAYS: AtomicBool = AtomicBool::new(false);
/// The process that has registered [`before_unloading`].
static PARENT: AtomicU32 = AtomicU32::new(0);

/// At the end of the pool of a configuration, before httpd unloads the module: stays if the library's file is gone, but
/// the module that is on disk needs it. Loading the configuration again would fail, and end the server.
///
/// The pool's end comes in the children too, when they end; there is nothing to do then.
unsafe extern "C" fn before_unloading(_: *mut c_void) -> c_int {
    if PARENT.load(Ordering::Relaxed) != process::id() {
        return 0;
    }
    let library = file_of(before_unloading as *const c_void).filter(|file| !file.exists());
    let module = library.and_then(|_| file_of(apache::symbol(c"python_decref")));
    if module.and_then(|module| fs::read(module).ok()).is_some_and(|module| contains(&module, LIBRARY)) {
        stay();
    }
    if STAYS.load(Ordering::Relaxed) {
        end_python();
    }
    0
}

/// Ends Python in the server's parent. Stock's next Py_Initialize would do nothing, and the SaveThread after it,
/// without a thread state, end the server.
fn end_python() {
    if !Python::is_initialized() || Python::attached().is_some() {
        return;
    }
    // The thread that started Python.
    let Some(state) = Python::gil_state() else { return };
    // SAFETY: a state that this living thread has as its own, which does not hold the GIL. Only the thread itself makes
    // states in the parent, and where another one has, Python is left alone: its end would wait for that thread.
    unsafe {
        if Python::has_other_states(state) {
            return;
        }
        Python::attach(state);
        Python::finalize();
    }
}

/// Has [`before_unloading`] called at the end of that pool.
///
/// # Safety
///
/// The pool is alive.
pub unsafe fn register(pool: *mut c_void) {
    PARENT.store(process::id(), Ordering::Relaxed);
    unsafe extern "C" fn nothing(_: *mut c_void) -> c_int {
        0
    }
    // A process that is forked to run another program does not come here.
    let (plain, child): (Cleanup, Cleanup) = (before_unloading, nothing);
    // SAFETY: the module passes a pool that lives as long as its configuration; before this library is unloaded, it has
    // run.
    unsafe { apache::mpc_host_pool_cleanup_register(pool, ptr::null(), Some(plain), Some(child)) }
}

/// The file that holds the code at `address`.
fn file_of(address: *const c_void) -> Option<&'static Path> {
    // SAFETY: dladdr fills the structure in, or says that it has not.
    unsafe {
        let mut info: libc::Dl_info = std::mem::zeroed();
        if address.is_null() || libc::dladdr(address, &mut info) == 0 || info.dli_fname.is_null() {
            return None;
        }
        Some(Path::new(OsStr::from_bytes(CStr::from_ptr(info.dli_fname).to_bytes())))
    }
}

fn stay() {
    let Some(file) = file_of(stay as *const c_void) else { return };
    let name = file.file_name().map_or(&b""[..], OsStrExt::as_bytes);
    let (Ok(path), true) = (std::ffi::CString::new(file.as_os_str().as_bytes()), name.starts_with(LIBRARY)) else {
        return;
    };
    // The handle is not closed: it is what keeps the library.
    let path: *const c_char = path.as_ptr();
    // SAFETY: a C string; the library is loaded, so that this only marks it.
    let handle = unsafe { libc::dlopen(path, libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE) };
    STAYS.store(!handle.is_null(), Ordering::Relaxed);
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
    }
}
