//! Generation 3.1 (3.1.3, 3.1.4): the functions under their own names. `contract` documents the arguments of each.

use super::contract::{self, Apache};
use crate::{
    embedding::interpreterdata::InterpreterData31,
    python::{ffi, sequence},
};
use std::ffi::{c_char, c_void};

/// The functions of a host of generation 3.1. Each may be NULL. The structure is the host's, and lives as long as it is
/// loaded.
#[repr(C)]
pub struct Host31 {
    /// The host's own `get_interpreter`, for when the library is switched off.
    pub get_interpreter: Option<unsafe extern "C" fn(*const c_char, *mut c_void) -> *mut c_void>,
    /// The host's own `release_interpreter`, likewise.
    pub release_interpreter: Option<unsafe extern "C" fn()>,
    /// Makes an interpreter with the GIL held, and leaves no state current.
    pub make_interpreter: Option<unsafe extern "C" fn(*const c_char, *mut c_void) -> *mut ffi::PyInterpreterState>,
    /// Makes the callback object with the GIL held in the interpreter: a new reference, or NULL with the error logged.
    pub make_obcallback: Option<unsafe extern "C" fn(*mut c_void) -> *mut ffi::PyObject>,
}

static HOST: contract::Registered<Host31> = contract::Registered::new();

/// Registers the host's functions; NULL takes them back. Without a host the defaults below do the work.
///
/// # Safety
///
/// `host` is NULL, or lives until another is registered.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc31_register_host(host: *const Host31) {
    HOST.set(host);
}

/// Acquires the interpreter of that name, which is created if need be: one per name and process. Takes the GIL.
/// NULL on failure, without the GIL.
///
/// # Safety
///
/// `name` is NULL (main_interpreter) or NUL-terminated. `server` is for the host's functions, and may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn get_interpreter(name: *const c_char, server: *mut c_void) -> *mut InterpreterData31 {
    // SAFETY: the caller's promise; a registered host is loaded, since it is the one that calls.
    unsafe {
        if let Some(get) = HOST.switched_off().and_then(|host| host.get_interpreter) {
            return get(name, server).cast();
        }
        let make = HOST.get().and_then(|host| host.make_interpreter).map(|make| move |name| make(name, server));
        let callback = HOST.get().and_then(|host| host.make_obcallback).unwrap_or(make_obcallback);
        contract::get31(name, make, |_| callback(server), Apache::Patched)
    }
}

/// Releases the interpreter that this thread acquired last. Gives the GIL up.
///
/// # Safety
///
/// The GIL is held in that acquisition.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn release_interpreter() {
    // SAFETY: the caller's promise; a registered host is loaded, since it is the one that calls.
    unsafe {
        match HOST.switched_off().and_then(|host| host.release_interpreter) {
            Some(release) => release(),
            None => contract::release(),
        }
    }
}

/// The default for hosts that register none: Py_NewInterpreter. NULL on failure. No state is current afterwards.
///
/// # Safety
///
/// The GIL is held.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn make_interpreter(_name: *const c_char, _server: *mut c_void) -> *mut ffi::PyInterpreterState {
    // SAFETY: the caller's promise.
    unsafe { contract::make_interpreter() }
}

/// The default for hosts that register none: what `init` of mod_python.apache returns, called without arguments. NULL
/// on failure, with the error logged.
///
/// # Safety
///
/// The GIL is held in the interpreter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn make_obcallback(_server: *mut c_void) -> *mut ffi::PyObject {
    // SAFETY: the caller's promise.
    unsafe { contract::make_obcallback(|gil| sequence::tuple(gil, &[])) }
}

/// `PyOS_AfterFork` for a host of this generation, in its child's start, where it holds the GIL. No state is current
/// afterwards.
///
/// # Safety
///
/// The GIL is held, in a child that has one thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpc31_after_fork() {
    // SAFETY: the caller's promise.
    unsafe { contract::after_fork_alone("3.1") }
}
