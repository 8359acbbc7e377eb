//! The built-in module `_apache` of generation 3.5, in Python's table of built-in modules.

use crate::{
    embedding::start,
    python::{Cpython, Python},
    server::apache,
};
use std::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

/// The function by which a module of Python comes into being. It returns nothing in Python 2.
pub type InitFunction = unsafe extern "C" fn() -> *mut c_void;

/// An entry of Python's table of built-in modules, the last of which has no name.
#[repr(C)]
struct Builtin {
    name: *const c_char,
    init: Option<InitFunction>,
}

unsafe extern "C" {
    fn PyImport_AppendInittab(name: *const c_char, init: Option<InitFunction>) -> c_int;
    static mut PyImport_Inittab: *mut Builtin;
}

/// The name in our entry, which is known by its address.
static NAME: &CStr = c"_apache";
/// The function that the newest load of the module has passed; NULL while there is no entry.
static NEWEST: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// `PyImport_AppendInittab` of `_apache`, which newer builds call before each Py_Initialize. After initialisation it
/// would be fatal from 3.12 on, and before that leave a pointer into the unloaded module in front: so the name is
/// registered once, with a function that calls the newest load's.
///
/// # Safety
///
/// As for `PyImport_AppendInittab`; before this library is unloaded, [`take_back`] is called.
pub unsafe fn append(name: *const c_char, init: Option<InitFunction>) -> c_int {
    unsafe extern "C" fn call_newest() -> *mut c_void {
        // The stock module, where it has taken the relinked one's place, is not told apart by any call to us.
        let exported = apache::symbol(if cfg!(feature = "python3") { c"PyInit_apache" } else { c"init_apache" });
        let newest = if exported.is_null() { NEWEST.load(Ordering::Relaxed) } else { exported };
        // SAFETY: a function of that type, of the module that is loaded: by its exported name, or as it has passed it.
        unsafe { std::mem::transmute::<*mut c_void, InitFunction>(newest)() }
    }
    // SAFETY: the module passes a NUL-terminated name.
    let ours = init.filter(|_| unsafe { CStr::from_ptr(name) } == NAME);
    let Some(init) = ours else {
        // SAFETY: as the module called it.
        return unsafe { PyImport_AppendInittab(name, init) };
    };
    let first = NEWEST.swap(init as *mut c_void, Ordering::Relaxed).is_null();
    let ours = Builtin { name: NAME.as_ptr(), init: Some(call_newest) };
    // SAFETY: the parent starts: no other thread uses the table; `init` is in the module that calls.
    if first && Python::is_initialized() && unsafe { replace_stale(init, &ours) } && start::end_python() {
        // SAFETY: Python has ended.
        unsafe { remove_ours() };
    }
    if first && !Python::is_initialized() {
        // SAFETY: before initialisation, with a name that lives as long as this library.
        return unsafe { PyImport_AppendInittab(NAME.as_ptr(), Some(call_newest)) };
    }
    0
}

/// Puts our entry in the place of those that a module has left whose file is not there any more: a stock mod_python
/// that ran before this one, of whose end nobody told Python. Whether there were any.
///
/// # Safety
///
/// No other thread uses the table; `init` is a function of the module that has taken the other one's place.
unsafe fn replace_stale(init: InitFunction, ours: &Builtin) -> bool {
    let module = apache::file_of(init as usize);
    let mut found = false;
    // SAFETY: the table ends with an entry without a name; dladdr looks at an address without reading there.
    unsafe {
        let mut entry = PyImport_Inittab;
        while !(*entry).name.is_null() {
            // The function that the present module passes goes through here, so that no entry leads into it.
            let file = (*entry).init.map(|init| apache::file_of(init as usize));
            if file.is_some_and(|file| file.is_none() || file == module) {
                entry.write(Builtin { name: ours.name, init: ours.init });
                found = true;
            }
            entry = entry.add(1);
        }
    }
    found
}

/// Takes our entry out again, if there is one. Python has ended, or has never started.
pub fn take_back() {
    if !NEWEST.swap(ptr::null_mut(), Ordering::Relaxed).is_null() {
        // SAFETY: says the caller.
        unsafe { remove_ours() };
    }
}

/// # Safety
///
/// Python does not run: the table stays where it is then, and the thread that has ended Python is the only one that
/// could change it.
unsafe fn remove_ours() {
    // SAFETY: the table ends with an entry without a name.
    unsafe {
        let (mut from, mut to) = (PyImport_Inittab, PyImport_Inittab);
        loop {
            let name = (*from).name;
            if name != NAME.as_ptr() {
                to.write(from.read());
                to = to.add(1);
            }
            if name.is_null() {
                return;
            }
            from = from.add(1);
        }
    }
}
