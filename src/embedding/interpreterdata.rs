//! The structure that mod_python's functions read: `interpreterdata`, by generation, and the array in the newest.

use crate::{
    python::{Interpreter, ffi, gil::Gil},
    registry::Attempt,
};
use std::{
    cell::{Cell, RefCell, UnsafeCell},
    ffi::{c_int, c_long, c_void},
    ptr,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

/// `interpreterdata` of generations 3.1, 3.2 and 3.3.
#[repr(C)]
pub struct InterpreterData31 {
    /// The interpreter.
    pub istate: *mut c_void,
    /// The callback object.
    pub obcallback: *mut c_void,
}

/// `interpreterdata` of generation 3.5.
#[repr(C)]
pub struct InterpreterData35 {
    /// `apr_array_header_t *` of thread states.
    pub tstates: *mut c_void,
    /// The interpreter.
    pub interp: *mut c_void,
    /// The callback object.
    pub obcallback: *mut c_void,
}

/// `apr_array_header_t`. The module hands its address to apr_array_pop and apr_array_push alone; it is filled in as an
/// empty array all the same.
#[repr(C)]
struct Array {
    pool: *mut c_void,
    elt_size: c_int,
    nelts: c_int,
    nalloc: c_int,
    elts: *mut c_void,
}

/// The data beside a thread's state of an interpreter. Each thread has its own, so that the module's unlocked reads
/// and writes of the structure race with nobody.
pub struct HandedOut {
    data31: UnsafeCell<InterpreterData31>,
    data35: UnsafeCell<InterpreterData35>,
    array: UnsafeCell<Array>,
    /// apr_array_pop and apr_array_push return its address.
    slot: Cell<*mut c_void>,
    /// The attempt to make this interpreter or its callback, while this thread is at it.
    pub attempt: RefCell<Option<Attempt>>,
    /// The last result handed to the module; see `unlocked`.
    pub result: Cell<*mut ffi::PyObject>,
    /// Its value.
    pub value: Cell<c_long>,
}

/// Objects that were kept in blocks of threads that have ended, or of states that were given up. No GIL is held there.
static ORPHANS: Mutex<Vec<usize>> = Mutex::new(Vec::new());
static ORPHANS_WAIT: AtomicBool = AtomicBool::new(false);

impl Drop for HandedOut {
    fn drop(&mut self) {
        let result = self.result.get();
        if !result.is_null() {
            // Not waiting for the lock: in the child of a fork its holder may not exist. The object stays then.
            if let Ok(mut orphans) = ORPHANS.try_lock() {
                orphans.push(result as usize);
                ORPHANS_WAIT.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// Gives the orphans up. They are ints, which all interpreters of a process allocate alike.
#[inline]
pub fn free_orphans(gil: &Gil) {
    if ORPHANS_WAIT.load(Ordering::Relaxed) {
        free_waiting_orphans(gil);
    }
}

#[cold]
fn free_waiting_orphans(_: &Gil) {
    let Ok(mut orphans) = ORPHANS.try_lock() else { return };
    ORPHANS_WAIT.store(false, Ordering::Relaxed);
    let orphans = std::mem::take(&mut *orphans);
    for object in orphans {
        // SAFETY: the GIL is held; the block owned one reference.
        unsafe { ffi::Py_DECREF(object as *mut ffi::PyObject) };
    }
}

impl HandedOut {
    /// The block of an interpreter whose callback is not known yet.
    pub fn new(interpreter: Interpreter) -> Self {
        let (interpreter, null) = (interpreter.as_ptr(), ptr::null_mut());
        let array = Array {
            pool: ptr::null_mut(),
            elt_size: size_of::<*mut c_void>() as c_int,
            nelts: 0,
            nalloc: 0,
            elts: ptr::null_mut(),
        };
        Self {
            data31: UnsafeCell::new(InterpreterData31 { istate: interpreter, obcallback: null }),
            data35: UnsafeCell::new(InterpreterData35 { tstates: null, interp: interpreter, obcallback: null }),
            array: UnsafeCell::new(array),
            slot: Cell::new(ptr::null_mut()),
            attempt: RefCell::new(None),
            result: Cell::new(ptr::null_mut()),
            value: Cell::new(0),
        }
    }

    /// The structure for a host of generation 3.1 to 3.3, with this callback. A NULL callback tells mod_python to
    /// create it. The block must not move afterwards.
    pub fn hand_out31(&self, callback: *mut c_void) -> *mut InterpreterData31 {
        let data = self.data31.get();
        // SAFETY: only this thread touches the block, and no reference to the structure exists on our side.
        unsafe { (*data).obcallback = callback };
        data
    }

    /// Whether `data` is that structure.
    pub fn is31(&self, data: *mut c_void) -> bool {
        self.data31.get().cast() == data
    }

    /// The same for generation 3.5.
    pub fn hand_out35(&self, callback: *mut c_void) -> *mut InterpreterData35 {
        let data = self.data35.get();
        // SAFETY: as above.
        unsafe {
            (*data).tstates = self.array.get().cast();
            (*data).obcallback = callback;
        }
        data
    }

    /// Whether `array` is the one in this block.
    pub fn has_array(&self, array: *mut c_void) -> bool {
        self.array.get().cast() == array
    }

    /// The place for one element, with `element` in it.
    pub fn slot(&self, element: *mut c_void) -> *mut c_void {
        self.slot.set(element);
        self.slot.as_ptr().cast()
    }
}
