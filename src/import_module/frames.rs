//! Which threads run a module's code, for Python 2, which does not say it of a module: asked of the frames of all
//! threads.

use super::object::{Owned, bytes};
use super::text::interned;
use crate::python::ffi;
use std::collections::HashMap;
use std::ffi::{c_long, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

unsafe extern "C" {
    /// See `capi/frame.c`.
    fn mpc_glue_thread_id(state: *mut ffi::PyThreadState) -> c_long;
    fn mpc_glue_thread_frame(state: *mut ffi::PyThreadState) -> *mut ffi::PyObject;
}

/// States of threads that the last fork has not brought along, with the frames that they will for ever be in: Python 2
/// goes on showing them. A state whose frame is another is one that was made anew in the same place.
static GONE: AtomicPtr<HashMap<usize, usize>> = AtomicPtr::new(null_mut());

/// In the child of a fork, whether or not it has the GIL: no other thread runs.
pub(super) fn after_fork_in_child() {
    let mut gone = HashMap::new();
    // SAFETY: Python is initialised, and this is the only thread: the lists of states do not change. A state's own
    // fields are only read.
    unsafe {
        let me = ffi::PyThread_get_thread_ident() as c_long;
        let mut interpreter = ffi::PyInterpreterState_Head();
        while !interpreter.is_null() {
            let mut state = ffi::PyInterpreterState_ThreadHead(interpreter);
            while !state.is_null() {
                if mpc_glue_thread_id(state) != me {
                    gone.insert(state as usize, mpc_glue_thread_frame(state) as usize);
                }
                state = ffi::PyThreadState_Next(state);
            }
            interpreter = ffi::PyInterpreterState_Next(interpreter);
        }
    }
    // What was there before stays allocated: some hundred bytes a generation of forks.
    GONE.store(Box::into_raw(Box::new(gone)), Ordering::Release);
}

fn is_gone(state: *mut ffi::PyThreadState, frame: *mut ffi::PyObject) -> bool {
    // SAFETY: NULL, or a map that nothing writes to or frees.
    let gone = unsafe { GONE.load(Ordering::Acquire).as_ref() };
    gone.is_some_and(|gone| gone.get(&(state as usize)) == Some(&(frame as usize)))
}

/// `runners(namespace, file)`: two lists of the threads that run a module's code in these globals: those that live, and
/// those that a fork has not brought along. `file` is that of the module, whose base name the code has.
///
/// It runs no Python code, and so is one step that no other thread gets in between: a generator that yields loses the
/// way back to its caller, and whoever had begun to follow that way would find the module's code no longer on it.
///
/// # Safety
/// Called by CPython, as METH_FASTCALL.
pub(super) unsafe extern "C" fn runners(
    _: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    nargs: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython gives live objects and holds the GIL.
    unsafe {
        let Some([namespace, file]) = super::object::exactly("runners", args, nargs) else { return null_mut() };
        list(namespace, file).map_or(null_mut(), Owned::into_ptr)
    }
}

/// # Safety
/// The GIL is held, `namespace` and `file` are alive. None with an exception set on failure.
unsafe fn list(namespace: *mut ffi::PyObject, file: *mut ffi::PyObject) -> Option<Owned> {
    // SAFETY: as the caller promises. With the GIL held no state comes or goes, and no frame but this thread's moves.
    unsafe {
        let names = [interned(c"f_back")?, interned(c"f_globals")?, interned(c"f_code")?, interned(c"co_name")?];
        let co_filename = interned(c"co_filename")?;
        let file = base_name(&bytes(file)?).to_vec();
        let found = [Owned::from_new(ffi::PyList_New(0))?, Owned::from_new(ffi::PyList_New(0))?];
        let mut state = ffi::PyInterpreterState_ThreadHead((*ffi::PyThreadState_Get()).interp);
        while !state.is_null() {
            let frame = mpc_glue_thread_frame(state);
            if !frame.is_null() && runs(Owned::from_borrowed(frame)?, namespace, &names, &co_filename, &file)? {
                let thread = Owned::from_new(ffi::PyInt_FromLong(mpc_glue_thread_id(state)))?;
                if ffi::PyList_Append(found[usize::from(is_gone(state, frame))].as_ptr(), thread.as_ptr()) < 0 {
                    return None;
                }
            }
            state = ffi::PyThreadState_Next(state);
        }
        Owned::from_new(ffi::PyTuple_Pack(2, found[0].as_ptr().cast::<c_void>(), found[1].as_ptr().cast::<c_void>()))
    }
}

/// The last part of a path, without the letter that tells bytecode from source.
fn base_name(path: &[u8]) -> &[u8] {
    let last = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    match last {
        [stem @ .., b'c' | b'o'] if stem.ends_with(b".py") => stem,
        _ => last,
    }
}

/// Whether the frame, or one that it goes back to, is that of a module's code in these globals.
///
/// # Safety
/// As [`list`].
unsafe fn runs(
    frame: Owned,
    namespace: *mut ffi::PyObject,
    names: &[Owned; 4],
    co_filename: &Owned,
    file: &[u8],
) -> Option<bool> {
    let [back, globals, code, name] = names;
    // SAFETY: live objects; these attributes of a frame and its code are fields, and to read one runs no Python code.
    unsafe {
        let attribute = |of: &Owned, name: &Owned| Owned::from_new(ffi::PyObject_GetAttr(of.as_ptr(), name.as_ptr()));
        let mut frame = frame;
        while frame.as_ptr() != ffi::Py_None() {
            // A function of the module has the same globals; what eval() and exec run there has the name too, but is
            // of no file.
            if attribute(&frame, globals)?.as_ptr() == namespace {
                let code = attribute(&frame, code)?;
                if bytes(attribute(&code, name)?.as_ptr())? == b"<module>"
                    && base_name(&bytes(attribute(&code, co_filename)?.as_ptr())?) == file
                {
                    return Some(true);
                }
            }
            frame = attribute(&frame, back)?;
        }
        Some(false)
    }
}
