//! The command line.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::exit_status::ExitStatus;
use crate::search_path;

/// Relink an installed mod_python.so so that its interpreter path goes through modpython-core.
///
/// Reads the distribution's finished module and writes one in which the calls that create, find and enter Python
/// interpreters go to the library of modpython-core. Nothing else of the file changes, and the stock file stays.
#[derive(Debug, Parser)]
#[command(name = "modpython-relink", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The module; by default the installed one of this system
    #[arg(value_name = "MODULE.so")]
    pub module: Option<PathBuf>,

    /// Where to write the relinked module; by default mod_python-relinked.so beside the stock one
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

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

/// Actions on something else than a finished module.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Generate the patch for a mod_python source tree, or apply it
    ///
    /// Lines are added to three files, so that the build uses the library of modpython-core; none is changed or
    /// removed. Releases are known by the sums of these files; in a tree that somebody has changed the places are found
    /// by the code around them.
    #[command(after_help = exit_codes())]
    Patch(PatchArguments),

    /// Say what this installation is, which known defects it has, and what to do
    ///
    /// The exit code is that of --check, and 13 for a module that is stock again since an upgrade: for monitoring.
    #[command(after_help = exit_codes())]
    Doctor(DoctorArguments),
}

#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// The module; by default the one that Apache's configuration loads, or else the installed one of this system
    #[arg(value_name = "MODULE.so")]
    pub module: Option<PathBuf>,

    /// The program of Apache that is asked for its MPM and its folders: apachectl, apache2ctl or httpd
    #[arg(long, value_name = "PROGRAM")]
    pub apache: Option<PathBuf>,

    /// The server's error log; by default the one that its configuration names
    #[arg(long, value_name = "FILE")]
    pub error_log: Option<PathBuf>,

    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct PatchArguments {
    /// The source tree's top folder
    #[arg(value_name = "TREE")]
    pub tree: PathBuf,

    /// The folder to write the diffs to, one for each file; by default TREE.modpython-core-patches beside the tree
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,

    /// Write one patch instead, modpython-core.patch, and enter it in the folder's series file
    #[arg(long)]
    pub quilt: bool,

    /// Lines of the tree to have around each place; with 0 the diffs are for these very files
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(..=1000))]
    pub context: u16,

    /// Put the lines into the tree instead of writing diffs
    #[arg(long, conflicts_with_all = ["output", "quilt", "context", "reverse"])]
    pub apply: bool,

    /// Take the lines out of the tree again
    #[arg(long, conflicts_with_all = ["output", "quilt", "context"])]
    pub reverse: bool,

    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,

    /// Do everything but write
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// The action of a run.
#[derive(Debug, Clone, Copy)]
pub enum Action<'cli> {
    Relink,
    Restore,
    Check,
    Patch(&'cli PatchArguments),
    Doctor(&'cli DoctorArguments),
}

impl Action<'_> {
    /// As `--json` names it.
    pub fn word(self) -> &'static str {
        match self {
            Action::Relink => "relink",
            Action::Restore => "restore",
            Action::Check => "check",
            Action::Patch(_) => "patch",
            Action::Doctor(_) => "doctor",
        }
    }
}

impl Cli {
    /// Parse the process's arguments.
    pub fn parse_arguments() -> Result<Cli, clap::Error> {
        let matches = Cli::command().after_help(exit_codes()).try_get_matches()?;
        Cli::from_arg_matches(&matches)
    }

    /// The action that the arguments ask for.
    pub fn action(&self) -> Action<'_> {
        match (&self.command, self.check, self.restore) {
            (Some(Command::Patch(arguments)), ..) => Action::Patch(arguments),
            (Some(Command::Doctor(arguments)), ..) => Action::Doctor(arguments),
            (None, true, _) => Action::Check,
            (None, _, true) => Action::Restore,
            (None, ..) => Action::Relink,
        }
    }

    /// Is the answer to be JSON?
    pub fn wants_json(&self) -> bool {
        match &self.command {
            Some(Command::Patch(arguments)) => arguments.json,
            Some(Command::Doctor(arguments)) => arguments.json,
            None => self.json,
        }
    }
}

fn search_path(text: &str) -> Result<String, String> {
    match text.split(':').find_map(search_path::fault) {
        None => Ok(text.to_owned()),
        Some(fault) => Err(format!("this cannot be searched: {fault}")),
    }
}

fn exit_codes() -> String {
    let mut text = String::from("Exit codes (and the words --json uses):\n");
    for status in ExitStatus::ALL {
        let _ = writeln!(text, "  {:>3}  {:<16}  {}", status.code(), status.word(), status.meaning());
    }
    text.push_str("\nThe running server keeps what it has loaded: stop it and start it after every change. (A restart keeps its process:\nthe manual page says which modules survive that.)");
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
