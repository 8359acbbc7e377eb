//! `--restore`: the stock file back in its place.

use serde_json::json;

use crate::cli::Cli;
use crate::exit_status::ExitStatus;
use crate::exposed::Exposed;
use crate::failure::Failure;
use crate::module::{Module, relinked_by};
use crate::report::Report;
use crate::text::Shown;
use crate::{files, package, system, text};

/// Put the backup back, if what is there now is relinked and the backup is stock.
pub fn restore(cli: &Cli) -> Result<Report, Failure> {
    let named = system::module_or_installed(cli.module.as_deref())?;
    let mut current = Module::read(&named)?;
    current.path = current.real_path();
    let backup_path = files::backup_of(&current.path);
    let refuse = |reason: String| Failure::Restore { path: current.path.clone(), reason };
    let facts = current.facts()?;
    if relinked_by(&facts).is_none() {
        return Err(refuse("this is a stock module already: there is nothing to put back".into()));
    }
    let unusable = |failure: Failure| refuse(format!("the backup cannot be put back: {failure}"));
    let Some(backup) = current.kept_beside().map_err(unusable)? else {
        let leftover = package::leftover(&current.path, &backup_path);
        let command = package::reinstall_command(&current.path);
        let advice = leftover
            .unwrap_or_else(|| command.map_or("install mod_python again".into(), |command| format!("run {command}")));
        return Err(refuse(format!("there is no backup {}: {advice}", backup_path.shown())));
    };
    let stock = backup.facts().map_err(unusable)?;
    if relinked_by(&stock).is_some() {
        return Err(refuse(format!("the backup {} is relinked, not stock: it was not put back", backup_path.shown())));
    }
    let mut exposed = Exposed::default();
    exposed.look_at(&named);
    let mut warnings: Vec<String> = exposed.warnings().collect();
    // Not refused: where the package manager has been told to divert its file to the backup's name, a newer build there
    // is just what the administrator wants.
    if facts.stamp.as_ref().is_some_and(|stamp| stamp.source_sha256 != backup.sha256()) {
        warnings.push("the backup is another build than the one that was relinked".to_owned());
    }
    let mut undiverted = false;
    // The backup loses its name, and so must be free to be renamed too.
    files::check_writable(&current.original.entry)?;
    files::check_writable(&backup.original.entry)?;
    if !cli.dry_run {
        files::restore(&current.original, &backup.original)?;
        match package::end_diversion(&current.path, &backup_path) {
            Ok(ended) => undiverted = ended,
            Err(reason) => warnings.push(format!("the diversion could not be ended: {reason}")),
        }
        warnings.push("the running server still has the relinked module: stop it and start it".to_owned());
    }
    let done = if cli.dry_run { "would put the stock file back:" } else { "the stock file is back:" };
    let json = json!({
        "module": text::path(&current.path),
        "backup": text::path(&backup_path),
        "dry_run": cli.dry_run,
        "undiverted": undiverted,
        "build_id": stock.build_id,
        "load_module": text::load_module(&current.path),
    });
    let mut report = Report::new(ExitStatus::Ok, format!("{done} {}\n", current.path.shown()), json);
    report.warnings = warnings;
    Ok(report)
}
