//! Generation 3.5 (3.5.0 to master), under a prefix. What each function does with its arguments is said in `contract`.

use super::contract::{self, Apache};
use crate::{embedding::interpreterdata::InterpreterData35, python::ffi};
use std::{
    ffi::{c_char, c_void},
    ptr,
};

/// The functions of a host of generation 3.5. Each may be NULL. The structure is the host's, and lives as long as it is
/// loaded.
#[repr(C)]
pub struct Host35 {
    /// The host's own `get_interpreter`, for when the library is switched off.
    pub get_interpreter: Option<unsafe extern "C" fn(*const c_char) -> *mut c_void>,
    /// The host's own `release_interpreter`, likewise.
    pub release_interpreter: Option<unsafe extern "C" fn(*mut c_void)>,
    /// The host's own `save_interpreter`, likewise.
    pub save_interpreter: Option<unsafe extern "C" fn(*const c_char, *mut ffi::PyThreadState) -> *mut c_void>,
    /// Makes the callback object with the GIL held in the interpreter: a new reference, or NULL with the error logged.
    pub make_obcallback: Option<unsafe extern "C" fn(*const c_char) -> *mut ffi::PyObject>,
}

static HOST: contract::Registered<Host35> = contract::Registered::new();

/// Registers the host's functions; NULL takes them back. Without a host the defaults below do the work.
///
/// # Safety
///
/// `host` is NULL, or lives until another is registered.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_register_host(host: *const Host35) {
    HOST.set(host);
}

/// Acquires the interpreter of that name, which is created if need be: one per name and process. Takes the GIL.
/// NULL on failure, without the GIL.
///
/// # Safety
///
/// `name` is NULL (main_interpreter) or NUL-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_get_interpreter(name: *const c_char) -> *mut InterpreterData35 {
    // SAFETY: the caller's promise; a registered host is loaded, since it is the one that calls.
    unsafe {
        if let Some(get) = HOST.switched_off().and_then(|host| host.get_interpreter) {
            return get(name).cast();
        }
        let callback = HOST.get().and_then(|host| host.make_obcallback).unwrap_or(mpc35_make_obcallback);
        let acquired = contract::get(name, None::<fn(_) -> _>, |name| callback(name), Apache::Patched);
        acquired.map_or(ptr::null_mut(), |(kept, callback)| kept.data.hand_out35(callback.as_ptr()))
    }
}

/// Releases the interpreter that this thread acquired last. Gives the GIL up.
///
/// # Safety
///
/// The GIL is held in that acquisition.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_release_interpreter(data: *mut InterpreterData35) {
    // SAFETY: the caller's promise; a registered host is loaded, since it is the one that calls.
    unsafe {
        match HOST.switched_off().and_then(|host| host.release_interpreter) {
            Some(release) => release(data.cast()),
            None => contract::release(),
        }
    }
}

/// Enters the main interpreter, the only one that a host saves itself, in its child's start. NULL if there is no
/// memory.
///
/// # Safety
///
/// `name` is NUL-terminated, and the GIL is held.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_save_interpreter(
    name: *const c_char,
    state: *mut ffi::PyThreadState,
) -> *mut InterpreterData35 {
    // SAFETY: the caller's promise; a registered host is loaded, since it is the one that calls.
    unsafe {
        let stock = HOST.switched_off().and_then(|host| host.save_interpreter);
        let stock = stock.map(|save| move || save(name, state));
        contract::save("3.5", name, stock, |data| data.hand_out35(ptr::null_mut()))
    }
}

/// The default for hosts that register none: what `init` of mod_python.apache returns, called with the name and no
/// server. NULL on failure, with the error logged.
///
/// # Safety
///
/// The GIL is held in the interpreter; `name` is NULL or NUL-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_make_obcallback(name: *const c_char) -> *mut ffi::PyObject {
    // SAFETY: the caller's promise.
    unsafe { contract::make_obcallback(|gil| contract::init_arguments(gil, name)) }
}

/// `PyOS_AfterFork` for a host of this generation, in its child's start, where it holds the GIL. A state is current
/// afterwards.
///
/// # Safety
///
/// The GIL is held, in a child that has one thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc35_after_fork() {
    // SAFETY: the caller's promise.
    unsafe { contract::after_fork() }
}
