//! The GIL as a value: a function that takes it calls CPython, and promises nothing more.

use super::ffi;
use std::marker::PhantomData;

/// The calling thread holds the GIL. Made by [`with_gil`] alone, and lent out for the time of a call; it stays with its
/// thread, since it is neither `Send` nor `Sync`.
///
/// A function that takes `&Gil` calls CPython. One that takes `&mut Gil` may also give the GIL up for a while
/// ([`without_gil`]). One that takes neither, and waits, is called where the GIL has been given up.
pub struct Gil(PhantomData<*mut ()>);

/// Calls `with` with the GIL that this thread holds.
///
/// # Safety
///
/// The calling thread holds the GIL, with a state of the interpreter that the objects belong to which `with` uses. It
/// holds it until `with` has returned, but for the time of [`without_gil`] and of calls of CPython that give it up and
/// take it back.
#[inline]
pub unsafe fn with_gil<T>(with: impl FnOnce(&mut Gil) -> T) -> T {
    with(&mut Gil(PhantomData))
}

/// Does `look` without the GIL. Nothing that is borrowed from the GIL, and no reference to an object, gets into it: the
/// GIL is borrowed for this call alone, and references are not `Send`.
pub fn without_gil<T: Send>(_: &mut Gil, look: impl FnOnce() -> T + Send) -> T {
    // SAFETY: the thread has a state and holds the GIL, as whoever made the `Gil` has promised. Between the two calls
    // nothing of CPython is called, and nothing of ours is locked when the GIL is taken back (cpython issue 87135).
    unsafe {
        let thread = ffi::PyEval_SaveThread();
        let seen = look();
        ffi::PyEval_RestoreThread(thread);
        seen
    }
}
