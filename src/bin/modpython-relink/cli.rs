//! The command line.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};

use crate::failure::ENDINGS;

/// Relink an installed mod_python.so so that its interpreter path goes through modpython-core.
///
/// Reads the distribution's finished module and writes one in which the calls that create, find and enter Python
/// interpreters go to the library of modpython-core. Nothing else of the file changes, and the stock file stays.
#[derive(Debug, Parser)]
#[command(name = "modpython-relink", version)]
pub struct Cli {
    /// The module; by default the installed one of this system
    #[arg(value_name = "MODULE.so")]
    pub module: Option<PathBuf>,

    /// Where to write the relinked module
    #[arg(short, long, value_name = "FILE", default_value = "mod_python-relinked.so")]
    pub output: PathBuf,

    /// Replace the module itself, keeping the stock file beside it as MODULE.so.modpython-core-stock
    #[arg(long, conflicts_with_all = ["output", "restore", "check"])]
    pub in_place: bool,

    /// Put the stock file kept by --in-place back
    #[arg(long, conflicts_with_all = ["output", "check", "runpath"])]
    pub restore: bool,

    /// Say whether the module is stock, relinked, stale or broken; the exit code tells it too
    #[arg(long, conflicts_with_all = ["output", "runpath"])]
    pub check: bool,

    /// The library of modpython-core, or the directory it is in
    #[arg(long, value_name = "PATH")]
    pub library: Option<PathBuf>,

    /// Where the relinked module looks for the library; by default the directory it was found in
    #[arg(long, value_name = "DIR", value_parser = search_path)]
    pub runpath: Option<String>,

    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,

    /// Do everything but write
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

impl Cli {
    /// Parse the process's arguments.
    pub fn parse_arguments() -> Result<Cli, clap::Error> {
        let matches = Cli::command().after_help(exit_codes()).try_get_matches()?;
        Cli::from_arg_matches(&matches)
    }

    /// What is asked for, as `--json` names it.
    pub fn action(&self) -> &'static str {
        match (self.check, self.restore) {
            (true, _) => "check",
            (_, true) => "restore",
            _ => "relink",
        }
    }
}

/// A search path the loader may be given. It would take a relative one from wherever Apache happens to be started, and
/// Apache loads modules as root.
fn search_path(text: &str) -> Result<String, String> {
    let is_safe = |part: &str| part.starts_with('/') || part.starts_with("$ORIGIN") || part.starts_with("${ORIGIN}");
    match text.split(':').all(is_safe) {
        true => Ok(text.to_owned()),
        false => Err("a directory of the search path must be absolute or begin with $ORIGIN".into()),
    }
}

fn exit_codes() -> String {
    let mut text = String::from("Exit codes (and the words --json uses):\n");
    for ending in ENDINGS {
        let _ = writeln!(text, "  {:>3}  {:<16}  {}", ending.exit, ending.word, ending.meaning);
    }
    text.push_str("\nThe running server keeps what it has loaded: restart it after every change.");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
