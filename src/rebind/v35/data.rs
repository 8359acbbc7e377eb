//! The structure that the module's functions read: `interpreterdata`, and the array in it.

use crate::{python::Interpreter, registry::Attempt};
use std::{
    cell::{Cell, RefCell, UnsafeCell},
    ffi::{c_int, c_void},
    ptr,
};

/// `interpreterdata` of generation 3.5: three pointers.
#[repr(C)]
pub struct InterpreterData {
    tstates: *mut Array,
    interp: *mut c_void,
    obcallback: *mut c_void,
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

/// What is kept beside a thread's state of an interpreter. Each thread has its own, so that the module's unlocked reads
/// and writes of the structure race with nobody.
pub struct Block {
    interpreter: InterpreterDataCell,
    array: UnsafeCell<Array>,
    /// What apr_array_pop and apr_array_push return the address of.
    slot: Cell<*mut c_void>,
    /// The attempt to make this interpreter or its callback, while this thread is at it.
    pub attempt: RefCell<Option<Attempt>>,
    /// The last result handed to the module; see the `result` module.
    pub result: Cell<*mut pyo3_ffi::PyObject>,
}

type InterpreterDataCell = UnsafeCell<InterpreterData>;

impl Block {
    /// The block of an interpreter whose callback is not known yet.
    pub fn new(interpreter: Interpreter) -> Self {
        let data =
            InterpreterData { tstates: ptr::null_mut(), interp: interpreter.as_ptr(), obcallback: ptr::null_mut() };
        let array = Array {
            pool: ptr::null_mut(),
            elt_size: size_of::<*mut c_void>() as c_int,
            nelts: 0,
            nalloc: 0,
            elts: ptr::null_mut(),
        };
        Self {
            interpreter: UnsafeCell::new(data),
            array: UnsafeCell::new(array),
            slot: Cell::new(ptr::null_mut()),
            attempt: RefCell::new(None),
            result: Cell::new(ptr::null_mut()),
        }
    }

    /// The structure for the module, with this callback; NULL has the module make one. The block must not move
    /// afterwards.
    pub fn hand_out(&self, callback: *mut c_void) -> *mut c_void {
        let data = self.interpreter.get();
        // SAFETY: only this thread touches the block, and no reference to the structure exists on our side.
        unsafe {
            (*data).tstates = self.array.get();
            (*data).obcallback = callback;
        }
        data.cast()
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
