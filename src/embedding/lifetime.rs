//! How long this library stays in memory.
//!
//! httpd unloads mod_python.so at each restart, and its parent loads it anew: the file may be another one by then, the
//! stock one among them, which needs a Python that is not initialised yet. So the parent ends Python at a restart, and
//! nothing of Python leads to this library any more, which goes with the module: libpython may stay, since extension
//! modules hold it.

use crate::{
    embedding::{builtins, start},
    import_module,
    server::apache::{self, Cleanup},
};
use std::{
    cell::LazyCell,
    ffi::{CStr, c_int, c_void},
    fs,
    os::unix::ffi::OsStrExt,
    process, ptr,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering},
};

/// What the file of an extension module of Python has in its path. Nothing unloads those, and they keep libpython.
const EXTENSION_MODULES: [&[u8]; 5] =
    [b"/lib-dynload/", b"/site-packages/", b"/dist-packages/", b".cpython-", b".abi3.so"];

/// What those of Python itself have, which may be initialised again. Others (numpy, lxml, those of PyO3) are not made
/// for that: some raise, and numpy crashes.
const OF_PYTHON: &[u8] = b"/lib-dynload/";

/// What the names of our shared libraries begin with. Linked into mod_python.so, the code goes and stays with that.
const LIBRARY: &[u8] = b"libmodpython-core-";

/// A handle that keeps the library over one restart, or NULL.
static KEPT: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
/// The process that has registered [`before_unloading`].
static PARENT: AtomicU32 = AtomicU32::new(0);
/// Whether it has been registered in the pool of this configuration.
static REGISTERED: AtomicBool = AtomicBool::new(false);

/// At the end of the pool of a configuration, before httpd unloads the module: ends Python, unless it has loaded what
/// does not stand that and goes on with us. Where it is not ended, or the library's file is gone, but the module on
/// disk needs the library, it stays for this restart: to load the configuration again would fail, and end the server.
/// Not for good: a stock module that comes next does not survive a restart while libpython stays.
///
/// The pool's end comes in the children too, when they end; there is nothing to do then.
unsafe extern "C" fn before_unloading(_: *mut c_void) -> c_int {
    if PARENT.load(Ordering::Relaxed) != process::id() {
        return 0;
    }
    REGISTERED.store(false, Ordering::Relaxed);
    let goes_on = LazyCell::new(module_on_disk_needs_library);
    let is_ended = !(is_loaded(is_made_for_one_start) && *goes_on) && start::end_python();
    import_module::give_up();
    if is_ended {
        builtins::take_back();
    } else if is_loaded(is_extension_module) {
        // It goes on, and its table of built-in modules leads here.
        handle(libc::RTLD_NODELETE);
    }
    let is_gone = apache::file_of(before_unloading as *const () as usize).is_some_and(|file| !file.exists());
    if (is_gone || !is_ended) && *goes_on {
        KEPT.store(handle(0), Ordering::Relaxed);
    }
    0
}

fn module_on_disk_needs_library() -> bool {
    let module = apache::file_of(apache::symbol(c"python_decref") as usize);
    module.and_then(|module| fs::read(module).ok()).is_some_and(|module| contains(&module, LIBRARY))
}

/// What is asked of each path, and whether one of them was it.
struct Question {
    is_wanted: fn(&[u8]) -> bool,
    found: bool,
}

/// Whether a file of such a path is in memory.
fn is_loaded(is_wanted: fn(&[u8]) -> bool) -> bool {
    let mut question = Question { is_wanted, found: false };
    // SAFETY: the callback gets the pointer to the question, and is not called afterwards.
    unsafe { libc::dl_iterate_phdr(Some(look_at), (&raw mut question).cast()) };
    question.found
}

unsafe extern "C" fn look_at(info: *mut libc::dl_phdr_info, _size: usize, question: *mut c_void) -> c_int {
    // SAFETY: the loader passes a structure whose name is a C string or NULL, and what dl_iterate_phdr was given.
    unsafe {
        let (name, question) = ((*info).dlpi_name, &mut *question.cast::<Question>());
        question.found |= !name.is_null() && (question.is_wanted)(CStr::from_ptr(name).to_bytes());
    }
    0
}

fn is_extension_module(path: &[u8]) -> bool {
    EXTENSION_MODULES.iter().any(|part| contains(path, part))
}

/// One that keeps libpython, too.
fn is_made_for_one_start(path: &[u8]) -> bool {
    is_extension_module(path) && !contains(path, OF_PYTHON)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The server has read a configuration: has [`before_unloading`] called at the end of its pool, and gives up what has
/// kept the library until now, as the module that has called holds it.
///
/// # Safety
///
/// The pool is the configuration's; called by the parent, as it starts.
#[unsafe(no_mangle)]
unsafe extern "C" fn mpc_configuration_read(pool: *mut c_void) {
    if REGISTERED.swap(true, Ordering::Relaxed) {
        return;
    }
    PARENT.store(process::id(), Ordering::Relaxed);
    let kept = KEPT.swap(ptr::null_mut(), Ordering::Relaxed);
    if !kept.is_null() {
        // SAFETY: a handle that dlopen gave; the module needs the library, so that it does not go with it.
        unsafe { libc::dlclose(kept) };
    }
    unsafe extern "C" fn nothing(_: *mut c_void) -> c_int {
        0
    }
    // A process that is forked to run another program does not come here.
    let (plain, child): (Cleanup, Cleanup) = (before_unloading, nothing);
    // SAFETY: the module passes a pool that lives as long as its configuration; before this library is unloaded, it has
    // run.
    unsafe { apache::mpc_server_pool_cleanup_register(pool, ptr::null(), Some(plain), Some(child)) }
}

/// A handle of the library, with that mark too; NULL where the code is linked into the module.
fn handle(mark: c_int) -> *mut c_void {
    let Some(file) = apache::file_of(handle as *const () as usize) else { return ptr::null_mut() };
    let name = file.file_name().map_or(&b""[..], OsStrExt::as_bytes);
    if name.starts_with(LIBRARY) { apache::handle(file, mark) } else { ptr::null_mut() }
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
