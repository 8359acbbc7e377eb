//! A host in the shape of a module of generation 3.5: the order of its calls, and nothing else.

use super::requests::make_obcallback;
use modpython_core as _;
use std::{
    collections::HashMap,
    ffi::{CStr, CString, c_char, c_int, c_void},
    ptr,
    sync::{
        Mutex,
        atomic::{AtomicPtr, Ordering},
    },
};

unsafe extern "C" {
    fn mpc35_rebind_Py_Initialize();
    fn mpc35_rebind_apr_hash_make(pool: *mut c_void) -> *mut c_void;
    fn mpc35_rebind_apr_hash_get(hash: *mut c_void, key: *const c_void, length: isize) -> *mut c_void;
    fn mpc35_rebind_apr_hash_set(hash: *mut c_void, key: *const c_void, length: isize, value: *const c_void);
    fn mpc35_rebind_apr_array_pop(array: *mut c_void) -> *mut c_void;
    fn mpc35_rebind_apr_array_push(array: *mut c_void) -> *mut c_void;
    fn mpc35_rebind_PyEval_SaveThread() -> *mut c_void;
    fn mpc35_rebind_PyEval_RestoreThread(state: *mut c_void);
    fn mpc35_rebind_PyEval_ReleaseThread(state: *mut c_void);
    fn mpc35_rebind_PyThreadState_Swap(state: *mut c_void) -> *mut c_void;
    fn mpc35_rebind_PyThreadState_Clear(state: *mut c_void);
    fn mpc35_rebind_Py_NewInterpreter() -> *mut c_void;
    #[link_name = "mpc35_rebind_apr_pool_cleanup_register"]
    pub fn cleanup_register(
        pool: *mut c_void,
        data: *const c_void,
        plain: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
        child: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    );
    #[link_name = "mpc35_rebind_PyImport_ImportModule"]
    pub fn import_module(name: *const c_char) -> *mut pyo3_ffi::PyObject;
    #[link_name = "mpc35_rebind__PyObject_CallMethod_SizeT"]
    pub fn call_method(
        object: *mut pyo3_ffi::PyObject,
        name: *const c_char,
        format: *const c_char,
        ...
    ) -> *mut pyo3_ffi::PyObject;
}

/// APR's hash, as far as it is needed, by its published interface: string keys, kept by the caller.
#[unsafe(no_mangle)]
extern "C" fn apr_hash_make(_pool: *mut c_void) -> *mut c_void {
    Box::into_raw(Box::new(Mutex::new(HashMap::<CString, usize>::new()))).cast()
}

type Hash = Mutex<HashMap<CString, usize>>;

#[unsafe(no_mangle)]
unsafe extern "C" fn apr_hash_get(hash: *mut c_void, key: *const c_void, _length: isize) -> *mut c_void {
    // SAFETY: made by apr_hash_make, never freed; the key is a C string.
    let (hash, key) = unsafe { (&*hash.cast::<Hash>(), CStr::from_ptr(key.cast())) };
    hash.lock().unwrap().get(key).map_or(ptr::null_mut(), |value| *value as *mut c_void)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn apr_hash_set(hash: *mut c_void, key: *const c_void, _length: isize, value: *const c_void) {
    // SAFETY: as in apr_hash_get.
    let (hash, key) = unsafe { (&*hash.cast::<Hash>(), CStr::from_ptr(key.cast())) };
    hash.lock().unwrap().insert(key.into(), value as usize);
}

/// A real array is only popped from and pushed to when calls pass through: an empty one, whose elements are dropped.
#[unsafe(no_mangle)]
extern "C" fn apr_array_pop(_array: *mut c_void) -> *mut c_void {
    ptr::null_mut()
}

#[unsafe(no_mangle)]
extern "C" fn apr_array_push(_array: *mut c_void) -> *mut c_void {
    Box::into_raw(Box::new(0_usize)).cast()
}

/// The generation in the notice at child start.
pub const GENERATION: &str = "3.5";

/// The structure that the host's functions share.
#[repr(C)]
pub struct InterpreterData {
    pub tstates: *mut c_void,
    pub interp: *mut c_void,
    pub obcallback: *mut pyo3_ffi::PyObject,
}

static INTERPRETERS: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
static GLOBAL: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
const STRING_KEY: isize = -1;

/// A server's calls when it reads its configuration for good.
pub fn python_init() {
    // SAFETY: the order in which a module calls them, in the main thread.
    unsafe {
        mpc35_rebind_Py_Initialize();
        INTERPRETERS.store(mpc35_rebind_apr_hash_make(ptr::null_mut()), Ordering::SeqCst);
        GLOBAL.store(mpc35_rebind_PyEval_SaveThread(), Ordering::SeqCst);
    }
}

/// A child's calls at its start.
pub fn child_init() {
    // SAFETY: the order in which a module calls them, in the main thread.
    unsafe {
        let global = GLOBAL.load(Ordering::SeqCst);
        mpc35_rebind_PyEval_RestoreThread(global);
        let state = pyo3_ffi::PyThreadState_Get();
        save_interpreter(c"main_interpreter", state.cast());
        assert_eq!(mpc35_rebind_PyEval_SaveThread(), global, "the host gets back what it gave");
    }
}

/// A start that a host of generation 3.5 does not make: the main interpreter is not entered in the hash.
pub fn child_init_of_another_kind() {
    // SAFETY: as in `child_init`.
    unsafe {
        let global = GLOBAL.load(Ordering::SeqCst);
        mpc35_rebind_PyEval_RestoreThread(global);
        assert_eq!(mpc35_rebind_PyEval_SaveThread(), global);
    }
}

unsafe fn save_interpreter(name: &CStr, state: *mut pyo3_ffi::PyThreadState) -> *mut InterpreterData {
    // SAFETY: the caller's state is alive.
    let interp = unsafe { pyo3_ffi::PyThreadState_GetInterpreter(state) }.cast();
    let data = InterpreterData { tstates: Box::into_raw(Box::new(0_u64)).cast(), interp, obcallback: ptr::null_mut() };
    let data = Box::into_raw(Box::new(data));
    let key = name.to_owned().into_raw();
    // SAFETY: as the host calls it.
    unsafe {
        let hash = INTERPRETERS.load(Ordering::SeqCst);
        mpc35_rebind_apr_hash_set(hash, key.cast_const().cast(), STRING_KEY, data.cast_const().cast());
    }
    data
}

/// Asks for an interpreter; NULL if there is none. With the GIL afterwards if there is one.
pub fn get_interpreter(name: &CStr) -> *mut InterpreterData {
    // SAFETY: the order in which a module calls them; it dereferences pointers that it was given.
    unsafe {
        mpc35_rebind_PyEval_RestoreThread(GLOBAL.load(Ordering::SeqCst));
        let hash = INTERPRETERS.load(Ordering::SeqCst);
        let mut data: *mut InterpreterData = mpc35_rebind_apr_hash_get(hash, name.as_ptr().cast(), STRING_KEY).cast();
        if data.is_null() {
            let state: *mut pyo3_ffi::PyThreadState = mpc35_rebind_Py_NewInterpreter().cast();
            if state.is_null() {
                return ptr::null_mut();
            }
            data = save_interpreter(name, state);
        } else {
            let popped: *mut *mut c_void = mpc35_rebind_apr_array_pop((*data).tstates).cast();
            let state =
                if popped.is_null() { pyo3_ffi::PyThreadState_New((*data).interp.cast()).cast() } else { *popped };
            mpc35_rebind_PyThreadState_Swap(state);
        }
        if (*data).obcallback.is_null() {
            (*data).obcallback = make_obcallback(name);
            if (*data).obcallback.is_null() {
                release_interpreter(data);
                return ptr::null_mut();
            }
        }
        data
    }
}

/// Gives the innermost interpreter back.
pub fn release_interpreter(data: *mut InterpreterData) {
    // SAFETY: the order in which a module of a newer build calls them.
    unsafe {
        let state: *mut c_void = pyo3_ffi::PyThreadState_Get().cast();
        mpc35_rebind_PyThreadState_Clear(state);
        *mpc35_rebind_apr_array_push((*data).tstates).cast::<*mut c_void>() = state;
        mpc35_rebind_PyEval_ReleaseThread(state);
    }
}
