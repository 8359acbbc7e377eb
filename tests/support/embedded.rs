//! An embedded Python with a stand-in for mod_python, for tests and benchmarks of `import_module`.

use modpython_core::{
    import_module,
    python::{ffi, gil::with_gil, object::Object},
};

use std::ffi::{CStr, CString};
use std::path::Path;
use std::process::ExitCode;

/// Runs a script in the main interpreter (`interpreters` = 0) or in that many sub-interpreters at once, each with the
/// stand-in in place and our `import_module` installed.
pub fn run(script: &Path, interpreters: u32) -> ExitCode {
    // Functions that a script cannot write in Python; it reads their addresses here.
    // SAFETY: no other thread runs yet that could read the environment.
    unsafe {
        std::env::set_var("MODPYTHON_CORE_STAT_LOOP", (stat_loop as *const () as usize).to_string());
        std::env::set_var("MODPYTHON_CORE_INSTALL", (install_again as *const () as usize).to_string());
        std::env::set_var("MODPYTHON_CORE_GUARD_IMPORTER", (guard_importer as *const () as usize).to_string());
    }
    // SAFETY: Python is initialised once, by the one thread there is. It is not finalized: the process ends.
    unsafe {
        ffi::Py_InitializeEx(0);
        #[cfg(not(feature = "python3"))]
        ffi::PyEval_InitThreads();
    }
    let done = if interpreters == 0 {
        // SAFETY: this thread holds the GIL and is in the main interpreter.
        unsafe { run_here(script) }
    } else {
        // SAFETY: this thread holds the GIL; its state is taken back below.
        let main = unsafe { ffi::PyEval_SaveThread() };
        let all = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..interpreters).map(|_| scope.spawn(|| run_in_sub_interpreter(script))).collect();
            threads.into_iter().all(|thread| thread.join().unwrap_or(false))
        });
        // SAFETY: the state saved above, by this thread.
        unsafe { ffi::PyEval_RestoreThread(main) };
        all
    };
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_in_sub_interpreter(script: &Path) -> bool {
    // SAFETY: PyGILState gives this new thread a state in the main interpreter and the GIL; Py_NewInterpreter swaps to
    // a state of the new one, which Py_EndInterpreter takes away again.
    unsafe {
        let held = ffi::PyGILState_Ensure();
        let main = ffi::PyThreadState_Get();
        let sub = ffi::Py_NewInterpreter();
        assert!(!sub.is_null(), "no sub-interpreter");
        let done = run_here(script);
        #[cfg(not(feature = "python3"))]
        wait_for_other_threads(sub);
        ffi::Py_EndInterpreter(sub);
        ffi::PyThreadState_Swap(main);
        ffi::PyGILState_Release(held);
        done
    }
}

/// Waits until `state` is the only one of its interpreter. In Python 2 a thread that has been joined has a state for a
/// moment more, and to end the interpreter in that moment ends the process: "not the last thread".
///
/// # Safety
/// `state` is this thread's and current, and the GIL is held.
#[cfg(not(feature = "python3"))]
unsafe fn wait_for_other_threads(state: *mut ffi::PyThreadState) {
    // SAFETY: with the GIL held no state comes or goes; it is given up, with the state that is current, in between.
    unsafe {
        while !ffi::PyThreadState_Next(ffi::PyInterpreterState_ThreadHead((*state).interp)).is_null() {
            let saved = ffi::PyEval_SaveThread();
            std::thread::sleep(std::time::Duration::from_millis(1));
            ffi::PyEval_RestoreThread(saved);
        }
    }
}

/// # Safety
/// The GIL is held in the interpreter in which to run.
unsafe fn run_here(script: &Path) -> bool {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
    // No bytecode in the source tree; the modules that the scripts write get theirs.
    let prepare = format!(
        "import sys; sys.argv = ['']; sys.dont_write_bytecode = True; sys.path.insert(0, {folder:?}); import stand_in"
    );
    // SAFETY: the GIL is held; the objects are borrowed from sys.modules, where the stand-in keeps them alive.
    unsafe {
        if !execute(&prepare) {
            return false;
        }
        let apache = ffi::PyDict_GetItemString(ffi::PyImport_GetModuleDict(), c"mod_python.apache".as_ptr());
        if let Err(reason) = activate(apache) {
            eprintln!("{reason}");
            return false;
        }
        execute("import sys, harness; sys.dont_write_bytecode = False")
            && execute(&format!("import runpy; runpy.run_path({script:?}, run_name='__main__')"))
    }
}

/// # Safety
/// The GIL is held.
unsafe fn execute(source: &str) -> bool {
    let source = CString::new(source).expect("no NUL");
    let source: &CStr = &source;
    // SAFETY: the GIL is held and the source is NUL-terminated. An exception is printed by the call.
    unsafe { ffi::PyRun_SimpleString(source.as_ptr()) == 0 }
}

/// # Safety
/// The GIL is held, and `apache` is a live module or NULL.
unsafe fn activate(apache: *mut ffi::PyObject) -> Result<(), String> {
    // SAFETY: as the caller promises.
    unsafe {
        let apache = Object::new(apache).ok_or("there is no module mod_python.apache")?;
        with_gil(|gil| import_module::activate(gil, apache))
    }
}

/// Guards the importer, as the library does after it has started an interpreter.
extern "C" fn guard_importer() {
    // SAFETY: called by ctypes with the GIL held.
    unsafe { with_gil(|gil| import_module::guard_importer(gil)) }
}

/// Installs once more, and returns the reason of a failure as a string, or False.
extern "C" fn install_again(apache: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: called by ctypes with the GIL held, with a live module; the answer is a new reference, as it wants.
    unsafe {
        match activate(apache) {
            Ok(()) => ffi::PyBool_FromLong(0),
            Err(reason) => {
                let reason = CString::new(reason).expect("no NUL in a reason");
                ffi::Py_BuildValue(c"s".as_ptr(), reason.as_ptr())
            }
        }
    }
}

/// For the benchmark: asks, with no Python around it, for the status of `file` as often as `calls` says.
extern "C" fn stat_loop(file: *const std::ffi::c_char, calls: std::ffi::c_long) {
    let mut answer = std::mem::MaybeUninit::<libc::stat>::uninit();
    for _ in 0..calls {
        // SAFETY: the script passes a NUL-terminated name, and there is space for the answer.
        assert_eq!(unsafe { libc::stat(file, answer.as_mut_ptr()) }, 0);
    }
}
