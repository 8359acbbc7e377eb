//! The phases of one request: the next one finds the data that one leaves in its thread, and nobody else does (R9).

use super::{
    host::{InterpreterData, call_method, cleanup_register, get_interpreter, release_interpreter},
    pool::Pool,
    requests::{request, run},
};
use modpython_core::python::ffi;
use std::{
    cell::RefCell,
    ffi::{CStr, CString, c_char, c_int, c_void},
    ptr,
    sync::{Arc, Mutex},
    thread,
};

unsafe extern "C" {
    fn Py_BuildValue(format: *const c_char, ...) -> *mut ffi::PyObject;
    fn PyList_SetItem(list: *mut ffi::PyObject, index: isize, item: *mut ffi::PyObject) -> c_int;
}

/// The beginning of httpd's `request_rec`.
#[repr(C)]
struct RequestRec {
    pool: *const RefCell<Pool>,
    others: [usize; 3],
    prev: *const RequestRec,
    main: *const RequestRec,
}

/// A request: its pool, and the object that all its phases are dispatched with.
struct Served {
    name: &'static CStr,
    pool: Arc<Mutex<RefCell<Pool>>>,
    record: Box<RequestRec>,
    object: *mut ffi::PyObject,
    has_begun: bool,
}

// SAFETY: the object is used with the GIL held.
unsafe impl Send for Served {}

/// The module's own cleanup of a request, which finds nothing to do.
unsafe extern "C" fn nothing(_: *mut c_void) -> c_int {
    0
}

/// A cleanup of register_cleanup: the interpreter, and Python code to run in it.
struct Registered(&'static CStr, &'static str);

unsafe extern "C" fn python_cleanup(data: *mut c_void) -> c_int {
    // SAFETY: made by `phase`.
    let Registered(name, code) = *unsafe { Box::from_raw(data.cast()) };
    let data = get_interpreter(name);
    run(data, code);
    release_interpreter(data);
    0
}

impl Served {
    fn new(name: &'static CStr) -> Self {
        Self::with(name, Arc::default(), ptr::null())
    }

    /// The request that httpd makes for a redirect: another one with the same pool.
    fn redirected(&self) -> Self {
        Self::with(self.name, Arc::clone(&self.pool), &raw const *self.record)
    }

    fn with(name: &'static CStr, pool: Arc<Mutex<RefCell<Pool>>>, prev: *const RequestRec) -> Self {
        let address = ptr::from_ref(&*pool.lock().unwrap());
        let record = Box::new(RequestRec { pool: address, others: [0; 3], prev, main: ptr::null() });
        Self { name, pool, record, object: ptr::null_mut(), has_begun: false }
    }

    /// A phase begins, which runs `code` and then registers a cleanup, if it is given one.
    fn begin(&mut self, code: &str, cleanup: Option<&'static str>) -> (*mut InterpreterData, String) {
        let data = get_interpreter(self.name);
        assert!(!data.is_null());
        let pool = self.record.pool.cast_mut().cast();
        // SAFETY: the GIL is held; the order in which a module does it.
        unsafe {
            if self.object.is_null() {
                self.object = Py_BuildValue(c"[i]".as_ptr(), 0);
            }
            if !self.has_begun {
                self.has_begun = true;
                cleanup_register(pool, ptr::from_ref(&*self.record).cast(), Some(nothing), None);
            }
            let code = CString::new(code).unwrap();
            PyList_SetItem(self.object, 0, Py_BuildValue(c"s".as_ptr(), code.as_ptr()));
            let answer = dispatch(data, self.object);
            if let Some(cleanup) = cleanup {
                let registered = Box::into_raw(Box::new(Registered(self.name, cleanup)));
                cleanup_register(pool, registered.cast_const().cast(), Some(python_cleanup), None);
            }
            (data, answer)
        }
    }

    /// One phase.
    fn phase(&mut self, code: &str) -> String {
        let (data, answer) = self.begin(code, None);
        release_interpreter(data);
        answer
    }

    /// One with a cleanup.
    fn phase_with_cleanup(&mut self, code: &str, cleanup: &'static str) -> String {
        let (data, answer) = self.begin(code, Some(cleanup));
        release_interpreter(data);
        answer
    }

    /// Destroys the pool.
    fn end(self) -> *mut ffi::PyObject {
        Pool::destroy(&self.pool.lock().unwrap());
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

/// The names of those left objects that are alive.
fn alive(name: &CStr) -> String {
    request(name, "import separate; answer = sorted(separate.ALIVE)").unwrap()
}

fn visit(who: &str) -> String {
    format!("import separate; self.seen = separate.visit('{who}')")
}

pub fn phases() {
    for name in [c"a", c"main_interpreter"] {
        let mut first = Served::new(name);
        let found = "import separate; assert separate.visit('first') == ['first', 'first']";
        assert_eq!(first.phase_with_cleanup(&visit("first"), found), "[]");
        assert_eq!(first.phase(&visit("first")), "['first', 'first']", "the next phase");
        // Others in between, with an object and without.
        assert_eq!(request(name, "import separate; answer = separate.visit('passer-by')").unwrap(), "[]");
        let mut second = Served::new(name);
        let nothing = "import separate; assert separate.visit('second again') in ([], ['second again'] * 2)";
        assert_eq!(second.phase_with_cleanup(&visit("second"), nothing), "[]");
        assert_eq!(first.phase(&visit("first")), "['first', 'first']");
        assert_eq!(second.phase(&visit("second")), "['second', 'second']");
        assert_eq!(alive(name), "['first', 'second']");
        // Its own cleanup finds it; afterwards it is gone.
        let object = first.end();
        assert_eq!(alive(name), "['second']");
        // Another request gets the first one's address.
        let mut third = Served { object, ..Served::new(name) };
        assert_eq!(third.phase(&visit("third")), "[]");
        // Another thread finds nothing, and may end both.
        thread::spawn(move || {
            assert_eq!(second.phase(&visit("second again")), "[]");
            second.end();
            third.end();
        })
        .join()
        .unwrap();
        assert_eq!(alive(name), "[]");
        assert_eq!(request(name, "import separate; answer = separate.visit('last')").unwrap(), "[]");
    }
}

/// Redirects share a pool, whose cleanups run in the order of their registration, backwards.
pub fn redirects() {
    for name in [c"a", c"main_interpreter"] {
        // An error document: one request for the client.
        let mut first = Served::new(name);
        let found = "import separate; assert separate.visit('first')[:1] == ['first']";
        assert_eq!(first.phase_with_cleanup(&visit("first"), found), "[]");
        let mut second = first.redirected();
        let found = "import separate; assert separate.visit('second') == ['first', 'first']";
        assert_eq!(second.phase_with_cleanup(&visit("first"), found), "['first', 'first']");
        assert_eq!(alive(name), "['first']");
        first.end();
        assert_eq!(alive(name), "[]");

        // A redirect in the middle of a phase, which is on its own, and finds itself again.
        let mut outer = Served::new(name);
        let found = "import separate; assert separate.visit('outer') == ['outer', 'outer'], separate.LOCAL.left.who";
        let (data, seen) = outer.begin(&visit("outer"), Some(found));
        assert_eq!(seen, "[]");
        let mut inner = outer.redirected();
        assert_eq!(inner.phase_with_cleanup(&visit("inner"), found), "[]");
        assert_eq!(inner.phase(&visit("inner")), "['inner', 'inner']");
        assert_eq!(run(data, "import separate; answer = separate.LOCAL.left.who"), "outer");
        release_interpreter(data);
        assert_eq!(alive(name), "['inner', 'outer']");
        outer.end();
        assert_eq!(alive(name), "[]");
    }
}

/// Destructors that each leave one more: many of them come to an end, and of those that do not nothing is seen.
pub fn heirs() {
    for name in [c"main_interpreter", c"a"] {
        for lives in [20, 500, 1_000_000, 20] {
            for _ in 0..5 {
                let code = format!("import separate; answer = separate.seen(); separate.leave('somebody', {lives})");
                assert_eq!(request(name, &code).unwrap(), "[]", "{lives} lives in {name:?}");
            }
        }
    }
}

/// A threading.local ends between two phases of a request, and the second uses another at its address.
pub fn ended_locals() {
    for name in [c"a", c"main_interpreter"] {
        let mut served = Served::new(name);
        assert_eq!(served.phase("import ended_locals; self.seen = ended_locals.use()"), "None");
        let replaced = request(name, "import ended_locals; answer = ended_locals.replace()");
        assert_eq!(replaced.unwrap(), "replaced");
        let found = served.phase("import ended_locals; self.seen = ended_locals.found()");
        assert_eq!(found, "[['mark'], []]", "{name:?}");
        served.end();
    }
}
