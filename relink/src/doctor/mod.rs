//! `modpython-relink doctor`: the state of this installation, its exposures, and their remedies.

mod defects;
mod log;
mod server;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::DoctorArguments;
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::generation::Named;
use crate::report::Report;
use crate::text::Shown;
use crate::{check, files, package, system, text};
use log::{Started, Told};
use server::Server;

/// Look at the module, the server and its log.
pub fn doctor(arguments: &DoctorArguments) -> Result<Report, Failure> {
    let server = Server::ask(arguments.apache.as_deref());
    let loaded = server.as_ref().and_then(|server| server.module.clone());
    let module = match (&arguments.module, &loaded) {
        (Some(module), _) | (None, Some(module)) => module.clone(),
        (None, None) => system::module_or_installed(None)?,
    };
    let examined = check::examine(&module, None)?;
    let status = match examined.status {
        ExitStatus::Stock if was_relinked(&module) => ExitStatus::Reverted,
        other => other,
    };
    let of = |field: &str| examined.json[field].as_str().filter(|word| *word != "unknown");
    let relinked = !matches!(status, ExitStatus::Stock | ExitStatus::Reverted);
    let threaded = server.as_ref().and_then(|server| server.threaded);
    let generation = of("generation").map(Named::from);
    let defects = defects::of(generation.as_ref(), threaded, relinked);
    let log = arguments.error_log.clone().or_else(|| server.as_ref()?.error_log.clone());
    let told = log.as_deref().map(log::told);

    let mut lines = format!("{}: {}\n", headline(status), module.shown());
    // The first line of what --check says is the headline again.
    lines.extend(examined.text.lines().skip(1).map(|line| format!("  {line}\n")));
    lines.push_str(&server_line(server.as_ref()));
    lines.push_str(&log_lines(log.as_deref(), &told));
    lines.push_str("known defects that it has:\n");
    lines.extend(defects.iter().map(|defect| format!("  {}: {}\n", defect.name, defect.what)));
    let mut advice = advice(status, &module);
    if let (Some(named), Some(loaded)) = (&arguments.module, &loaded) {
        if std::fs::canonicalize(named).ok() != std::fs::canonicalize(loaded).ok() {
            advice.push(format!("Apache's configuration loads another file, {}", loaded.shown()));
        }
    }
    let real = std::fs::canonicalize(&module).unwrap_or_else(|_| module.clone());
    advice.extend(package::leftover(&real, &files::backup_of(&real)));
    advice.extend(of_running(status, relinked, of("version"), &told));
    if server.as_ref().is_some_and(|server| server.has_mod_wsgi) {
        advice.push("mod_wsgi is loaded too: version 4 refuses to run in one server with mod_python".into());
    }
    lines.push_str(if advice.is_empty() { "nothing to do\n" } else { "to do:\n" });
    lines.extend(advice.iter().map(|line| format!("  {line}\n")));

    let json = json!({
        "module": text::path(&module),
        "generation": of("generation"),
        "libpython": of("libpython"),
        "version": of("version"),
        "library_error": of("library_error"),
        "server": server.as_ref().map(server_json),
        "error_log": text::path_or_null(log.as_deref()),
        "running": told.as_ref().and_then(|told| told.as_ref().ok()?.started.as_ref()).map(running_json),
        "messages": told.as_ref().and_then(|told| told.as_ref().ok()).map(messages_json),
        "defects": defects.iter().map(|defect| json!({ "name": defect.name, "what": defect.what })).collect::<Vec<_>>(),
        "advice": advice,
    });
    let mut report = Report::new(status, lines, json);
    report.warnings = examined.warnings;
    Ok(report)
}

/// Has a stock module been relinked in place before? Its backup, or dpkg's diversion, is still there.
fn was_relinked(module: &Path) -> bool {
    let real = std::fs::canonicalize(module).unwrap_or_else(|_| module.to_owned());
    let backup = files::backup_of(&real);
    backup.symlink_metadata().is_ok() || package::diverted(&real) == Some(backup)
}

fn headline(status: ExitStatus) -> &'static str {
    match status {
        ExitStatus::Ok => "relinked and current",
        ExitStatus::Reverted => "stock again, since an upgrade",
        other => other.word(),
    }
}

fn advice(status: ExitStatus, module: &Path) -> Vec<String> {
    let word = text::shell_word_to_print(module);
    let restart = "then stop and start the server";
    match status {
        ExitStatus::Stock => vec![format!("relink it: modpython-relink --in-place {word}, {restart}")],
        ExitStatus::Reverted | ExitStatus::Stale => {
            vec![format!("relink the new stock file: modpython-relink --in-place {word}, {restart}")]
        }
        ExitStatus::Broken => vec![format!(
            "Apache will not start: install modpython-core again, or modpython-relink --restore {word}; {restart}"
        )],
        _ => Vec::new(),
    }
}

/// Does the running server have what is on the disk?
fn of_running(
    status: ExitStatus,
    relinked: bool,
    version: Option<&str>,
    told: &Option<std::io::Result<Told>>,
) -> Option<String> {
    match told.as_ref().map(|told| told.as_ref().map(|told| &told.started)) {
        Some(Ok(Some(Started { active: None, .. }))) => {
            Some("it is switched off by MODPYTHON_CORE=off in the server's environment".into())
        }
        Some(Ok(Some(_))) if !relinked => {
            Some("the children that started last had a relinked module, which is gone from the disk: stop and start the server".into())
        }
        Some(Ok(Some(running))) if version.is_some_and(|version| version != running.version) => Some(format!(
            "the children that started last have version {}: stop and start the server",
            running.version
        )),
        Some(Ok(None)) if status == ExitStatus::Ok => {
            Some("no child has said in the log that it is active: stop and start the server, if that was not done".into())
        }
        _ => None,
    }
}

fn server_line(server: Option<&Server>) -> String {
    let Some(server) = server else {
        return "no httpd could be asked about its MPM (--apache names its program)\n".into();
    };
    let threads = match (server.threaded, server.threads) {
        (Some(false), _) => "no threads".to_owned(),
        (_, Some(threads)) => format!("{threads} threads in a child"),
        (_, None) => "the default number of threads".to_owned(),
    };
    format!("the server's MPM is {}, with {threads}\n", server.mpm.as_deref().unwrap_or("unknown"))
}

fn log_lines(log: Option<&Path>, told: &Option<std::io::Result<Told>>) -> String {
    let Some(log) = log.map(PathBuf::from) else { return "no error log is known (--error-log names it)\n".into() };
    let log = log.shown();
    let told = match told {
        Some(Ok(told)) => told,
        Some(Err(error)) => return format!("{log} cannot be read ({error})\n"),
        None => return String::new(),
    };
    let started = match &told.started {
        Some(Started { version, active: Some((generation, python)) }) => {
            format!(
                "the children that started last have version {version}, generation {generation}, Python {python} ({log})\n"
            )
        }
        Some(Started { version, active: None }) => {
            format!("the children that started last have version {version}, switched off ({log})\n")
        }
        None => format!("{log} has no line of modpython-core from a child's start\n"),
    };
    let counts: Vec<String> = told.messages.iter().map(|(code, count)| format!("{code} ({count})")).collect();
    match counts.is_empty() {
        true => started,
        false => format!("{started}messages in its last part, see modpython-core(7): {}\n", counts.join(", ")),
    }
}

fn server_json(server: &Server) -> Value {
    json!({
        "program": text::path(&server.program),
        "mpm": server.mpm,
        "threaded": server.threaded,
        "threads_per_child": server.threads,
        "module": text::path_or_null(server.module.as_deref()),
        "has_mod_wsgi": server.has_mod_wsgi,
    })
}

fn messages_json(told: &Told) -> Value {
    told.messages.iter().map(|(code, count)| json!({ "code": code, "count": count })).collect()
}

fn running_json(started: &Started) -> Value {
    let active = started.active.as_ref();
    json!({
        "version": started.version,
        "active": active.is_some(),
        "generation": active.map(|(generation, _)| generation.to_string()),
        "python": active.map(|(_, python)| python),
    })
}
