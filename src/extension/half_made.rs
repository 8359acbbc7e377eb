//! Modules that a load has been given half-made, since to wait for them would have closed a cycle. Before the outermost
//! load of the thread ends it waits for them, too: nobody waits for this thread any more then, and no request goes on
//! with a module whose code has not run to its end (I2).

use super::locks::{self, Turn};
use super::object::{Owned, arguments, none};
use super::state::State;
use crate::pathlock::Key;
use crate::python::ffi;
use std::cell::{Cell, RefCell};
use std::ptr::null_mut;

/// One of them, by what its maker holds.
enum Taken {
    /// The lock of a file.
    File(Key),
    /// A lock of Python's own: what waits for it, and the name to call that with. References that are owned, but not
    /// dropped with a thread that ends in the middle of a load, which need not have the GIL then.
    Import(*mut ffi::PyObject, *mut ffi::PyObject),
}

thread_local! {
    /// Loads of this thread that have begun and not ended.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// `TAKEN` has something. Apart from it, because that has a destructor, which is registered at the first look.
    static ANY: Cell<bool> = const { Cell::new(false) };
    static TAKEN: RefCell<Vec<Taken>> = const { RefCell::new(Vec::new()) };
}

/// The load of one file, from the taking of its lock to the end.
pub(super) struct Load;

impl Load {
    pub(super) fn begin() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self
    }

    /// This thread goes on without the lock of that file, whose maker waits for it.
    pub(super) fn goes_on_without(&self, key: &Key) {
        note(Taken::File(key.clone()));
    }

    /// The load has ended, well or not. After the outermost one this thread waits for what it has been given half-made;
    /// false if an exception has come to it meanwhile. A load that has failed gives nothing to anybody.
    ///
    /// # Safety
    /// The GIL is held, and this thread holds no lock of a file but those of loads around this one.
    pub(super) unsafe fn end(self, state: &State, is_well: bool) -> bool {
        if DEPTH.get() > 1 || !ANY.get() {
            return true;
        }
        let (mut is_well, mut was_interrupted) = (is_well, false);
        for taken in TAKEN.take() {
            let mut is_interrupted = false;
            // SAFETY: as the caller promises; each reference is given up once.
            unsafe {
                match taken {
                    Taken::File(key) if is_well => is_interrupted = !wait_for(state, &key),
                    Taken::File(_) => {}
                    Taken::Import(wait, name) => {
                        let (wait, name) = (Owned::from_new(wait), Owned::from_new(name));
                        if let (Some(wait), Some(name), true) = (wait, name, is_well) {
                            let nothing = null_mut::<ffi::PyObject>();
                            let answer = ffi::PyObject_CallFunctionObjArgs(wait.as_ptr(), name.as_ptr(), nothing);
                            is_interrupted = Owned::from_new(answer).is_none();
                        }
                    }
                }
            }
            if is_interrupted {
                is_well = false;
                was_interrupted = true;
            }
        }
        ANY.set(TAKEN.with_borrow(|all| !all.is_empty()));
        !was_interrupted
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

fn note(taken: Taken) {
    TAKEN.with_borrow_mut(|all| all.push(taken));
    ANY.set(true);
}

/// # Safety
/// The GIL is held.
unsafe fn wait_for(state: &State, key: &Key) -> bool {
    // SAFETY: as the caller promises.
    unsafe {
        match locks::take(state, key) {
            Turn::Mine(_) => locks::end(key),
            // Its maker has told how it went. Or it waits for an import that this load is a part of.
            Turn::Told(_) | Turn::Cycle => {}
            Turn::Interrupted => return false,
        }
    }
    true
}

/// `half_made(wait, name)`: an import statement of this thread has been given the module of that name half-made, and
/// `wait(name)` waits until it is done. Nothing if no load is under way in this thread.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn half_made(
    _: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        if let ([wait, name], true) = (arguments(args, nargs), DEPTH.get() > 0) {
            if let (Some(wait), Some(name)) = (Owned::from_borrowed(*wait), Owned::from_borrowed(*name)) {
                note(Taken::Import(wait.into_ptr(), name.into_ptr()));
            }
        }
        none()
    }
}
