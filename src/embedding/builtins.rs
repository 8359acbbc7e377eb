//! The built-in module `_apache` of generation 3.5, in Python's table of built-in modules.

use crate::{
    python::{Cpython, Python},
    server::apache,
};
use std::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

/// The function by which a module of Python comes into being. It returns nothing in Python 2.
pub type InitFunction = unsafe extern "C" fn() -> *mut c_void;

unsafe extern "C" {
    fn PyImport_AppendInittab(name: *const c_char, init: Option<InitFunction>) -> c_int;
}

/// `PyImport_AppendInittab` of `_apache`, which newer builds call before each Py_Initialize. After initialisation it
/// would be fatal from 3.12 on, and before that leave a pointer into the unloaded module in front: so the name is
/// registered once, with a function that calls the newest load's. Where libpython outlives the module this library does
/// too ([`super::lifetime`]).
///
/// # Safety
///
/// As for `PyImport_AppendInittab`; this library is not unloaded after it has returned.
pub unsafe fn append(name: *const c_char, init: Option<InitFunction>) -> c_int {
    static NEWEST: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
    unsafe extern "C" fn call_newest() -> *mut c_void {
        // The stock module, where it has taken the relinked one's place, is not told apart by any call to us.
        let exported = apache::symbol(if cfg!(feature = "python3") { c"PyInit_apache" } else { c"init_apache" });
        let newest = if exported.is_null() { NEWEST.load(Ordering::Relaxed) } else { exported };
        // SAFETY: a function of that type, of the module that is loaded: by its exported name, or as it has passed it.
        unsafe { std::mem::transmute::<*mut c_void, InitFunction>(newest)() }
    }
    // SAFETY: the module passes a NUL-terminated name.
    let ours = init.filter(|_| unsafe { CStr::from_ptr(name) } == c"_apache");
    let Some(init) = ours else {
        // SAFETY: as the module called it.
        return unsafe { PyImport_AppendInittab(name, init) };
    };
    let first = NEWEST.swap(init as *mut c_void, Ordering::Relaxed).is_null();
    if first && !Python::is_initialized() {
        // SAFETY: before initialisation, with a name that lives as long as this library.
        return unsafe { PyImport_AppendInittab(c"_apache".as_ptr(), Some(call_newest)) };
    }
    0
}
