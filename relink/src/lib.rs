//! `modpython-relink`: gives an administrator who has no source a mod_python whose interpreter path is ours.
//!
//! [`cli`] says what is asked. [`relink`], [`restore`] and [`check`] are the three answers for a module, [`mod@patch`]
//! is the one for a source tree, [`mod@doctor`] the one for an installation. [`report`] prints them ([`done`] words the
//! first, [`text`] writes paths), [`failure`] has every way they can fail and [`exit_status`] the code of each.
//!
//! Below them: [`module`] is a file in memory, [`elf`] its facts, [`generation`] which mod_python it is; [`library`] is
//! what the replacements come from, and [`search_path`] how the loader finds it; [`rewrite`] and [`verify`] make the
//! new file and prove it, [`stamp`] signs it, [`files`] puts it in place. [`exposed`] is what others could exchange,
//! [`system`] and [`package`] are what distributions do. [`elf::guard`] keeps the parser's panics from all of them.
//! [`probe`] is the way in for fuzzers.

#![forbid(unsafe_code)]
// The map above is for those who read the code, where every room is.
#![allow(rustdoc::private_intra_doc_links)]

mod check;
mod cli;
mod doctor;
mod done;
mod elf;
mod exit_status;
mod exposed;
mod failure;
mod files;
mod generation;
mod library;
mod module;
mod package;
mod patch;
pub mod probe;
mod relink;
mod report;
mod restore;
mod rewrite;
mod search_path;
mod stamp;
mod system;
mod text;
mod verify;

use std::process::ExitCode;

use cli::{Action, Cli};

/// Does what the process's arguments ask for, and prints the outcome.
pub fn main() -> ExitCode {
    let cli = match Cli::parse_arguments() {
        Ok(cli) => cli,
        Err(error) => return report::print_usage(&error),
    };
    let action = cli.action();
    let outcome = match action {
        Action::Check => check::check(&cli),
        Action::Restore => restore::restore(&cli),
        Action::Relink => relink::relink(&cli),
        Action::Patch(arguments) => patch::patch(arguments),
        Action::Doctor(arguments) => doctor::doctor(arguments),
    };
    report::print(&cli, action, outcome)
}
