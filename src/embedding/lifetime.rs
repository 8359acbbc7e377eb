//! How long this library stays in memory.
//!
//! httpd unloads mod_python.so at each restart, and its parent loads it anew: the file may be another one by then, the
//! stock one among them, which needs a Python that is not initialised yet. Where libpython goes with the module, Python
//! goes too; nobody tells Python, as with stock, since its end runs the `__del__` of a site's objects, which may take
//! long or end the process. Where libpython stays, because extension modules hold it, the parent ends Python: a stock
//! server does not survive a restart then. In both cases nothing of Python leads to this library any more, which goes
//! with the module. At the end of the server all is left as it is.

use crate::{
    embedding::{builtins, loaded, start},
    import_module,
    python::{Cpython, Python, signals},
    server::apache::{self, Cleanup},
};
use std::{
    cell::LazyCell,
    ffi::{c_int, c_void},
    fs,
    os::unix::ffi::OsStrExt,
    process, ptr,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering},
};

/// The prefix of our shared libraries. Linked into mod_python.so, the code goes and stays with that.
const LIBRARY: &[u8] = b"libmodpython-core-";

/// A handle that keeps the library over one restart, or NULL.
static KEPT: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
/// The process that has registered [`before_unloading`].
static PARENT: AtomicU32 = AtomicU32::new(0);
/// Whether it has been registered in the pool of this configuration.
static REGISTERED: AtomicBool = AtomicBool::new(false);

/// At the end of the pool of a configuration, before httpd unloads the module: leaves Python, or ends it, unless it has
/// loaded what does not tolerate that and goes on with us. Where it goes on, or the library's file is gone, but the
/// module on disk needs the library, it stays for this restart: to load the configuration again would fail, and end the
/// server. Not for good: a stock module that comes next does not survive a restart while libpython stays.
///
/// The pool's end comes in the children too, when they end; there is nothing to do then.
unsafe extern "C" fn before_unloading(pool: *mut c_void) -> c_int {
    if PARENT.load(Ordering::Relaxed) != process::id() {
        return 0;
    }
    REGISTERED.store(false, Ordering::Relaxed);
    if apache::is_exiting() {
        handle(libc::RTLD_NODELETE);
        return 0;
    }
    let goes_on = LazyCell::new(module_on_disk_needs_library);
    let is_gone = apache::file_of(before_unloading as *const () as usize).is_some_and(|file| !file.exists());
    let is_over = if loaded::libpython_may_stay() || (is_gone && *goes_on) {
        !(loaded::is_loaded(loaded::is_made_for_one_start) && *goes_on) && start::end_python()
    } else {
        start::leave_python()
    };
    let code = import_module::give_up();
    if !code.is_empty() {
        // SAFETY: the pool whose cleanups run, which is around for their time.
        unsafe { apache::keep(pool, &import_module::key(), &code) };
    }
    if is_over {
        builtins::take_back();
    } else if loaded::is_loaded(loaded::is_extension_module) {
        // It goes on, and its table of built-in modules leads here.
        handle(libc::RTLD_NODELETE);
    }
    if (is_gone || !is_over) && *goes_on {
        KEPT.store(handle(0), Ordering::Relaxed);
    }
    0
}

fn module_on_disk_needs_library() -> bool {
    let module = apache::file_of(apache::symbol(c"python_decref") as usize);
    module.and_then(|module| fs::read(module).ok()).is_some_and(|module| loaded::contains(&module, LIBRARY))
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
    // SAFETY: the module passes a pool that lives as long as its configuration; before this library is unloaded, the
    // cleanup has run. `take_over` copies the code.
    unsafe {
        if let Some(code) = apache::kept(pool, &import_module::key()) {
            import_module::take_over(code);
        }
        if Python::is_initialized() {
            signals::stop_ignoring();
        }
        apache::mpc_server_pool_cleanup_register(pool, pool, Some(plain), Some(child));
    }
}

/// A handle of the library, with that mark too; NULL where the code is linked into the module.
fn handle(mark: c_int) -> *mut c_void {
    let Some(file) = apache::file_of(handle as *const () as usize) else { return ptr::null_mut() };
    let name = file.file_name().map_or(&b""[..], OsStrExt::as_bytes);
    if name.starts_with(LIBRARY) { apache::handle(file, mark) } else { ptr::null_mut() }
}
