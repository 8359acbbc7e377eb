//! The report of a run: text for people, one JSON object for scripts, and an exit code that means the same in both.

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::{Action, Cli};
use crate::exit_status::ExitStatus;
use crate::failure::Failure;

/// The outcome of an action.
#[derive(Debug)]
pub struct Report {
    pub status: ExitStatus,
    /// For people, on standard output.
    pub text: String,
    /// For people, on standard error; in JSON the list `warnings`.
    pub warnings: Vec<String>,
    /// For scripts.
    pub json: Value,
}

impl Report {
    pub fn new(status: ExitStatus, text: String, json: Value) -> Report {
        Report { status, text, warnings: Vec::new(), json }
    }
}

/// Print an action's outcome. A failed print (a closed pipe) does not change the exit code.
pub fn print(cli: &Cli, action: Action<'_>, outcome: Result<Report, Failure>) -> ExitCode {
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr().lock());
    match outcome {
        Ok(report) => {
            if cli.wants_json() {
                let mut object = json!({
                    "action": action.word(),
                    "state": report.status.word(),
                    "exit_code": report.status.code(),
                    "warnings": report.warnings,
                });
                merge(&mut object, report.json);
                let _ = writeln!(out, "{object:#}");
            } else {
                let _ = write!(out, "{}", report.text);
                for warning in &report.warnings {
                    let _ = writeln!(err, "modpython-relink: warning: {warning}");
                }
            }
            ExitCode::from(report.status.code())
        }
        Err(failure) => {
            if cli.wants_json() {
                let _ = writeln!(out, "{:#}", error_object(action.word(), failure.status(), &failure.to_string()));
            }
            let _ = writeln!(err, "modpython-relink: error: {failure}");
            ExitCode::from(failure.status().code())
        }
    }
}

/// Print what is wrong with the command line, or the help or version that was asked for.
pub fn print_usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if std::env::args_os().any(|argument| argument == "--json") {
        let object = error_object("usage", ExitStatus::Usage, error.render().to_string().trim_end());
        let _ = writeln!(std::io::stdout(), "{object:#}");
    }
    let text = error.render().to_string();
    let _ = write!(std::io::stderr(), "modpython-relink: {text}");
    ExitCode::from(ExitStatus::Usage.code())
}

fn error_object(action: &str, status: ExitStatus, message: &str) -> Value {
    json!({ "action": action, "error": status.word(), "exit_code": status.code(), "message": message })
}

fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(mut more)) = (object, more) {
        object.append(&mut more);
    }
}
