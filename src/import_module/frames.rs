//! Which threads run a module's code, for Python 2, which does not say it of a module: asked of the frames of all
//! threads.

use super::state::State;
use crate::python::calls::attribute;
use crate::python::ffi;
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned};
use crate::python::sequence;
use crate::python::text::interned;
use crate::python::values::{bytes, exactly};
use std::collections::HashMap;
use std::ffi::c_long;
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
    // The map of before stays allocated: some hundred bytes a generation of forks.
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
/// way back to its caller, and a thread that had begun to follow that way would find the module's code no longer on it.
pub(super) fn runners(gil: &mut Gil, _: &State, given: &[Object<'_>]) -> Option<Owned> {
    let [namespace, file] = exactly(gil, "runners", given)?;
    let names = [interned(gil, c"f_back")?, interned(gil, c"f_globals")?, interned(gil, c"f_code")?];
    let names_of_code = [interned(gil, c"co_name")?, interned(gil, c"co_filename")?];
    let file = base_name(&bytes(gil, file)?).to_vec();
    let found = [sequence::list(gil)?, sequence::list(gil)?];
    // SAFETY: with the GIL held no state comes or goes, and no frame but this thread's moves: what is called runs no
    // Python code. The frame is alive as long as its state is in it.
    unsafe {
        let mut state = ffi::PyInterpreterState_ThreadHead((*ffi::PyThreadState_Get()).interp);
        while !state.is_null() {
            let address = mpc_glue_thread_frame(state);
            if let Some(frame) = Owned::from_borrowed(gil, address) {
                if runs(gil, frame, namespace, &names, &names_of_code, &file)? {
                    let thread = Owned::from_new(gil, ffi::PyInt_FromLong(mpc_glue_thread_id(state)))?;
                    if !sequence::append(gil, &found[usize::from(is_gone(state, address))], &thread) {
                        return None;
                    }
                }
            }
            state = ffi::PyThreadState_Next(state);
        }
    }
    sequence::tuple(gil, &[found[0].object(), found[1].object()])
}

/// `frames()`: (thread, frame) of each thread that runs in the interpreter, which Python 2.4 has no function for.
#[cfg(lowered)]
pub(super) fn frames(gil: &mut Gil, _: &State) -> Option<Owned> {
    let found = sequence::list(gil)?;
    // SAFETY: as above; to make an int, a tuple and a list runs no Python code.
    unsafe {
        let mut state = ffi::PyInterpreterState_ThreadHead((*ffi::PyThreadState_Get()).interp);
        while !state.is_null() {
            if let Some(frame) = Owned::from_borrowed(gil, mpc_glue_thread_frame(state)) {
                let thread = Owned::from_new(gil, ffi::PyInt_FromLong(mpc_glue_thread_id(state)))?;
                let pair = sequence::tuple(gil, &[thread.object(), frame.object()])?;
                if !sequence::append(gil, &found, &pair) {
                    return None;
                }
            }
            state = ffi::PyThreadState_Next(state);
        }
    }
    Some(found)
}

/// The name of a module's code.
const OF_A_MODULE: &[u8] = if cfg!(python24) { b"?" } else { b"<module>" };

/// The last part of a path, without the letter that tells bytecode from source.
fn base_name(path: &[u8]) -> &[u8] {
    let last = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    match last {
        [stem @ .., b'c' | b'o'] if stem.ends_with(b".py") => stem,
        _ => last,
    }
}

/// Whether the frame, or one that it goes back to, is that of a module's code in these globals. The attributes that are
/// asked for are fields, and to read one runs no Python code.
fn runs(
    gil: &Gil,
    mut frame: Owned,
    namespace: Object<'_>,
    [back, globals, code]: &[Owned; 3],
    [name, co_filename]: &[Owned; 2],
    file: &[u8],
) -> Option<bool> {
    while !frame.is_none() {
        // A function of the module has the same globals; what eval() and exec run there has the name too, but is of no
        // file.
        if attribute(gil, &frame, globals)?.is(namespace) {
            let code = attribute(gil, &frame, code)?;
            if bytes(gil, &attribute(gil, &code, name)?)? == OF_A_MODULE
                && base_name(&bytes(gil, &attribute(gil, &code, co_filename)?)?) == file
            {
                return Some(true);
            }
        }
        frame = attribute(gil, &frame, back)?;
    }
    Some(false)
}
