//! The phases of one request: what one leaves in its thread the next finds, and nobody else (R9).

use super::{
    host::{InterpreterData, call_method, cleanup_register, get_interpreter, release_interpreter},
    pool::Pool,
    requests::{request, run},
};
use modpython_core::python::ffi;
use std::{
    cell::RefCell,
    ffi::{CStr, CString, c_char, c_int, c_void},
    ptr, thread,
};

unsafe extern "C" {
    fn Py_BuildValue(format: *const c_char, ...) -> *mut ffi::PyObject;
    fn PyList_SetItem(list: *mut ffi::PyObject, index: isize, item: *mut ffi::PyObject) -> c_int;
}

/// A request: its pool, and the object that all its phases are dispatched with.
struct Served {
    name: &'static CStr,
    pool: Box<RefCell<Pool>>,
    object: *mut ffi::PyObject,
    has_begun: bool,
}

// SAFETY: the object is used with the GIL held.
unsafe impl Send for Served {}

/// The module's own cleanup of a request, which finds nothing to do.
unsafe extern "C" fn nothing(_: *mut c_void) -> c_int {
    0
}

impl Served {
    fn new(name: &'static CStr) -> Self {
        Self { name, pool: Box::default(), object: ptr::null_mut(), has_begun: false }
    }

    /// One phase, which runs `code`.
    fn phase(&mut self, code: &str) -> String {
        let data = get_interpreter(self.name);
        assert!(!data.is_null());
        // SAFETY: the GIL is held; the order in which a module does it.
        let answer = unsafe {
            if self.object.is_null() {
                self.object = Py_BuildValue(c"[i]".as_ptr(), 0);
            }
            if !self.has_begun {
                self.has_begun = true;
                let pool = ptr::from_ref(&*self.pool).cast_mut().cast();
                cleanup_register(pool, ptr::from_ref(&self.name).cast(), Some(nothing), None);
            }
            let code = CString::new(code).unwrap();
            PyList_SetItem(self.object, 0, Py_BuildValue(c"s".as_ptr(), code.as_ptr()));
            dispatch(data, self.object)
        };
        release_interpreter(data);
        answer
    }

    /// Registers a cleanup that runs `code`, as register_cleanup does, and destroys the pool.
    fn end(self, code: &'static str) -> *mut ffi::PyObject {
        struct Registered(&'static CStr, &'static str);
        unsafe extern "C" fn cleanup(data: *mut c_void) -> c_int {
            // SAFETY: made below.
            let Registered(name, code) = *unsafe { Box::from_raw(data.cast()) };
            let data = get_interpreter(name);
            run(data, code);
            release_interpreter(data);
            0
        }
        let registered = Box::into_raw(Box::new(Registered(self.name, code)));
        self.pool.borrow_mut().cleanups.push((registered as usize, cleanup));
        Pool::destroy(&self.pool);
        self.object
    }
}

unsafe fn dispatch(data: *mut InterpreterData, object: *mut ffi::PyObject) -> String {
    // SAFETY: the caller holds the GIL in that interpreter.
    unsafe {
        let result = call_method((*data).obcallback, c"HandlerDispatch".as_ptr(), c"O".as_ptr(), object);
        if result.is_null() {
            ffi::PyErr_Print();
            panic!("a phase raised an exception");
        }
        // OK.
        ffi::Py_DECREF(result);
    }
    run(data, "answer = self.seen")
}

/// What is alive of those who were left, by name.
fn alive(name: &CStr) -> String {
    request(name, "import separate; answer = sorted(separate.ALIVE)").unwrap()
}

pub fn phases() {
    for name in [c"a", c"main_interpreter"] {
        let visit = |who| format!("import separate; self.seen = separate.visit('{who}')");
        let mut first = Served::new(name);
        assert_eq!(first.phase(&visit("first")), "[]");
        assert_eq!(first.phase(&visit("first")), "['first', 'first']", "the next phase");
        // Others in between, with an object and without.
        assert_eq!(request(name, "import separate; answer = separate.visit('passer-by')").unwrap(), "[]");
        let mut second = Served::new(name);
        assert_eq!(second.phase(&visit("second")), "[]");
        assert_eq!(first.phase(&visit("first")), "['first', 'first']");
        assert_eq!(second.phase(&visit("second")), "['second', 'second']");
        assert_eq!(alive(name), "['first', 'second']");
        // Its own cleanup finds it; afterwards it is gone.
        let object = first.end("import separate; assert separate.visit('first') == ['first', 'first']");
        assert_eq!(alive(name), "['second']");
        // Another request gets the first one's address.
        let mut third = Served { object, ..Served::new(name) };
        assert_eq!(third.phase(&visit("third")), "[]");
        // Another thread finds nothing, and may end both.
        thread::spawn(move || {
            assert_eq!(second.phase(&visit("second again")), "[]");
            second.end("import separate; assert separate.visit('second again') == []");
            third.end("import separate; assert separate.visit('third again') == []");
        })
        .join()
        .unwrap();
        assert_eq!(alive(name), "[]");
        assert_eq!(request(name, "import separate; answer = separate.visit('last')").unwrap(), "[]");
    }
}
