//! A host in the shape of a module of generation 3.1: the order of its calls, and nothing else.

use super::requests::make_obcallback;
use modpython_core::python::ffi;
use std::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

unsafe extern "C" {
    fn mpc31_rebind_Py_IsInitialized() -> c_int;
    fn mpc31_rebind_Py_Initialize();
    fn mpc31_rebind_PyDict_New() -> *mut ffi::PyObject;
    fn mpc31_rebind_PyOS_AfterFork();
    fn mpc31_rebind_PyEval_AcquireLock();
    fn mpc31_rebind_PyEval_ReleaseLock();
    fn mpc31_rebind_PyDict_GetItemString(dict: *mut c_void, name: *const c_char) -> *mut c_void;
    fn mpc31_rebind_PyCObject_AsVoidPtr(object: *mut c_void) -> *mut c_void;
    fn mpc31_rebind_Py_NewInterpreter() -> *mut c_void;
    fn mpc31_rebind_PyThreadState_New(interpreter: *mut c_void) -> *mut c_void;
    fn mpc31_rebind_PyThreadState_Delete(state: *mut c_void);
    fn mpc31_rebind_PyEval_AcquireThread(state: *mut c_void);
    fn mpc31_rebind_PyEval_ReleaseThread(state: *mut c_void);
    #[link_name = "mpc31_rebind_apr_pool_cleanup_register"]
    pub fn cleanup_register(
        pool: *mut c_void,
        data: *const c_void,
        plain: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
        child: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    );
    #[link_name = "mpc31_rebind_PyImport_ImportModule"]
    pub fn import_module(name: *const c_char) -> *mut ffi::PyObject;
    #[link_name = "mpc31_rebind_PyObject_CallMethod"]
    pub fn call_method(
        object: *mut ffi::PyObject,
        name: *const c_char,
        format: *const c_char,
        ...
    ) -> *mut ffi::PyObject;
}

/// The generation in the notice at child start.
pub const GENERATION: &str = "3.1";

/// The structure that the host's functions share.
#[repr(C)]
pub struct InterpreterData {
    pub interp: *mut c_void,
    pub obcallback: *mut ffi::PyObject,
}

static INTERPRETERS: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// A server's calls when it reads its configuration for good.
pub fn python_init() {
    // SAFETY: the order in which a module calls them, in the main thread.
    unsafe {
        assert_eq!(mpc31_rebind_Py_IsInitialized(), 0, "or it would not make its dict");
        mpc31_rebind_Py_Initialize();
        ffi::PyEval_InitThreads();
        ffi::PyThreadState_Swap(ptr::null_mut());
        INTERPRETERS.store(mpc31_rebind_PyDict_New().cast(), Ordering::SeqCst);
        mpc31_rebind_PyEval_ReleaseLock();
    }
}

/// A child's calls at its start.
pub fn child_init() {
    // SAFETY: the order in which a module calls them, in the main thread.
    unsafe {
        mpc31_rebind_PyEval_AcquireLock();
        mpc31_rebind_PyOS_AfterFork();
        mpc31_rebind_PyEval_ReleaseLock();
    }
}

/// A start that a host of generation 3.1 does not make: Python is not told of the fork.
pub fn child_init_of_another_kind() {
    // SAFETY: as in `child_init`.
    unsafe {
        mpc31_rebind_PyEval_AcquireLock();
        mpc31_rebind_PyEval_ReleaseLock();
    }
}

/// Asks for an interpreter; NULL if there is none. With the GIL afterwards if there is one.
pub fn get_interpreter(name: &CStr) -> *mut InterpreterData {
    // SAFETY: the order in which a module calls them; it dereferences pointers that it was given.
    unsafe {
        mpc31_rebind_PyEval_AcquireLock();
        let item = mpc31_rebind_PyDict_GetItemString(INTERPRETERS.load(Ordering::SeqCst), name.as_ptr());
        let mut data: *mut InterpreterData = ptr::null_mut();
        if item.is_null() {
            assert!(mpc31_rebind_Py_NewInterpreter().is_null(), "the registry makes interpreters, not the module");
        } else {
            data = mpc31_rebind_PyCObject_AsVoidPtr(item).cast();
        }
        mpc31_rebind_PyEval_ReleaseLock();
        if data.is_null() {
            return data;
        }
        let state = mpc31_rebind_PyThreadState_New((*data).interp);
        mpc31_rebind_PyEval_AcquireThread(state);
        if (*data).obcallback.is_null() {
            (*data).obcallback = make_obcallback(name);
            if (*data).obcallback.is_null() {
                mpc31_rebind_PyEval_ReleaseThread(state);
                mpc31_rebind_PyThreadState_Delete(state);
                return ptr::null_mut();
            }
        }
        data
    }
}

/// Gives the innermost interpreter back.
pub fn release_interpreter(_data: *mut InterpreterData) {
    // SAFETY: the order in which a module calls them.
    unsafe {
        let state: *mut c_void = ffi::PyThreadState_Get().cast();
        mpc31_rebind_PyEval_ReleaseThread(state);
        mpc31_rebind_PyThreadState_Delete(state);
    }
}
