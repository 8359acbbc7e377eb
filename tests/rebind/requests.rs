//! Requests of a host of any generation, in an interpreter that it has acquired.

use super::host::{InterpreterData, call_method, get_interpreter, import_module, release_interpreter};
use modpython_core::python::ffi;
use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    ptr,
};

/// Makes the callback object. Generation 3.1 calls `init` without arguments; here it gets the name all the same, which
/// decides what it does.
///
/// # Safety
///
/// The GIL is held.
pub unsafe fn make_obcallback(name: &CStr) -> *mut ffi::PyObject {
    // SAFETY: the GIL is held.
    unsafe {
        let module = import_module(c"fake_apache".as_ptr());
        let callback = if module.is_null() {
            ptr::null_mut()
        } else {
            let ask = ffi::PyLong_FromVoidPtr(ask_again as *mut c_void);
            let (init, format) = (c"init".as_ptr(), c"sO".as_ptr());
            call_method(module, init, format, name.as_ptr(), ask)
        };
        if callback.is_null() {
            ffi::PyErr_Print();
        }
        ffi::Py_XDECREF(module);
        callback
    }
}

/// Called from Python, inside `init`: asks for an interpreter, gives it back, and says whether there was one.
extern "C" fn ask_again(name: *const c_char) -> c_int {
    // SAFETY: ctypes passes a C string.
    let data = get_interpreter(unsafe { CStr::from_ptr(name) });
    if data.is_null() {
        return 0;
    }
    release_interpreter(data);
    1
}
/// One request: runs `code` in the interpreter, which puts its result into `answer`. None if there is no interpreter.
pub fn request(name: &CStr, code: &str) -> Option<String> {
    let data = get_interpreter(name);
    if data.is_null() {
        return None;
    }
    let answer = run(data, code);
    release_interpreter(data);
    Some(answer)
}

/// Runs `code` in an interpreter that has been acquired, and returns the text of its `answer`.
pub fn run(data: *mut InterpreterData, code: &str) -> String {
    let code = CString::new(code).unwrap();
    // SAFETY: the GIL is held.
    unsafe {
        let result = call_method((*data).obcallback, c"Run".as_ptr(), c"s".as_ptr(), code.as_ptr());
        if result.is_null() {
            ffi::PyErr_Print();
            panic!("a request's code raised an exception");
        }
        let text = ffi::PyObject_Str(result);
        #[cfg(feature = "python3")]
        let answer = CStr::from_ptr(ffi::PyUnicode_AsUTF8AndSize(text, ptr::null_mut()));
        #[cfg(not(feature = "python3"))]
        let answer = CStr::from_ptr(ffi::PyString_AsString(text));
        let answer = answer.to_str().unwrap().to_owned();
        ffi::Py_DECREF(text);
        ffi::Py_DECREF(result);
        answer
    }
}

/// The handler's result, as the host takes it: the reference is given up without the GIL.
pub fn dispatch(name: &CStr, code: &str) -> (i64, *mut ffi::PyObject) {
    let code = CString::new(code).unwrap();
    let data = get_interpreter(name);
    // SAFETY: the GIL is held up to the release; afterwards the host touches its result all the same.
    unsafe {
        let (method, format) = (c"HandlerDispatch".as_ptr(), c"s".as_ptr());
        let result = call_method((*data).obcallback, method, format, code.as_ptr());
        assert!(!result.is_null());
        release_interpreter(data);
        let value = ffi::PyLong_AsLong(result);
        ffi::Py_DECREF(result);
        (value, result)
    }
}
