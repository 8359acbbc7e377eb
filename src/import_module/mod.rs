//! The Python extension module `_modpython_core`, and the way it gets into an interpreter.
//!
//! [`install`] needs no file of the installed mod_python and no entry in Python's table of built-in modules: it makes
//! the module from its definition, runs the shim (the package `modpython_core`, whose source is in this library), and
//! lets the shim put its `import_module` in the place of the stock one.
//!
//! | file | its job |
//! |---|---|
//! | `hit` | `import_module`: arguments, the hit, and the call of the shim for all else |
//! | `caller` | where the caller wants its module from |
//! | `locked`, `import_lock`, `run` | what takes, runs and gives back, with no bytecode between |
//! | `question` | one thread looks for what several ask for at once |
//! | `half_made` | modules that a cycle of imports has been given before they were done |
//! | `steps`, `operations` | how the shim has that called while its own functions are off the stack |
//! | `traceback` | what importlib takes out of tracebacks |
//! | `first` | the first request of a module, alone |
//! | `siblings` | what import statements in modules of handlers' directories mean |
//! | `content` | what was run, and whether a file still has it where only its inode has changed |
//! | `table`, `locks`, `files` | what the shim calls: the importer's table, the lock table, `stat` and `statfs` |
//! | `frames`, `noting` | which threads run a module's code, and which version of it: Python 2 does not say |
//! | `compiled` | the shim's code, compiled once a process |
//! | `state`, `epoch` | what is kept per interpreter, and the number of its process among forks |
//! | `writing` | what every change of the importer's table needs |
//! | `module2`, `module3` | the definition, for Python 2 and 3 |
//! | `pattern` | sections whose directory is a pattern |
//! | `object`, `errors`, `text` | references and arguments; pending exceptions; Python's text |
//!
//! All of it runs with the GIL held and with no lock of ours, but for the waits in `locks`, the system calls on remote
//! files in `files` and the reading of files in `content`, which give the GIL up.

#[cfg(feature = "python3")]
mod bare_names;
mod caller;
mod compiled;
mod content;
mod epoch;
mod errors;
mod files;
mod first;
#[cfg(not(feature = "python3"))]
mod frames;
mod half_made;
mod hit;
#[cfg(feature = "python3")]
mod import_lock;
mod imports;
mod lists;
mod locked;
mod locks;
#[cfg(not(feature = "python3"))]
#[path = "module2.rs"]
mod module;
#[cfg(feature = "python3")]
#[path = "module3.rs"]
mod module;
#[cfg(not(feature = "python3"))]
mod noting;
mod object;
mod operations;
mod pattern;
mod pickles;
mod question;
mod run;
mod siblings;
mod stack;
mod state;
mod steps;
mod table;
mod text;
#[cfg(feature = "python3")]
mod traceback;
mod writing;

use crate::python::ffi;
use crate::server::messages::Message;
pub use compiled::prepare;
use errors::take_error;
use object::Owned;
use text::interned;

/// The shim: module names and sources, in the order in which they are run. Embedded, so that there is no state
/// "shim not installed".
const SHIM: [(&str, &str); 23] = [
    ("modpython_core", include_str!("../../python/modpython_core/__init__.py")),
    ("modpython_core.attributes", include_str!("../../python/modpython_core/attributes.py")),
    ("modpython_core.failures", include_str!("../../python/modpython_core/failures.py")),
    ("modpython_core.platform", PLATFORM),
    ("modpython_core.finding", FINDING),
    ("modpython_core.running", RUNNING),
    ("modpython_core.search", include_str!("../../python/modpython_core/search.py")),
    ("modpython_core.remedies", include_str!("../../python/modpython_core/remedies.py")),
    ("modpython_core.first_use", include_str!("../../python/modpython_core/first_use.py")),
    ("modpython_core.cgihandler", include_str!("../../python/modpython_core/cgihandler.py")),
    ("modpython_core.wsgi", include_str!("../../python/modpython_core/wsgi.py")),
    ("modpython_core.sessions", include_str!("../../python/modpython_core/sessions.py")),
    ("modpython_core.ssi", include_str!("../../python/modpython_core/ssi.py")),
    ("modpython_core.python_path", include_str!("../../python/modpython_core/python_path.py")),
    ("modpython_core.queries", include_str!("../../python/modpython_core/queries.py")),
    ("modpython_core.pickles", include_str!("../../python/modpython_core/pickles.py")),
    ("modpython_core.siblings", include_str!("../../python/modpython_core/siblings.py")),
    ("modpython_core.names", include_str!("../../python/modpython_core/names.py")),
    ("modpython_core.private", include_str!("../../python/modpython_core/private.py")),
    ("modpython_core.others", include_str!("../../python/modpython_core/others.py")),
    ("modpython_core.loading", include_str!("../../python/modpython_core/loading.py")),
    ("modpython_core.importer33", include_str!("../../python/modpython_core/importer33.py")),
    ("modpython_core.install", include_str!("../../python/modpython_core/install.py")),
];

#[cfg(not(feature = "python3"))]
const PLATFORM: &str = include_str!("../../python/modpython_core/platform2.py");
#[cfg(feature = "python3")]
const PLATFORM: &str = include_str!("../../python/modpython_core/platform3.py");
#[cfg(not(feature = "python3"))]
const FINDING: &str = include_str!("../../python/modpython_core/finding2.py");
#[cfg(feature = "python3")]
const FINDING: &str = include_str!("../../python/modpython_core/finding3.py");
#[cfg(not(feature = "python3"))]
const RUNNING: &str = include_str!("../../python/modpython_core/running2.py");
#[cfg(feature = "python3")]
const RUNNING: &str = include_str!("../../python/modpython_core/running3.py");

/// What runs the sources above as modules.
const EMBEDDED: &std::ffi::CStr = match std::ffi::CStr::from_bytes_with_nul(
    concat!(include_str!("../../python/modpython_core/embedded.py"), "\0").as_bytes(),
) {
    Ok(source) => source,
    Err(_) => panic!("a NUL in embedded.py"),
};

/// Puts our `import_module` in the place of the one in `apache`, the module `mod_python.apache` of the current
/// interpreter, which must have been imported to its end. To be called once per interpreter; once more for a module
/// object that took the first one's place does no harm.
///
/// # Errors
/// One line that says what went wrong. `apache` then has its stock functions, and nothing of ours is in `sys.modules`.
///
/// # Safety
/// The GIL is held, `apache` is a module object alive in the current interpreter, and no exception is pending.
pub unsafe fn install(apache: *mut ffi::PyObject) -> Result<(), String> {
    locks::watch_forks();
    // SAFETY: as the caller promises.
    let done = unsafe { try_install(apache) };
    done.ok_or_else(|| {
        // SAFETY: the GIL is held. A step that failed has left an exception, which is what is told; what it leaves in
        // sys.modules is taken out again, and that it may not be there is no error.
        unsafe {
            let reason = take_error();
            for name in SHIM.iter().map(|(name, _)| *name).chain(["_modpython_core"]) {
                if let Ok(name) = std::ffi::CString::new(name) {
                    ffi::PyDict_DelItemString(ffi::PyImport_GetModuleDict(), name.as_ptr());
                    ffi::PyErr_Clear();
                }
            }
            format!("import_module stays mod_python's own, because ours could not be put in its place: {reason}")
        }
    })
}

/// # Safety
/// As [`install`]. None leaves an exception set.
unsafe fn try_install(apache: *mut ffi::PyObject) -> Option<()> {
    // SAFETY: the GIL is held, and every object is alive: owned here, or the caller's.
    unsafe {
        let (core, shim) = (core()?, shim()?);
        let put = Owned::from_new(ffi::PyObject_CallMethod(
            shim.as_ptr(),
            c"install".as_ptr(),
            c"OO".as_ptr(),
            apache,
            core.as_ptr(),
        ));
        put.map(drop)
    }
}

/// The last module of the shim, whose modules are run if they are not there.
///
/// # Safety
/// The GIL is held. None leaves an exception set.
unsafe fn shim() -> Option<Owned> {
    // SAFETY: the GIL is held, and every object is alive, owned here.
    unsafe {
        let sources = Owned::from_new(ffi::PyList_New(0))?;
        for (index, (name, source)) in SHIM.into_iter().enumerate() {
            let [name, source] = [name, source].map(|text| text::new(text));
            let code = compiled::code(index)?;
            let item = Owned::from_new(ffi::PyTuple_Pack(3, name?.as_ptr(), source?.as_ptr(), code.as_ptr()))?;
            if ffi::PyList_Append(sources.as_ptr(), item.as_ptr()) < 0 {
                return None;
            }
        }
        let globals = Owned::from_new(ffi::PyDict_New())?;
        let code = ffi::Py_CompileString(EMBEDDED.as_ptr(), c"modpython_core/embedded.py".as_ptr(), ffi::Py_file_input);
        let code = Owned::from_new(code)?;
        let builtins = ffi::PyEval_GetBuiltins();
        if ffi::PyDict_SetItemString(globals.as_ptr(), c"__builtins__".as_ptr(), builtins) < 0 {
            return None;
        }
        Owned::from_new(ffi::PyEval_EvalCode(code.as_ptr(), globals.as_ptr(), globals.as_ptr()))?;
        let run = Owned::from_borrowed(ffi::PyDict_GetItemString(globals.as_ptr(), c"run".as_ptr()))?;
        let none = std::ptr::null_mut::<ffi::PyObject>();
        Owned::from_new(ffi::PyObject_CallFunctionObjArgs(run.as_ptr(), sources.as_ptr(), none))
    }
}

/// Has the importer of mod_python 3.3 load a file once, if it serves the current interpreter: `init` of
/// mod_python.apache, which brings it, must have returned. A failure is logged.
///
/// # Safety
/// The GIL is held and no exception is pending.
pub unsafe fn guard_importer() {
    // SAFETY: as the caller promises; a failure has left an exception.
    unsafe {
        let modules = ffi::PyImport_GetModuleDict();
        if ffi::PyDict_GetItemString(modules, c"mod_python.importer".as_ptr()).is_null() {
            return;
        }
        let guarded = core().and_then(|core| {
            let shim = shim()?;
            let (method, format) = (c"guard_importer".as_ptr(), c"O".as_ptr());
            Owned::from_new(ffi::PyObject_CallMethod(shim.as_ptr(), method, format, core.as_ptr()))
        });
        if guarded.is_none() {
            let text = format!("mod_python's importer is left as it is, with its races: {}", take_error());
            crate::server::log::line(Message::ImporterUnguarded, &text);
        }
    }
}

/// The extension module of the current interpreter, made and entered in `sys.modules` if it is not there.
///
/// # Safety
/// The GIL is held. None with an exception set on failure.
unsafe fn core() -> Option<Owned> {
    // SAFETY: the GIL is held, and every object is alive: owned here, or borrowed from sys.modules.
    unsafe {
        let name = interned(module::NAME)?;
        let modules = ffi::PyImport_GetModuleDict();
        let core = match Owned::from_borrowed(ffi::PyDict_GetItemWithError(modules, name.as_ptr())) {
            Some(core) => core,
            None => module::create()?,
        };
        (ffi::PyDict_SetItem(modules, name.as_ptr(), core.as_ptr()) == 0).then_some(core)
    }
}

/// Puts `_modpython_core` into `sys.modules` of the current interpreter, so that a patched apache.py finds it there.
///
/// # Safety
/// The GIL is held and no exception is pending.
pub unsafe fn offer() {
    locks::watch_forks();
    // SAFETY: as the caller promises; a failure has left an exception.
    unsafe {
        if core().is_none() {
            crate::server::log::line(
                Message::ShimFailed,
                &format!("import_module stays mod_python's own: {}", take_error()),
            );
        }
    }
}

/// `install(name)`, which a patched apache.py calls at its end with its own name: as [`install`]; a failure is logged.
///
/// # Safety
/// Called by CPython, as METH_O.
unsafe extern "C" fn install_named(_: *mut ffi::PyObject, name: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython gives a live object, holds the GIL and has no exception pending; the module is owned meanwhile.
    unsafe {
        let apache = Owned::from_borrowed(ffi::PyDict_GetItemWithError(ffi::PyImport_GetModuleDict(), name));
        ffi::PyErr_Clear();
        let done = match apache {
            Some(apache) => install(apache.as_ptr()),
            None => Err("import_module stays mod_python's own: install() wants the name of a module".to_owned()),
        };
        if let Err(reason) = done {
            crate::server::log::line(Message::ShimFailed, &reason);
        }
        object::none()
    }
}

/// Whether our `import_module` is the one in `apache`.
///
/// # Safety
/// The GIL is held, `apache` is a module object, and no exception is pending.
pub unsafe fn is_installed(apache: *mut ffi::PyObject) -> bool {
    // SAFETY: as the caller promises; what is looked up is owned, or NULL with an exception, which is cleared.
    unsafe {
        let ours = core()
            .and_then(|core| Owned::from_new(ffi::PyObject_GetAttrString(core.as_ptr(), c"import_module".as_ptr())));
        let theirs = Owned::from_new(ffi::PyObject_GetAttrString(apache, c"import_module".as_ptr()));
        ffi::PyErr_Clear();
        matches!((ours, theirs), (Some(ours), Some(theirs)) if ours.as_ptr() == theirs.as_ptr())
    }
}
