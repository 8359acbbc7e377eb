//! The main job: from a stock module to a relinked one, or a refusal.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::json;

use crate::cli::Cli;
use crate::done::Done;
use crate::elf::ElfFile;
use crate::exposed::Exposed;
use crate::failure::Failure;
use crate::files::{self, Entry};
use crate::generation::Generation;
use crate::library::{self, Libpython, Library};
use crate::module::{Module, relinked_by};
use crate::package::{self, Diversion};
use crate::report::Report;
use crate::rewrite::{Plan, rewrite};
use crate::stamp::Stamp;
use crate::text::Shown;
use crate::{generation, search_path, system, text, verify};

/// The output's name where none is given.
const DEFAULT_OUTPUT: &str = "mod_python-relinked.so";

/// Relink the module of the command line.
pub fn relink(cli: &Cli) -> Result<Report, Failure> {
    let named = system::module_or_installed(cli.module.as_deref())?;
    let mut module = Module::read(&named)?;
    if cli.in_place {
        // A link stays a link; its target is replaced.
        module.path = module.real_path();
    }
    // A module that was relinked in place is made anew from the stock file beside it.
    let kept = match relinked_by(&module.facts()?) {
        Some(_) => module.kept_beside().ok().flatten().filter(Module::is_stock),
        None => None,
    };
    let source = kept.as_ref().unwrap_or(&module);
    let facts = source.facts()?;
    let (generation, library) = accept(&source.path, &facts, cli.library.as_deref())?;
    let plan = plan(cli, source, &facts, generation, &library)?;
    let target = if cli.in_place {
        module.original.entry.clone()
    } else {
        output_entry(cli.output.as_deref(), &module, source)?
    };
    let unresolved = resolve(&plan, &library, &target.path());
    if let Some(reason) = unresolved.as_ref().filter(|_| cli.in_place) {
        return Err(Failure::Library(format!("{reason}: give another --runpath, or install the library there first")));
    }
    let layout = |detail| Failure::Layout { path: source.path.clone(), detail };
    let output = rewrite(source.bytes(), &plan).map_err(layout)?;
    verify::verify(&facts, &output, &plan).map_err(layout)?;

    let backup = files::backup_name(&module.original.entry.name);
    if cli.in_place && kept.is_none() {
        ensure_replaceable(&module)?;
    }
    let mut exposed = Exposed::default();
    let searched = search_path::folders(&plan.runpath, target.folder_path());
    for path in [&named, &library.path, &target.path()].into_iter().chain(&searched) {
        exposed.look_at(path);
    }
    if cli.in_place {
        exposed.refuse_everybody()?;
    }
    let current = cli.in_place && output == module.bytes();
    files::check_writable(&target)?;
    if cli.in_place && kept.is_none() {
        files::check_writable(&target.beside(backup.clone()))?;
    }
    match (cli.dry_run || current, cli.in_place, &kept) {
        (true, ..) => {}
        (false, true, Some(_)) => files::renew(&module.original, &output)?,
        (false, true, None) => files::replace(&module.original, &backup, &output)?,
        (false, false, _) => files::write_new(&target, &output, &source.original.metadata)?,
    }
    let target = target.path();
    let what = match (current, cli.dry_run) {
        (true, _) => "relinked already, and current:",
        (_, true) => "would relink",
        _ => "relinked",
    };
    let done =
        Done { cli, what, module: &module, source, facts: &facts, plan: &plan, library: &library, target: &target };
    let mut report = done.report();
    report.warnings.extend(exposed.warnings());
    report.warnings.extend(unresolved);
    let links = module.original.metadata.nlink();
    if cli.in_place && !current && links > 1 {
        let others = links - 1;
        report.warnings.push(format!(
            "the module has {others} more name{} (hard links), which lead to the stock file as before",
            if others == 1 { "" } else { "s" }
        ));
    }
    report.json["changed"] = json!(!current && !cli.dry_run);
    if cli.in_place {
        let backup = files::backup_of(&module.path);
        report.json["backup"] = text::path(&backup);
        tell_package_manager(&mut report, cli, &module.path, &backup);
    }
    let own = [&facts.runpath, &facts.rpath].into_iter().flatten().next().map_or("", String::as_str);
    for part in own.split(':').filter(|_| !own.is_empty()) {
        if let Some(fault) = search_path::fault(part) {
            report.warnings.push(format!("the module's own search path, which is kept, has {part:?} in it: {fault}"));
        }
    }
    let relative = [&facts.runpath, &facts.rpath].into_iter().flatten().find(|path| path.contains("ORIGIN"));
    let moved = std::path::absolute(&module.path).is_ok_and(|path| path.parent() != target.parent());
    if let Some(path) = relative.filter(|_| moved) {
        let warning = format!("the module's own search path {path} is relative to the module, which is elsewhere now");
        report.warnings.push(warning);
    }
    Ok(report)
}

/// The reason for which `--check` would call the module broken, before it is written. `None` if the loader finds the
/// library that was read or one like it; a packager's library may not be installed yet.
fn resolve(plan: &Plan, library: &Library, target: &Path) -> Option<String> {
    let Some(found) = search_path::resolve(&plan.needed, &plan.runpath, target) else {
        return Some(format!("{} is not in {}: Apache will not start until it is", plan.needed, plan.runpath));
    };
    let fits = |found: &Library| {
        found.machine == library.machine
            && found.libpython == library.libpython
            && plan.renames.values().all(|symbol| found.exports(symbol))
    };
    match Library::read(&found) {
        Ok(other) if fits(&other) => None,
        Ok(other) => Some(format!("the loader will find {}, which does not fit this module", other.path.shown())),
        Err(failure) => Some(failure.to_string()),
    }
}

/// Everything a module must be to be relinked, in the order in which a refusal helps most.
fn accept(path: &Path, facts: &ElfFile<'_>, given: Option<&Path>) -> Result<(Generation, Library), Failure> {
    let path = path.to_owned();
    if let Some(version) = relinked_by(facts) {
        return Err(Failure::AlreadyRelinked { path, version });
    }
    let Some(python) = Libpython::among(&facts.needed) else {
        return Err(Failure::StaticPython { path });
    };
    if python.is_free_threaded() {
        return Err(Failure::FreeThreaded { path, libpython: python.name });
    }
    let supported = generation::supported();
    let generation = match generation::recognise(facts) {
        Some(generation) if supported.contains(&generation) => generation,
        other => {
            let found = other.map_or("of an unknown generation", Generation::name).to_owned();
            return Err(Failure::Generation { path, found, supported });
        }
    };
    let library = library::find(given, &python, &path)?;
    if library.machine != facts.machine {
        let (module, of_library) = (facts.machine.to_string(), library.machine.to_string());
        return Err(Failure::Architecture { path, module, library: of_library, library_path: library.path });
    }
    if library.libpython != python.name {
        return Err(Failure::Libpython { path, module: python.name, library: library.libpython });
    }
    // The library of Python 2 has no replacements for 3.5, that of Python 3 none for what came before.
    let served: Vec<_> = supported.into_iter().filter(|generation| library.serves(*generation)).collect();
    if !served.is_empty() && !served.contains(&generation) {
        let found = format!("{generation} for {}", python.name);
        return Err(Failure::Generation { path, found, supported: served });
    }
    Ok((generation, library))
}

fn plan(
    cli: &Cli,
    module: &Module,
    facts: &ElfFile<'_>,
    generation: Generation,
    library: &Library,
) -> Result<Plan, Failure> {
    let renames: BTreeMap<String, String> = generation::replacements_of(generation)
        .into_iter()
        .filter(|(import, _)| facts.imports(import))
        .map(|(import, symbol)| (import.to_owned(), symbol.to_owned()))
        .collect();
    if let Some(missing) = renames.values().find(|symbol| !library.exports(symbol)) {
        return Err(Failure::Library(format!(
            "{}: the library does not export {missing}: install the library and this command from one release ({})",
            library.path.shown(),
            env!("CARGO_PKG_VERSION")
        )));
    }
    let directory = match &cli.runpath {
        Some(directory) => directory.clone(),
        None => {
            let directory = library.directory().to_str().ok_or("its directory's name is not UTF-8");
            let directory = directory.and_then(|name| search_path::fault(name).map_or(Ok(name), Err));
            let refuse = |fault| Failure::Library(format!("{}: {fault}: give --runpath", library.path.shown()));
            directory.map_err(refuse)?.to_owned()
        }
    };
    // The module's own search path stays behind ours: it may lead to a Python in /opt.
    let before = facts.runpath.as_ref().or(facts.rpath.as_ref());
    let runpath = match before.filter(|before| !before.is_empty() && **before != directory) {
        Some(before) => format!("{directory}:{before}"),
        None => directory,
    };
    let stamp = Stamp::new(generation, module.bytes());
    Ok(Plan { renames, needed: library.soname.clone(), runpath, stamp })
}

/// Where the output goes, if it may be written.
fn output_entry(output: Option<&Path>, module: &Module, source: &Module) -> Result<Entry, Failure> {
    // Beside the stock file it is as safe as that, in any current directory.
    let beside = module.original.entry.beside(DEFAULT_OUTPUT.into()).path();
    let output = output.unwrap_or(&beside);
    if output.as_os_str().as_encoded_bytes().ends_with(files::BACKUP_SUFFIX.as_bytes()) {
        return Err(Failure::unwritable(
            output,
            "that is the name of a stock file which --in-place keeps: choose another",
        ));
    }
    let found = files::find(output).map_err(|error| Failure::unwritable(output, error))?;
    let Some(state) = &found.state else {
        return Ok(found.entry);
    };
    if !state.is_file() {
        return Err(Failure::unwritable(output, "it is not a regular file"));
    }
    let is_source = |module: &&Module| {
        let source = &module.original.metadata;
        (state.dev(), state.ino()) == (source.dev(), source.ino())
    };
    if [module, source].iter().any(is_source) {
        return Err(Failure::unwritable(output, "it is the stock module itself: use --in-place, which keeps a backup"));
    }
    // A relinked file can be made again. Anything else there, a stock module above all, may be the only copy.
    let old = Module::read(output)?;
    let replaceable = old.facts().is_ok_and(|facts| relinked_by(&facts).is_some());
    if !replaceable {
        return Err(Failure::unwritable(output, "it exists and is not a relinked module: remove it or choose another"));
    }
    Ok(old.original.entry)
}

/// An earlier backup is replaced only by being one: a stock module that an upgrade has left behind.
fn ensure_replaceable(module: &Module) -> Result<(), Failure> {
    match module.kept_beside()? {
        Some(old) if !old.is_stock() => Err(Failure::unwritable(
            &old.path,
            "a file that is not a stock mod_python is in the backup's place: move it away",
        )),
        _ => Ok(()),
    }
}

/// Tells dpkg to put the package's next file under the backup's name, and the report what an upgrade will do.
fn tell_package_manager(report: &mut Report, cli: &Cli, module: &Path, backup: &Path) {
    let diversion = if cli.dry_run { Ok(Diversion::None) } else { package::divert(module, backup) };
    let again = "run this command again then, and stop and start the server";
    let command = package::reinstall_command(module);
    report.json["reinstall"] = json!(command);
    report.json["diverted"] = json!(matches!(diversion, Ok(Diversion::Present | Diversion::Registered)));
    report.warnings.push(match (diversion, command) {
        (Ok(Diversion::Present | Diversion::Registered), _) => format!(
            "the package's next upgrade puts its stock file at {}, by a diversion of dpkg's that --restore ends: {again}",
            backup.shown()
        ),
        (Err(reason), _) => format!(
            "the package manager owns {}, and could not be told to leave it alone: {reason}. Its next upgrade puts a \
             stock file there again: {again}",
            module.shown()
        ),
        (Ok(Diversion::None), Some(command)) => format!(
            "the package manager owns {}: its next upgrade puts a stock file there again ({again}); {command} brings the \
             stock file back at any time",
            module.shown()
        ),
        (Ok(Diversion::None), None) => format!(
            "if a package manager owns {}, its next upgrade puts a stock file there again: {again}",
            module.shown()
        ),
    });
    report.warnings.push("the running server still has the old module: stop it and start it".into());
}
