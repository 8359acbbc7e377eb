//! `--check`: what is this file, and is it still right?

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::Cli;
use crate::elf::ElfFile;
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::generation::Generation;
use crate::library::{BUILD_INFO, Libpython, Library, build_info};
use crate::module::{Module, our_library, relinked_by};
use crate::report::Report;
use crate::stamp::key_values;
use crate::text::Shown;
use crate::{files, generation, search_path, system, text};

/// Say what the module is.
pub fn check(cli: &Cli) -> Result<Report, Failure> {
    examine(&system::module_or_installed(cli.module.as_deref())?, cli.library.as_deref())
}

/// The same of a module, with its library where the loader finds it unless that is given.
pub fn examine(named: &Path, library: Option<&Path>) -> Result<Report, Failure> {
    let mut module = Module::read(named)?;
    module.path = text::absolute(named);
    let facts = module.facts()?;
    match relinked_by(&facts) {
        None => Ok(stock(&module, &facts)),
        Some(_) if facts.exports(BUILD_INFO) => Ok(linked(&module, &facts)),
        Some(version) => Ok(relinked(library, &module, &facts, &version)),
    }
}

fn stock(module: &Module, facts: &ElfFile<'_>) -> Report {
    let generation = generation::recognise(facts);
    let supported = generation.is_some_and(|generation| generation::supported().contains(&generation));
    let libpython = Libpython::among(&facts.needed).map(|python| python.name);
    let backup = Some(files::backup_of(&module.real_path())).filter(|path| path.symlink_metadata().is_ok());
    let mut lines = format!(
        "stock: {}\nmod_python {}, {}, build-id {}\n",
        module.path.shown(),
        generation.map_or("of an unknown generation", Generation::name),
        libpython.as_deref().unwrap_or("no shared libpython"),
        facts.build_id.as_deref().unwrap_or("none"),
    );
    if !supported {
        lines.push_str("this generation is not supported\n");
    }
    if let Some(backup) = &backup {
        // The package was upgraded over a module that was relinked in place.
        let kept = module.kept_beside().ok().flatten();
        let words = if kept.as_ref().is_some_and(Module::is_stock) {
            "is still there): run modpython-relink --in-place again"
        } else {
            "is there, but is not a stock mod_python): move that away, then run modpython-relink --in-place"
        };
        lines.push_str(&format!("it was relinked in place before ({} {words}\n", backup.shown()));
    }
    let json = json!({
        "module": text::path(&module.path),
        "generation": generation.map(Generation::name),
        "supported": supported,
        "libpython": libpython,
        "build_id": facts.build_id,
        "backup": text::path_or_null(backup.as_deref()),
    });
    Report::new(ExitStatus::Stock, lines, json)
}

/// A module that was linked with the static library: there is no file that it could miss.
fn linked(module: &Module, facts: &ElfFile<'_>) -> Report {
    let info = build_info(facts, module.bytes()).map(|info| key_values(&info)).unwrap_or_default();
    let of = |key: &str| info.get(key).map_or("unknown", String::as_str);
    let (version, libpython) = (of("version"), of("libpython"));
    let fits = Libpython::among(&facts.needed).is_none_or(|python| python.name == libpython);
    let status = if fits { ExitStatus::Ok } else { ExitStatus::Broken };
    let mut lines = format!(
        "{}: {}\nlinked with modpython-core {version} for {libpython}, build-id {}\n",
        headline(status),
        module.path.shown(),
        facts.build_id.as_deref().unwrap_or("none"),
    );
    if !fits {
        lines.push_str("it needs another libpython than the library in it is for: relink its tree again\n");
    }
    let json = json!({
        "module": text::path(&module.path),
        "version": version,
        "libpython": libpython,
        "build_id": facts.build_id,
    });
    Report::new(status, lines, json)
}

fn relinked(given: Option<&Path>, module: &Module, facts: &ElfFile<'_>, version: &str) -> Report {
    let generation = facts.stamp.as_ref().map(|stamp| stamp.generation.clone());
    let generation =
        generation.or_else(|| generation::of_relinked(facts)).unwrap_or_else(|| "unknown".into()).to_string();
    let library = loadable_library(given, module, facts);
    // A module that was built with the library was not made from a file that could be upgraded.
    let built = facts.stamp.is_none() && generation::of_relinked(facts).is_none();
    let sources = if built { Vec::new() } else { sources(module, facts) };
    let upgraded = sources.iter().find(|source| !source.same).map(|source| source.path.clone());
    let status = match (&library, &upgraded) {
        (Err(_), _) => ExitStatus::Broken,
        (Ok(_), Some(_)) => ExitStatus::Stale,
        (Ok(_), None) => ExitStatus::Ok,
    };
    let headline = headline(status);
    let how = match built {
        true => "built with modpython-core".to_owned(),
        false => format!("mod_python {generation}, relinked by modpython-relink {version}"),
    };
    let build_id = facts.build_id.as_deref().unwrap_or("none");
    let mut lines = format!("{headline}: {}\n{how}, build-id {build_id}\n", module.path.shown());
    match &library {
        Ok(library) => lines.push_str(&format!("its library is {} {}\n", library.path.shown(), library.version)),
        Err(reason) => lines.push_str(&format!("{reason}\n")),
    }
    for source in &sources {
        let relation = if source.same { "the same build as" } else { "another build than" };
        lines.push_str(&format!("{relation} {}\n", source.path.shown()));
    }
    if sources.is_empty() && !built {
        lines.push_str("no stock module is there to compare it with\n");
    }
    if let Some(path) = &upgraded {
        lines.push_str(&format!(
            "the source has been upgraded since: relink {}, and stop and start the server\n",
            path.shown()
        ));
    }
    let compared = sources.iter().map(|source| json!({ "path": text::path(&source.path), "same": source.same }));
    let json = json!({
        "module": text::path(&module.path),
        "generation": generation,
        "version": version,
        "libpython": Libpython::among(&facts.needed).map(|python| python.name),
        "build_id": facts.build_id,
        "runpath": facts.runpath,
        "library": library.as_ref().ok().map(|library| json!({ "path": text::path(&library.path), "version": library.version })),
        "library_error": library.as_ref().err(),
        "compared": compared.collect::<Vec<_>>(),
    });
    Report::new(status, lines, json)
}

fn headline(status: ExitStatus) -> &'static str {
    if status == ExitStatus::Ok { "relinked and current" } else { status.word() }
}

/// The library this module will be given when Apache loads it, if it fits.
fn loadable_library(given: Option<&Path>, module: &Module, facts: &ElfFile<'_>) -> Result<Library, String> {
    let soname = our_library(facts).ok_or("it needs no library of modpython-core: relink the stock module again")?;
    let search = [&facts.runpath, &facts.rpath].into_iter().flatten().next().map_or("", String::as_str);
    // Apache loads by the name the LoadModule line has, and the loader takes $ORIGIN from the real file.
    let origin = module.real_path();
    let path = match given {
        Some(path) if path.is_dir() => Some(path.join(soname)),
        Some(path) => Some(path.to_owned()),
        None => search_path::resolve(soname, search, &origin),
    };
    let path = path.ok_or_else(|| {
        format!("its library {soname} is not in {search}: Apache will not start; install modpython-core or --restore")
    })?;
    let library = Library::read(&path).map_err(|failure| failure.to_string())?;
    if library.machine != facts.machine {
        return Err(format!("its library {} is for {}", path.shown(), library.machine));
    }
    let mut ours = facts.imports.iter().filter(|import| generation::import_of(&import.name).is_some());
    match ours.find(|import| !library.exports(&import.name)) {
        Some(missing) => Err(format!(
            "its library {} does not export {}: Apache will not start; relink the stock module again",
            path.shown(),
            missing.name
        )),
        None => Ok(library),
    }
}

/// A file this module may have come from.
struct Source {
    path: PathBuf,
    same: bool,
}

/// The stock file kept beside it, or else the system's module, and whether it is the build this one was made from. A
/// module relinked in place has its backup: the distribution's own module may be of quite another Apache then.
fn sources(module: &Module, facts: &ElfFile<'_>) -> Vec<Source> {
    let real = module.real_path();
    let backup = compare(facts, files::backup_of(&real));
    let installed = || system::installed_module().filter(|path| real_path(path) != Some(real));
    backup.or_else(|| compare(facts, installed()?)).into_iter().collect()
}

fn compare(facts: &ElfFile<'_>, path: PathBuf) -> Option<Source> {
    let other = Module::read(&path).ok()?;
    let other_facts = other.facts().ok()?;
    let same = match (&facts.build_id, &other_facts.build_id) {
        (Some(mine), Some(its)) => mine == its,
        // Without build-ids the contents decide: the note has the hash of the source.
        _ => {
            let its = match &other_facts.stamp {
                Some(stamp) => stamp.source_sha256.clone(),
                None => other.sha256(),
            };
            facts.stamp.as_ref().is_some_and(|stamp| stamp.source_sha256 == its)
        }
    };
    Some(Source { path, same })
}

fn real_path(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(path).ok()
}
