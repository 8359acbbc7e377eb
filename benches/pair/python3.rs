//! Python 3: the library's functions of generation 3.5, whose release takes what the acquisition has returned.

use super::{NAME, bare, calls, function, library};
use modpython_core::python::ffi;
use std::{
    cell::UnsafeCell,
    collections::HashMap,
    ffi::{CString, c_char, c_void},
    hint::black_box,
    ptr,
};

type GetInterpreter = unsafe extern "C" fn(*const c_char) -> *mut Data;
type ReleaseInterpreter = unsafe extern "C" fn(*mut Data);

/// `interpreterdata` of generation 3.5.
#[repr(C)]
struct Data {
    tstates: *mut c_void,
    interp: *mut ffi::PyInterpreterState,
    obcallback: *mut ffi::PyObject,
}

/// The functions of a host of generation 3.5; this one makes callbacks alone.
#[repr(C)]
struct Host {
    others: [*const c_void; 3],
    make_obcallback: unsafe extern "C" fn(*const c_char) -> *mut ffi::PyObject,
}

/// Any object will do: it is not called.
unsafe extern "C" fn make_obcallback(_name: *const c_char) -> *mut ffi::PyObject {
    // SAFETY: called with the GIL held.
    unsafe { ffi::PyList_New(0) }
}

static HOST: Host = Host { others: [ptr::null(); 3], make_obcallback };

// SAFETY: never written to.
unsafe impl Sync for Host {}

/// The variants, and the multiple of its time that ours may take.
pub const VARIANTS: [(&str, f64); 6] = [
    ("ours", f64::INFINITY),
    ("bare", 1.10),
    ("stock 3.1", 1.0),
    ("the CPython calls alone", f64::INFINITY),
    ("stock 3.5", f64::INFINITY),
    ("stock 3.5, Debian's, which does not clear", f64::INFINITY),
];

/// The data that all threads share.
pub struct Shared {
    get_interpreter: GetInterpreter,
    release_interpreter: ReleaseInterpreter,
    /// The state that the server's start has given up: stock's threads take the GIL with it, one after the other.
    global: *mut ffi::PyThreadState,
    pub interpreter: *mut ffi::PyInterpreterState,
    /// For the bare look-ups, and in the place of 3.5's hash. The number stands for a pointer.
    map: HashMap<CString, usize>,
    /// 3.1's interpreters: a dict of capsules.
    dict: *mut ffi::PyObject,
    /// 3.5's idle states, which the GIL guards.
    idle: UnsafeCell<Vec<*mut ffi::PyThreadState>>,
    data: Data,
}

// SAFETY: nothing changes but `idle`, which is used with the GIL held alone.
unsafe impl Sync for Shared {}

impl Shared {
    /// Starts Python as a server and its child do.
    pub fn new() -> Self {
        // SAFETY: the library does nothing when it is loaded; its functions have these types. Python is started by the
        // one thread there is, and the GIL is held from there to PyEval_SaveThread.
        unsafe {
            let library = library();
            let register_host: unsafe extern "C" fn(&'static Host) = function(library, c"mpc35_register_host");
            let initialize: unsafe extern "C" fn() = function(library, c"modpython_core_initialize");
            let save_interpreter: unsafe extern "C" fn(*const c_char, *mut ffi::PyThreadState) -> *mut Data =
                function(library, c"mpc35_save_interpreter");
            let get_interpreter: GetInterpreter = function(library, c"mpc35_get_interpreter");
            let release_interpreter: ReleaseInterpreter = function(library, c"mpc35_release_interpreter");

            register_host(&HOST);
            initialize();
            assert!(!save_interpreter(c"main_interpreter".as_ptr(), ffi::PyThreadState_Get()).is_null());
            let global = ffi::PyEval_SaveThread();

            let data = get_interpreter(NAME.as_ptr());
            assert!(!data.is_null(), "the interpreter starts");
            let interpreter = (*data).interp;
            release_interpreter(data);

            ffi::PyEval_RestoreThread(global);
            let data = Data { tstates: ptr::null_mut(), interp: interpreter, obcallback: ptr::null_mut() };
            let (dict, place) = (ffi::PyDict_New(), ptr::from_ref(&*Box::leak(Box::new(interpreter))));
            let capsule = ffi::PyCapsule_New(place.cast_mut().cast(), ptr::null(), None);
            assert_eq!(ffi::PyDict_SetItemString(dict, NAME.as_ptr(), capsule), 0);
            ffi::PyEval_SaveThread();

            let map = HashMap::from([(NAME.into(), 1)]);
            let idle = UnsafeCell::new(Vec::new());
            Self { get_interpreter, release_interpreter, global, interpreter, map, dict, idle, data }
        }
    }

    /// The library's pair.
    pub fn ours(&self) {
        // SAFETY: a name, and what came of it. The GIL is free to be taken.
        unsafe { (self.release_interpreter)(black_box((self.get_interpreter)(black_box(NAME).as_ptr()))) }
    }

    /// 3.1: looks in the dict with the GIL, gives it up, makes a state, and takes the GIL with that; in the end the
    /// state is destroyed. It is cleared first, as it has to be; 3.1 forgets to.
    fn stock31(&self) {
        // SAFETY: the calls of a stock module in its order. The capsule has no name and points to the interpreter.
        unsafe {
            ffi::PyEval_RestoreThread(self.global);
            let capsule = ffi::PyDict_GetItemString(self.dict, black_box(NAME).as_ptr());
            let interpreter: *mut *mut ffi::PyInterpreterState = ffi::PyCapsule_GetPointer(capsule, ptr::null()).cast();
            ffi::PyEval_SaveThread();
            let state = ffi::PyThreadState_New(*interpreter);
            ffi::PyEval_AcquireThread(state);

            let state = ffi::PyThreadState_Get();
            ffi::PyThreadState_Clear(state);
            ffi::PyEval_ReleaseThread(state);
            ffi::PyThreadState_Delete(state);
        }
    }

    /// 3.5: looks in the hash with the GIL, takes an idle state or makes one, and swaps it in; in the end the state is
    /// cleared, if `clears` (Debian's build does not), and idle again.
    fn stock35(&self, clears: bool) {
        // SAFETY: the calls of a stock module in its order. `idle` is touched with the GIL held.
        unsafe {
            ffi::PyEval_RestoreThread(self.global);
            black_box(self.map.get(black_box(NAME)));
            let data = black_box(&self.data);
            let state = (*self.idle.get()).pop().unwrap_or_else(|| ffi::PyThreadState_New(data.interp));
            ffi::PyThreadState_Swap(state);

            let state = ffi::PyThreadState_Get();
            if clears {
                ffi::PyThreadState_Clear(state);
            }
            (*self.idle.get()).push(state);
            ffi::PyEval_ReleaseThread(state);
        }
    }

    /// Runs `pairs` of one variant.
    pub fn run(&self, own: *mut ffi::PyThreadState, variant: usize, pairs: u32) {
        // A match outside of the loop, so that no variant pays for it.
        match variant {
            0 => (0..pairs).for_each(|_| self.ours()),
            1 => (0..pairs).for_each(|_| bare(&self.map, own)),
            2 => (0..pairs).for_each(|_| self.stock31()),
            3 => (0..pairs).for_each(|_| calls(own)),
            4 => (0..pairs).for_each(|_| self.stock35(true)),
            _ => (0..pairs).for_each(|_| self.stock35(false)),
        }
    }
}
