//! The place at which a child of a server has crashed, by gdb from its core file, or at which it stands. Python's
//! faulthandler says nothing here: httpd sets handlers of its own for these signals after Python's start.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{Error, Result};
use std::path::Path;
use std::process::{Child, Command};
use std::ptr;

use crate::prerequisites;

/// Where children leave their core files, below a server's root.
pub(crate) const CORES: &str = "cores";

/// What gdb is asked: the next instruction and the calls of each thread, and where the libraries are, whose functions
/// have no names where no symbols are installed.
const QUESTIONS: [&str; 4] = [FORM, "thread apply all x/i $pc", CALLS, "info sharedlibrary"];
const FORM: &str = "set print frame-arguments none";
const CALLS: &str = "thread apply all backtrace 64";
/// The frame below a signal's handler, as gdb writes it.
const HANDLER: &str = "<signal handler called>";
/// The C library's next instruction after a system call, on x86-64.
const AFTER_SYSTEM_CALL: &str = "cmp    $0xfffffffffffff000,%rax";

/// Lets a process and those that it will start leave core files, as large as it may.
pub(crate) fn allow_cores(process: &Child) -> Result<()> {
    let pid = process.id() as libc::pid_t;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it writes the limit, and reads none.
    if unsafe { libc::prlimit(pid, libc::RLIMIT_CORE, ptr::null(), &mut limit) } != 0 {
        return Err(Error::last_os_error());
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: it reads the limit, and writes none.
    if unsafe { libc::prlimit(pid, libc::RLIMIT_CORE, &limit, ptr::null_mut()) } != 0 {
        return Err(Error::last_os_error());
    }
    Ok(())
}

/// What gdb says of each crash of a server's children; empty if there is nothing. A system that keeps core files
/// elsewhere has none here.
pub(crate) fn report(root: &Path) -> String {
    let cores = fs::read_dir(root.join(CORES)).into_iter().flatten().flatten();
    let told = cores.map(|core| told(asked(&[prerequisites::HTTPD.as_ref(), core.path().as_ref()], &QUESTIONS)));
    told.map(|text| about_the_crash(&text)).collect::<Vec<_>>().join("\n")
}

/// The calls in each thread of a process now.
pub(crate) fn calls(process: u32) -> String {
    let process = process.to_string();
    told(asked(&["-p".as_ref(), process.as_ref()], &[FORM, CALLS]))
}

/// Whether the system lets a process leave its core file where it stands, as one that does so shows.
///
/// # Errors
///
/// If that process cannot be started.
pub fn cores_are_kept() -> Result<bool> {
    let directory = tempfile::tempdir()?;
    let crash = "ulimit -c unlimited; kill -SEGV $$";
    Command::new("sh").args(["-c", crash]).current_dir(directory.path()).status()?;
    Ok(fs::read_dir(directory.path())?.next().is_some())
}

fn told(answer: Result<String>) -> String {
    answer.unwrap_or_else(|error| format!("gdb: {error}"))
}

/// What gdb answers to these questions, of a process or of a program and its core file.
fn asked(of: &[&OsStr], questions: &[&str]) -> Result<String> {
    let mut command = Command::new(prerequisites::gdb()?);
    command.args(["-nx", "-q", "-batch"]).args(questions.iter().flat_map(|question| ["-ex", question])).args(of);
    Ok(String::from_utf8_lossy(&command.output()?.stdout).into_owned())
}

/// Leaves out the threads that are in a system call. httpd's handler sends the signal again, to the process: any thread
/// may be the one that ends by it, while the one that has crashed is still in the handler or back from it.
fn about_the_crash(text: &str) -> String {
    let (threads, others): (Vec<_>, Vec<_>) = text.split("\n\n").partition(|part| part.starts_with("Thread "));
    let heading = |part: &&str| part.lines().next().unwrap_or_default().to_owned();
    let waiting: HashSet<_> = threads.iter().filter(|part| part.contains(AFTER_SYSTEM_CALL)).map(heading).collect();
    let told = threads.iter().filter(|part| part.contains(HANDLER) || !waiting.contains(&heading(part)));
    told.chain(&others).copied().collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::about_the_crash;

    #[test]
    fn threads_in_a_system_call_are_left_out_but_for_the_one_in_the_handler() {
        let text = "[New LWP 1]\n\nThread 1 (LWP 1):\n=> 0x1 <read+76>:\tcmp    $0xfffffffffffff000,%rax\n\nThread 2 \
                    (LWP 2):\n=> 0x2 <kill+7>:\tcmp    $0xfffffffffffff000,%rax\n\nThread 3 (LWP 3):\n=> 0x3 \
                    <strlen>:\tvpcmpeqb\n\nThread 1 (LWP 1):\n#0  read ()\n\nThread 2 (LWP 2):\n#0  kill ()\n#1  \
                    <signal handler called>\n\nThread 3 (LWP 3):\n#0  strlen ()\n\nFrom To";
        let told = about_the_crash(text);
        let parts: Vec<_> = told.split("\n\n").map(|part| part.lines().last().unwrap_or_default()).collect();
        assert_eq!(
            parts,
            ["=> 0x3 <strlen>:\tvpcmpeqb", "#1  <signal handler called>", "#0  strlen ()", "[New LWP 1]", "From To"]
        );
    }
}
