//! The report of a relinking run.

use std::path::Path;

use serde_json::json;

use crate::cli::Cli;
use crate::elf::ElfFile;
use crate::exit_status::ExitStatus;
use crate::library::Library;
use crate::module::Module;
use crate::report::Report;
use crate::rewrite::Plan;
use crate::text::Shown;
use crate::{files, text};

/// The outcome of a run, for the report.
pub struct Done<'run> {
    pub cli: &'run Cli,
    /// In words.
    pub what: &'static str,
    /// The module that was named, and the one that was read: the same, or the stock file beside it.
    pub module: &'run Module,
    pub source: &'run Module,
    pub facts: &'run ElfFile<'run>,
    pub plan: &'run Plan,
    pub library: &'run Library,
    pub target: &'run Path,
}

impl Done<'_> {
    pub fn report(&self) -> Report {
        let (cli, plan, library) = (self.cli, self.plan, self.library);
        let (module, source) = (text::absolute(&self.module.path), text::absolute(&self.source.path));
        let line = text::load_module(self.target);
        let way_back = if cli.in_place {
            text::shell_word(&module).map(|word| format!("modpython-relink --restore {word}"))
        } else {
            text::load_module(&source)
        };
        let build_id = self.facts.build_id.as_deref().unwrap_or("none");
        let generation = plan.stamp.generation.to_string();
        let step = if cli.in_place {
            "To use it, stop the server and start it. The LoadModule line stays:"
        } else {
            "To use it, put this line in the place of mod_python's LoadModule line, and stop and start the server:"
        };
        let back = if cli.in_place {
            "The way back (then stop and start the server):"
        } else {
            "The way back is the old line (then stop and start the server):"
        };
        let place = if cli.in_place {
            format!("in place; the stock file is {}", files::backup_of(self.target).shown())
        } else if source == module {
            format!("to {}", self.target.shown())
        } else {
            format!("to {}, from its stock file {}", self.target.shown(), source.shown())
        };
        let or_none = |line: &Option<String>| line.clone().unwrap_or_else(|| text::NO_LINE.to_owned());
        let lines = format!(
            "{} {}\n  {place}\nmod_python {generation}, {}, build-id {build_id}\n{} imports go to {} {}, looked for in {}\n\n{step}\n  {}\n{back}\n  {}\n",
            self.what,
            module.shown(),
            library.libpython,
            plan.renames.len(),
            library.soname,
            library.version,
            plan.runpath,
            or_none(&line),
            or_none(&way_back),
        );
        let json = json!({
            "module": text::path(&module),
            "source": text::path(&source),
            "output": text::path(self.target),
            "dry_run": cli.dry_run,
            "in_place": cli.in_place,
            "generation": generation,
            "libpython": library.libpython,
            "build_id": self.facts.build_id,
            "source_sha256": plan.stamp.source_sha256,
            "version": plan.stamp.version,
            "library": { "path": text::path(&library.path), "soname": library.soname, "version": library.version },
            "runpath": plan.runpath,
            "renamed": plan.renames,
            "load_module": line,
            "way_back": way_back,
        });
        Report::new(ExitStatus::Ok, lines, json)
    }
}
