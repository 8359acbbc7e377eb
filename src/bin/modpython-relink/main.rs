//! `modpython-relink`: gives an administrator who has no source a mod_python whose interpreter path is ours.
//!
//! [`cli`] says what is asked, [`relink`], [`restore`] and [`check`] are the three answers for a module, [`mod@patch`] is
//! the one for a source tree, [`report`] prints them and [`failure`] has every way they can end. Below them: [`module`] is a file in memory, [`elf`] (guarded by
//! [`validate`]) its facts, [`generation`] which mod_python it is, [`library`] what the replacements come from,
//! [`rewrite`] and [`verify`] make the new file and prove it, [`stamp`] signs it, [`install`] puts it in place. [`guard`]
//! stands between all of them and a panic.

#![forbid(unsafe_code)]

mod check;
mod cli;
mod elf;
mod failure;
mod generation;
mod guard;
mod install;
mod library;
mod module;
mod patch;
mod relink;
mod report;
mod restore;
mod rewrite;
mod stamp;
mod system;
mod validate;
mod verify;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match cli::Cli::parse_arguments() {
        Ok(cli) => cli,
        Err(error) => return report::print_usage(&error),
    };
    let outcome = match (&cli.command, cli.action()) {
        (Some(cli::Command::Patch(arguments)), _) => patch::patch(arguments),
        (None, "check") => check::check(&cli),
        (None, "restore") => restore::restore(&cli),
        (None, _) => relink::relink(&cli),
    };
    report::print(&cli, outcome)
}
