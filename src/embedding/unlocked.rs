//! The module's use of a request's objects: references that it gives up without holding the GIL (rows `result` and
//! `decref` of the known defects), and the beginning, dispatch and end of a request.

use super::{
    acquire,
    interpreterdata::HandedOut,
    thread::{Thread, with_current_thread},
};
use crate::{
    python::{
        Interpreter, calls, exceptions, ffi,
        gil::{Gil, with_gil},
        object::{Object, Owned},
        threads::{Record, Request},
        values,
    },
    server::{
        apache::{self, Cleanup},
        settings,
    },
};
use std::{
    ffi::{CStr, c_char, c_int, c_long, c_void},
    ptr,
};

unsafe extern "C" {
    fn mpc_glue_private_int(value: c_long) -> *mut ffi::PyObject;
}

/// Trades a method's result, as C has it: NULL stays NULL.
///
/// # Safety
///
/// `name` is NUL-terminated, the GIL is held, and `result` is NULL or a reference that is taken over.
pub unsafe fn trade(
    name: *const c_char,
    result: *mut ffi::PyObject,
    by: fn(&Gil, &CStr, Owned) -> Owned,
) -> *mut ffi::PyObject {
    // SAFETY: the caller's promise.
    unsafe {
        with_gil(|gil| match Owned::from_new(gil, result) {
            Some(result) => by(gil, CStr::from_ptr(name), result).into_ptr(),
            None => result,
        })
    }
}

/// The result that a relinked module gets from a method of that name: publishes the interpreter with the callback that
/// `init` returns, and trades a handler's result ([`dispatched`]).
pub fn method_returned(gil: &Gil, name: &CStr, result: Owned) -> Owned {
    if name == c"init" {
        // The module keeps the reference it is given, in a structure of this thread; this one is everybody else's.
        with_current_thread(|thread| acquire::publish(thread, gil, result.clone_ref(gil)));
    }
    dispatched(gil, name, result)
}

/// The result that mod_python gets from a method of that name: a handler's is traded for one that may be counted
/// without the GIL.
pub fn dispatched(gil: &Gil, name: &CStr, result: Owned) -> Owned {
    let is_handlers = name == c"HandlerDispatch" || name == c"ConnectionDispatch";
    if !is_handlers || !settings::of_process().cures("results") {
        return result;
    }
    with_current_thread(|thread| make_private(gil, thread, result.object())).flatten().unwrap_or(result)
}

/// Trades a handler's result for one that may be counted without the GIL: python_handler and python_connection release
/// the interpreter first and give their reference up afterwards. Shared ints (OK is 0, DONE is -2) would lose counts to
/// a race, and one that reaches zero would be freed without the GIL. The int handed out is this thread's alone, and
/// this thread keeps a reference to it, so that it is never freed there. None if the result has to stay as it is.
fn make_private(gil: &Gil, thread: &Thread, result: Object<'_>) -> Option<Owned> {
    let kept = thread.threads.innermost()?;
    // Anything else but an int is an error, which the module logs without giving its reference up.
    if !values::is_int(result) {
        return None;
    }
    let value = values::as_long(gil, result);
    let private = if value == -1 && exceptions::is_pending(gil) { None } else { keep_value(gil, &kept.data, value) };
    if private.is_none() {
        exceptions::clear(gil);
    }
    private
}

/// This thread's int of that value; None with an exception set on failure. It is kept until a handler returns another
/// value, which is rare.
fn keep_value(gil: &Gil, block: &HandedOut, value: c_long) -> Option<Owned> {
    let kept = block.result.get();
    // SAFETY: NULL, or an int of which the block owns a reference; a new reference or NULL.
    unsafe {
        if block.value.get() == value {
            if let Some(kept) = Owned::from_borrowed(gil, kept) {
                return Some(kept);
            }
        }
        let new = Owned::from_new(gil, mpc_glue_private_int(value))?;
        block.result.set(new.clone_ref(gil).into_ptr());
        block.value.set(value);
        drop(Owned::from_new(gil, kept));
        Some(new)
    }
}

/// A filter object that the module would give up, without the GIL, when its request's pool is destroyed.
struct Given {
    object: *mut c_void,
    interpreter: Interpreter,
}

/// Takes the interpreter, gives the object up in it, and releases it.
unsafe extern "C" fn give_up(data: *mut c_void) -> c_int {
    // SAFETY: `register` made it with Box::into_raw, and APR runs a cleanup once.
    let given = unsafe { Box::from_raw(data.cast::<Given>()) };
    // Without memory for a state the object stays: that is better than a count changed without the GIL.
    // SAFETY: interpreters are not destroyed; inside, the GIL is held in the object's interpreter, and the pool owned
    // one reference.
    with_current_thread(|thread| unsafe {
        thread.threads.within(given.interpreter, HandedOut::new, |_| ffi::Py_DECREF(given.object.cast()));
    });
    0
}

/// Registers a pool cleanup for a relinked module, whose python_decref is known by its name; see [`register`].
///
/// # Safety
///
/// As for `apr_pool_cleanup_register`.
pub unsafe fn register_of_module(
    pool: *mut c_void,
    data: *const c_void,
    plain: Option<Cleanup>,
    child: Option<Cleanup>,
) {
    let unlocked = plain.is_some_and(|plain| plain as usize == python_decref() as usize)
        && settings::of_process().cures("filters");
    // SAFETY: the caller's promise.
    unsafe { register(pool, data, plain, child, unlocked) }
}

/// Registers a pool cleanup. One that is `unlocked` (python_decref) gives an object up without the GIL, and is replaced
/// by one that takes it. The one with which a request begins gets the end of that request with it.
///
/// # Safety
///
/// As for `apr_pool_cleanup_register`.
pub unsafe fn register(
    pool: *mut c_void,
    data: *const c_void,
    plain: Option<Cleanup>,
    child: Option<Cleanup>,
    unlocked: bool,
) {
    // SAFETY: the caller's promise; a replaced cleanup gets the data made for it.
    unsafe {
        if unlocked {
            if let Some(kept) = with_current_thread(|thread| thread.threads.innermost()).flatten() {
                let given = Given { object: data.cast_mut(), interpreter: kept.interpreter() };
                let given = Box::into_raw(Box::new(given));
                return apache::mpc_server_pool_cleanup_register(pool, given.cast(), Some(give_up), child);
            }
        } else if let (Some(plain), false) = (plain, data.is_null()) {
            let data = data.cast_mut();
            if let Some(request) =
                with_current_thread(|thread| thread.threads.open_request(|| record_of(pool, data))).flatten()
            {
                let cleaning = Cleaning { request, plain, data };
                let ending = Box::into_raw(Box::new(Ending { cleaning, pool, child }));
                return apache::mpc_server_pool_cleanup_register(pool, ending.cast(), Some(end), child);
            }
            if let Some(request) = with_current_thread(|thread| thread.threads.running_request()).flatten() {
                let cleaning = Box::into_raw(Box::new(Cleaning { request, plain, data }));
                return apache::mpc_server_pool_cleanup_register(pool, cleaning.cast(), Some(clean), child);
            }
        }
        apache::mpc_server_pool_cleanup_register(pool, data, plain, child);
    }
}

/// The first of the `request_rec`s that Apache has made of what a client has asked for: from a subrequest to the one it
/// is of, and from a redirected one to the one before. `data` itself, if it is no such record.
///
/// # Safety
///
/// `data` points to a `request_rec`, or to something else that does not begin with the address of that pool.
unsafe fn record_of(pool: *mut c_void, data: *mut c_void) -> Record {
    /// The beginning of `request_rec`, the same from httpd 2.0 to 2.4.
    #[repr(C)]
    struct RequestRec {
        pool: *mut c_void,
        connection: *mut c_void,
        server: *mut c_void,
        next: *mut RequestRec,
        prev: *mut RequestRec,
        main: *mut RequestRec,
    }
    let mut record = data.cast::<RequestRec>();
    // SAFETY: whatever a cleanup is registered with has a word to read; the others live as long as this one.
    unsafe {
        if (*record).pool != pool {
            return Record { root: data as usize, is_first: true };
        }
        loop {
            let before = if (*record).main.is_null() { (*record).prev } else { (*record).main };
            if before.is_null() {
                return Record { root: record as usize, is_first: ptr::eq(record.cast(), data) };
            }
            record = before;
        }
    }
}

/// A cleanup of the module's own, and the request that it is for.
struct Cleaning {
    request: Request,
    plain: Cleanup,
    data: *mut c_void,
}

impl Cleaning {
    /// # Safety
    ///
    /// It is what the module has registered, with its data.
    unsafe fn run(&self) -> c_int {
        // SAFETY: the caller's promise.
        let run = || unsafe { (self.plain)(self.data) };
        match with_current_thread(|thread| thread.threads.acquiring_for(Some(self.request), run)) {
            Some(status) => status,
            // The thread has lost its record, being about to end.
            None => run(),
        }
    }
}

/// A cleanup that Python code of the request has registered.
unsafe extern "C" fn clean(data: *mut c_void) -> c_int {
    // SAFETY: `register` made it with Box::into_raw, and APR runs a cleanup once.
    unsafe { Box::from_raw(data.cast::<Cleaning>()).run() }
}

/// The cleanup that the module registers when it has made a request's object, and where it was registered.
struct Ending {
    cleaning: Cleaning,
    pool: *mut c_void,
    child: Option<Cleanup>,
}

/// Runs that cleanup, in which the module dispatches PythonCleanupHandler. APR runs the newest cleanup first: a
/// cleanup that the handler registers runs before the end of the request.
unsafe extern "C" fn end(data: *mut c_void) -> c_int {
    // SAFETY: `register` made it with Box::into_raw, and `close`, which runs after this, frees it; the pool is the one
    // whose cleanups run.
    unsafe {
        let ending = &*data.cast::<Ending>();
        apache::mpc_server_pool_cleanup_register(ending.pool, data, Some(close), ending.child);
        ending.cleaning.run()
    }
}

/// The end of the request.
unsafe extern "C" fn close(data: *mut c_void) -> c_int {
    // SAFETY: `register` made it with Box::into_raw, `end` has handed it on, and APR runs a cleanup once.
    let ending = unsafe { Box::from_raw(data.cast::<Ending>()) };
    with_current_thread(|thread| thread.threads.close_request(ending.cleaning.request, HandedOut::new));
    0
}

/// Called by the C glue with a method of the module's callback that is about to be called, and its first argument.
#[unsafe(no_mangle)]
unsafe extern "C" fn mpc_method_is_dispatched(name: *const c_char, first: *mut ffi::PyObject) {
    // SAFETY: the glue has a NUL-terminated name and a live argument, and holds the GIL with the state of the innermost
    // acquisition, on which no Python code runs yet.
    unsafe {
        let Some(first) = Object::new(first) else { return };
        let request = match CStr::from_ptr(name).to_bytes() {
            b"HandlerDispatch" => Some(first.as_ptr() as usize),
            b"FilterDispatch" | b"IncludeDispatch" => with_gil(|gil| request_of_filter(gil, first)),
            b"ConnectionDispatch" | b"ImportDispatch" => None,
            _ => return,
        };
        with_current_thread(|thread| thread.threads.dispatch(request));
    }
}

/// The address of the request's object that a filter has.
fn request_of_filter(gil: &Gil, filter: Object<'_>) -> Option<usize> {
    let request = calls::attribute_named(gil, filter, c"req");
    if request.is_none() {
        exceptions::clear(gil);
    }
    // The filter has another reference.
    request.map(|request| request.as_ptr() as usize)
}

/// The address of the module's own cleanup, which it exports.
fn python_decref() -> *mut c_void {
    use std::sync::atomic::{AtomicPtr, Ordering};
    // Looked up once a process: a child is forked from a parent that has loaded the module for good, or is loading it
    // anew before it forks again.
    static ADDRESS: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
    let mut address = ADDRESS.load(Ordering::Relaxed);
    if address.is_null() {
        address = apache::symbol(c"python_decref");
        ADDRESS.store(address, Ordering::Relaxed);
    }
    address
}
