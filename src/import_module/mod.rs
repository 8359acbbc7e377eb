//! The Python extension module `_modpython_core`, and the way it gets into an interpreter.
//!
//! [`activate`] needs no file of the installed mod_python and no entry in Python's table of built-in modules: it makes
//! the module from its definition, runs the shim (the package `modpython_core`, whose source is in this library), and
//! lets the shim put its `import_module` in the place of the stock one.
//!
//! | file | its job |
//! |---|---|
//! | `call` | `import_module`: arguments, the hit, and the call of the shim for all else |
//! | `origin`, `dispatcher` | where a module is looked for, and the frame of a dispatcher, which says it |
//! | `locked`, `import_lock`, `run` | steps that take, run and give back, with no bytecode between |
//! | `question` | one thread looks for what several ask for at once |
//! | `half_made` | modules that a cycle of imports has been given before they were done |
//! | `steps`, `operations`, `answers` | calls for the shim, while its own functions are off the stack |
//! | `traceback` | the frames that importlib takes out of tracebacks |
//! | `first` | the first request of a module, alone |
//! | `extensions` | interpreters wait for the first making of an extension module |
//! | `siblings` | the meaning of import statements in modules of handlers' directories |
//! | `content` | the content that was run, compared where only the inode of the file has changed |
//! | `table`, `locks`, `files` | functions for the shim: the importer's table, the lock table, `stat` and `statfs` |
//! | `frames`, `noting` | which threads run a module's code, and which version of it: Python 2 does not say |
//! | `compiled` | the shim's code, compiled once a process |
//! | `state`, `epoch` | the state of an interpreter, and the number of its process among forks |
//! | `writing` | steps that every change of the importer's table needs |
//! | `module2`, `module3`, `functions` | the definition, for Python 2 and 3, and the functions that both have |
//! | `pattern` | sections whose directory is a pattern |
//!
//! All of it runs with the GIL held and with no lock of ours, but for the waits in `locks`, the system calls on remote
//! files in `files` and the reading of files in `content`, which give the GIL up. A function that needs the GIL takes a
//! [`Gil`], which each entry from C makes once; `unsafe` promises something else.

#[cfg(lowered)]
mod answers;
#[cfg(feature = "python3")]
mod bare_names;
mod call;
mod compiled;
mod content;
mod dispatcher;
mod epoch;
#[cfg(feature = "python3")]
mod extensions;
mod files;
mod first;
#[cfg(not(feature = "python3"))]
mod frames;
mod functions;
mod half_made;
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
mod operations;
mod origin;
mod pattern;
mod pickles;
mod question;
mod run;
mod siblings;
mod stack;
mod state;
mod steps;
mod table;
#[cfg(feature = "python3")]
mod traceback;
mod writing;

use crate::python::errors::take_error;
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned, none};
use crate::python::text::{self, interned};
use crate::python::{calls, dict, exceptions, sequence};
use crate::server::{log, messages::Message};
pub use compiled::{give_up, is_prepared, key, prepare, take_over};
use state::State;

/// The source of a module of the shim.
#[cfg(not(lowered))]
macro_rules! source {
    ($name:literal) => {
        include_str!(concat!("../../python/modpython_core/", $name, ".py"))
    };
}
/// The same in the form for Python 2.4; see `python/write_python24.py`.
#[cfg(lowered)]
macro_rules! source {
    ($name:literal) => {
        include_str!(concat!("../../python/python24/", $name, ".py"))
    };
}

/// The shim: module names and sources, in the order in which they are run. Embedded, so that there is no state
/// "shim not installed".
const SHIM: [(&str, &str); 23 + cfg!(lowered) as usize] = [
    ("modpython_core", source!("__init__")),
    #[cfg(lowered)]
    ("modpython_core.python24", source!("python24")),
    ("modpython_core.attributes", source!("attributes")),
    ("modpython_core.failures", source!("failures")),
    ("modpython_core.compat", COMPAT),
    ("modpython_core.finding", FINDING),
    ("modpython_core.running", RUNNING),
    ("modpython_core.search", source!("search")),
    ("modpython_core.remedies", source!("remedies")),
    ("modpython_core.first_use", source!("first_use")),
    ("modpython_core.cgihandler", source!("cgihandler")),
    ("modpython_core.wsgi", source!("wsgi")),
    ("modpython_core.sessions", source!("sessions")),
    ("modpython_core.ssi", source!("ssi")),
    ("modpython_core.python_path", source!("python_path")),
    ("modpython_core.queries", source!("queries")),
    ("modpython_core.pickles", source!("pickles")),
    ("modpython_core.siblings", source!("siblings")),
    ("modpython_core.names", source!("names")),
    ("modpython_core.private", source!("private")),
    ("modpython_core.others", source!("others")),
    ("modpython_core.loading", source!("loading")),
    ("modpython_core.importer33", source!("importer33")),
    ("modpython_core.install", source!("install")),
];

#[cfg(not(feature = "python3"))]
const COMPAT: &str = source!("compat2");
#[cfg(feature = "python3")]
const COMPAT: &str = source!("compat3");
#[cfg(not(feature = "python3"))]
const FINDING: &str = source!("finding2");
#[cfg(feature = "python3")]
const FINDING: &str = source!("finding3");
#[cfg(not(feature = "python3"))]
const RUNNING: &str = source!("running2");
#[cfg(feature = "python3")]
const RUNNING: &str = source!("running3");

/// The source that runs those above as modules.
const EMBEDDED: &std::ffi::CStr =
    match std::ffi::CStr::from_bytes_with_nul(concat!(source!("embedded"), "\0").as_bytes()) {
        Ok(source) => source,
        Err(_) => panic!("a NUL in embedded.py"),
    };

/// Puts our `import_module` in the place of the one in `apache`, the module `mod_python.apache` of the current
/// interpreter, which must have been imported to its end. To be called once per interpreter; once more for a module
/// object that took the first one's place does no harm.
///
/// No exception is pending before.
///
/// # Errors
/// One line that says what went wrong. `apache` then has its stock functions, and nothing of ours is in `sys.modules`.
pub fn activate(gil: &Gil, apache: Object<'_>) -> Result<(), String> {
    locks::watch_forks();
    try_activate(gil, apache).ok_or_else(|| {
        // A step that failed has left an exception, which is the reason. Its modules are taken out of sys.modules; one
        // that is absent there is no error.
        let reason = take_error(gil);
        for name in SHIM.iter().map(|(name, _)| *name).chain(["_modpython_core"]) {
            if let Ok(name) = std::ffi::CString::new(name) {
                dict::delete_named(gil, dict::modules(gil), &name);
                exceptions::clear(gil);
            }
        }
        format!("import_module stays mod_python's own, because ours could not be put in its place: {reason}")
    })
}

/// None leaves an exception set.
fn try_activate(gil: &Gil, apache: Object<'_>) -> Option<()> {
    let (core, shim) = (core(gil)?, shim(gil)?);
    calls::call_method_named(gil, &shim, c"install", [apache, core.object()]).map(drop)
}

/// The last module of the shim, whose modules are run if they are not there. None leaves an exception set.
fn shim(gil: &Gil) -> Option<Owned> {
    let sources = sequence::list(gil)?;
    for (index, (name, source)) in SHIM.into_iter().enumerate() {
        let [name, source] = [name, source].map(|text| text::new(gil, text));
        let code = compiled::code(gil, index)?;
        let item = sequence::tuple(gil, &[name?.object(), source?.object(), code.object()])?;
        if !sequence::append(gil, &sources, &item) {
            return None;
        }
    }
    let globals = dict::new(gil)?;
    let code = compiled::compile(gil, EMBEDDED, c"modpython_core/embedded.py")?;
    if !dict::set_named(gil, &globals, c"__builtins__", &dict::builtins(gil)?) {
        return None;
    }
    // SAFETY: code that has just been compiled, and a dict of ours.
    drop(unsafe { calls::run_code(gil, code.object(), globals.object()) }?);
    let run = dict::get_named(gil, &globals, c"run")?;
    calls::call(gil, &run, [sources.object()])
}

/// Has the importer of mod_python 3.3 load a file once, if it serves the current interpreter: `init` of
/// mod_python.apache, which brings it, must have returned. A failure is logged. No exception is pending before.
pub fn guard_importer(gil: &Gil) {
    if !dict::has_named(gil, dict::modules(gil), c"mod_python.importer") {
        return;
    }
    let guarded = core(gil).and_then(|core| {
        let shim = shim(gil)?;
        calls::call_method_named(gil, &shim, c"guard_importer", [core.object()])
    });
    if guarded.is_none() {
        let text = format!("mod_python's importer is left as it is, with its races: {}", take_error(gil));
        log::line(Message::ImporterUnguarded, &text);
    }
}

/// The extension module of the current interpreter, made and entered in `sys.modules` if it is not there. None with an
/// exception set on failure.
fn core(gil: &Gil) -> Option<Owned> {
    let name = interned(gil, module::NAME)?;
    let core = match dict::get(gil, dict::modules(gil), &name) {
        Some(core) => core,
        None => module::create(gil)?,
    };
    dict::set(gil, dict::modules(gil), &name, &core).then_some(core)
}

/// Puts `_modpython_core` into `sys.modules` of the current interpreter, so that a patched apache.py finds it there. No
/// exception is pending before.
pub fn offer(gil: &Gil) {
    locks::watch_forks();
    if core(gil).is_none() {
        log::line(Message::ShimFailed, &format!("import_module stays mod_python's own: {}", take_error(gil)));
    }
}

/// `install(name)`, which a patched apache.py calls at its end with its own name: as [`activate`]; a failure is logged.
fn activate_named(gil: &mut Gil, _: &State, name: Object<'_>) -> Option<Owned> {
    let apache = dict::get(gil, dict::modules(gil), name);
    exceptions::clear(gil);
    let done = match apache {
        Some(apache) => activate(gil, apache.object()),
        None => Err("import_module stays mod_python's own: install() wants the name of a module".to_owned()),
    };
    if let Err(reason) = done {
        log::line(Message::ShimFailed, &reason);
    }
    Some(none(gil))
}

/// Whether our `import_module` is the one in `apache`, a module. No exception is pending before.
pub fn is_active(gil: &Gil, apache: Object<'_>) -> bool {
    let ours = core(gil).and_then(|core| calls::attribute_named(gil, &core, c"import_module"));
    let theirs = calls::attribute_named(gil, apache, c"import_module");
    exceptions::clear(gil);
    matches!((ours, theirs), (Some(ours), Some(theirs)) if ours.is(&theirs))
}
