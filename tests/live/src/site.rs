//! The Python files that answer, and those that take notes.

use std::fs;
use std::io::Result;
use std::path::Path;

/// Tells the instrumentation where its notes go.
pub const NOTES_VARIABLE: &str = "MODPYTHON_LIVE_NOTES";
/// The file of notes, one event a line.
pub const EVENTS: &str = "events";

/// Names an extension module that the instrumentation imports in every interpreter, httpd's parent included.
pub const EXTENSION_VARIABLE: &str = "MODPYTHON_LIVE_EXTENSION";
/// Names handlers that the instrumentation imports in every interpreter before it is used.
pub const PRELOAD_VARIABLE: &str = "MODPYTHON_LIVE_PRELOAD";
/// The messages of Python 3 and 2 about instrumentation that has failed.
pub(crate) const FAILED: [&str; 2] = ["Error in sitecustomize", "'import sitecustomize' failed"];
/// While this flag exists, `mod_python.apache` cannot be imported.
pub const BREAK_PACKAGE: &str = "break-package";
/// The next interpreter that starts takes this flag away and sleeps for two seconds.
pub const SLOW_START: &str = "slow-start";
/// The next call of `mod_python.apache.init` takes this flag away and sleeps for two seconds.
pub const SLOW_INIT: &str = "slow-init";

macro_rules! python {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../python/", $name)))),*]
    };
}

const INSTRUMENTATION: [(&str, &str); 1] = python!["sitecustomize.py"];
const MODULES: [(&str, &str); 30] = python![
    "notes.py",
    "slow.py",
    "who.py",
    "plain.py",
    "hello.py",
    "gilcount.py",
    "gilstate.py",
    "leftovers.py",
    "forker.py",
    "nest.py",
    "loadnotes.py",
    "waiting.py",
    "importhit.py",
    "defects.py",
    "phases.py",
    "remedies.py",
    "journey.py",
    "mix.py",
    "agent.py",
    "at_exit.py",
    "hog.py",
    "parentthread.py",
    "signalled.py",
    "crashing.py",
    "exits.py",
    "compiles.py",
    "farewell.py",
    "farewell_of_json.py",
    "sleeper.py",
    "spinner.py",
];

/// Directives that let `module` answer below `/module/`, in the interpreter that httpd chooses by default.
pub fn handler(module: &str) -> String {
    handler_in(&format!("/{module}"), module, "")
}

/// Directives that let `module` (or `module::function`) answer below `location`, with more directives for it.
pub fn handler_in(location: &str, module: &str, more: &str) -> String {
    format!("<Location \"{location}\">\nSetHandler mod_python\nPythonHandler {module}\n{more}\n</Location>\n")
}

/// Sets a flag that the instrumentation looks for.
pub fn set_flag(notes: &Path, flag: &str) -> Result<()> {
    fs::write(notes.join(flag), "")
}

/// Clears a flag.
pub fn clear_flag(notes: &Path, flag: &str) -> Result<()> {
    fs::remove_file(notes.join(flag))
}

pub(crate) fn write_modules(directory: &Path, instrumented: bool) -> Result<()> {
    let instrumentation = INSTRUMENTATION.iter().filter(|_| instrumented);
    for (name, text) in MODULES.iter().chain(instrumentation) {
        fs::write(directory.join(name), text)?;
    }
    Ok(())
}
