//! Python 2.7: the library's functions of generation 3.1.

use super::{NAME, bare, calls, function, library};
use modpython_core::python::ffi;
use std::{
    collections::HashMap,
    ffi::{CString, c_char, c_void},
    hint::black_box,
    ptr,
};

type GetInterpreter = unsafe extern "C" fn(*const c_char, *mut c_void) -> *mut Data;
type ReleaseInterpreter = unsafe extern "C" fn();

/// `interpreterdata` of generation 3.1.
#[repr(C)]
struct Data {
    istate: *mut ffi::PyInterpreterState,
    obcallback: *mut ffi::PyObject,
}

/// The functions of a host of generation 3.1; this one makes callbacks alone.
#[repr(C)]
struct Host {
    others: [*const c_void; 3],
    make_obcallback: unsafe extern "C" fn(*mut c_void) -> *mut ffi::PyObject,
}

/// Any object will do: it is not called.
unsafe extern "C" fn make_obcallback(_server: *mut c_void) -> *mut ffi::PyObject {
    // SAFETY: called with the GIL held.
    unsafe { ffi::PyDict_New() }
}

static HOST: Host = Host { others: [ptr::null(); 3], make_obcallback };

// SAFETY: never written to.
unsafe impl Sync for Host {}

/// The variants, and the multiple of its time that ours may take.
pub const VARIANTS: [(&str, f64); 4] =
    [("ours", f64::INFINITY), ("bare", 1.10), ("stock 3.1", 1.0), ("the CPython calls alone", f64::INFINITY)];

/// The data that all threads share.
pub struct Shared {
    get_interpreter: GetInterpreter,
    release_interpreter: ReleaseInterpreter,
    /// For the bare look-ups. The number stands for a pointer.
    map: HashMap<CString, usize>,
    /// The interpreters of the stock module: a dict of CObjects.
    dict: *mut ffi::PyObject,
    pub interpreter: *mut ffi::PyInterpreterState,
}

// SAFETY: nothing changes; the dict is used with the GIL held.
unsafe impl Sync for Shared {}

impl Shared {
    /// Starts Python as a server and its child do.
    pub fn new() -> Self {
        // SAFETY: the library does nothing when it is loaded; its functions have these types. Python is started by the
        // one thread there is, and the GIL is held from there to PyEval_SaveThread.
        unsafe {
            let library = library();
            let register_host: unsafe extern "C" fn(&'static Host) = function(library, c"mpc31_register_host");
            let initialize: unsafe extern "C" fn() = function(library, c"modpython_core_initialize");
            let get_interpreter: GetInterpreter = function(library, c"get_interpreter");
            let release_interpreter: ReleaseInterpreter = function(library, c"release_interpreter");

            register_host(&HOST);
            initialize();
            ffi::PyEval_InitThreads();
            let main = ffi::PyEval_SaveThread();

            let data = get_interpreter(NAME.as_ptr(), ptr::null_mut());
            assert!(!data.is_null(), "the interpreter starts");
            let interpreter = (*data).istate;
            release_interpreter();

            ffi::PyEval_RestoreThread(main);
            let (dict, place) = (ffi::PyDict_New(), ptr::from_ref(&*Box::leak(Box::new(interpreter))));
            let object = ffi::PyCObject_FromVoidPtr(place.cast_mut().cast(), None);
            assert_eq!(ffi::PyDict_SetItemString(dict, NAME.as_ptr(), object), 0);
            ffi::PyEval_SaveThread();

            let map = HashMap::from([(NAME.into(), 1)]);
            Self { get_interpreter, release_interpreter, map, dict, interpreter }
        }
    }

    /// The library's pair.
    pub fn ours(&self) {
        // SAFETY: a name, no server, and no acquisition of this thread but this one. The GIL is free to be taken.
        unsafe {
            black_box((self.get_interpreter)(black_box(NAME).as_ptr(), ptr::null_mut()));
            (self.release_interpreter)();
        }
    }

    /// 3.1: looks in the dict with the bare GIL, gives it up, makes a state, and takes the GIL with that; in the end
    /// the state is destroyed. It is cleared first, as it has to be; 3.1 forgets to.
    fn stock31(&self) {
        // SAFETY: the calls of a stock module in its order. The object points to the interpreter.
        unsafe {
            ffi::PyEval_AcquireLock();
            let object = ffi::PyDict_GetItemString(self.dict, black_box(NAME).as_ptr());
            let interpreter: *mut *mut ffi::PyInterpreterState = ffi::PyCObject_AsVoidPtr(object).cast();
            ffi::PyEval_ReleaseLock();
            let state = ffi::PyThreadState_New(*interpreter);
            ffi::PyEval_AcquireThread(state);

            let state = ffi::PyThreadState_Get();
            ffi::PyThreadState_Clear(state);
            ffi::PyEval_ReleaseThread(state);
            ffi::PyThreadState_Delete(state);
        }
    }

    /// Runs `pairs` of one variant.
    pub fn run(&self, own: *mut ffi::PyThreadState, variant: usize, pairs: u32) {
        // A match outside of the loop, so that no variant pays for it.
        match variant {
            0 => (0..pairs).for_each(|_| self.ours()),
            1 => (0..pairs).for_each(|_| bare(&self.map, own)),
            2 => (0..pairs).for_each(|_| self.stock31()),
            _ => (0..pairs).for_each(|_| calls(own)),
        }
    }
}
