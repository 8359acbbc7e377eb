//! Asks the package manager about a file, and tells it of one that is replaced in place.

use crate::text::Shown;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The command that brings a file back from its package, when a package owns it.
pub fn reinstall_command(path: &Path) -> Option<String> {
    if let Some(package) = dpkg_owner(path) {
        return Some(format!("apt-get install --reinstall {package}"));
    }
    let output = run("rpm", &["-qf".as_ref(), "--queryformat".as_ref(), "%{NAME}".as_ref(), path.as_os_str()])?;
    let package = output.status.success().then(|| String::from_utf8(output.stdout).ok())??;
    let tool = ["/usr/bin/zypper", "/usr/bin/dnf"].into_iter().find(|tool| Path::new(tool).exists());
    Some(match tool {
        Some("/usr/bin/zypper") => format!("zypper install --force {package}"),
        Some(_) => format!("dnf reinstall {package}"),
        None => format!("yum reinstall {package}"),
    })
}

/// The package of dpkg's that owns a file.
fn dpkg_owner(path: &Path) -> Option<String> {
    let output = run("dpkg-query", &["-S".as_ref(), &pattern_of(path)]).filter(|output| output.status.success())?;
    // "libapache2-mod-python: /usr/lib/…", for a multi-arch package "name:amd64: /usr/lib/…", and for a diverted
    // file two lines before that tell of the diversion.
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let of_package = |line: &&str| !line.starts_with("diversion ") && !line.starts_with("local diversion ");
    let owners = text.lines().find(of_package)?.split(": ").next()?;
    owners.split(", ").next().map(str::to_owned)
}

/// The pattern that matches this path alone: `dpkg-query -S` takes `*`, `?` and `[` for wildcards.
fn pattern_of(path: &Path) -> OsString {
    let mut pattern = Vec::new();
    for &byte in path.as_os_str().as_bytes() {
        if b"*?[\\".contains(&byte) {
            pattern.push(b'\\');
        }
        pattern.push(byte);
    }
    OsString::from_vec(pattern)
}

/// Has dpkg put the package's file under the backup's name, so that an upgrade goes there?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Diversion {
    /// No package of dpkg's owns the file.
    None,
    Present,
    Registered,
}

/// Tell dpkg that the module's package has its file under the backup's name from now on.
///
/// # Errors
/// Why that cannot be, with what to do about it.
pub fn divert(module: &Path, backup: &Path) -> Result<Diversion, String> {
    if dpkg_owner(module).is_none() {
        return Ok(Diversion::None);
    }
    match diverted(module) {
        Some(path) if path == backup => Ok(Diversion::Present),
        Some(path) => Err(format!("it is diverted to {} already, by somebody else", path.shown())),
        None => {
            let divert = ["--no-rename".as_ref(), "--divert".as_ref(), backup.as_os_str(), "--add".as_ref()];
            dpkg_divert(&divert, module).map(|()| Diversion::Registered)
        }
    }
}

/// Take that back. Was there anything to take back?
///
/// # Errors
/// Why that cannot be, with what to do about it.
pub fn end_diversion(module: &Path, backup: &Path) -> Result<bool, String> {
    match diverted(module) {
        Some(path) if path == backup => {
            dpkg_divert(&["--no-rename".as_ref(), "--remove".as_ref()], module).map(|()| true)
        }
        _ => Ok(false),
    }
}

/// Where dpkg puts this file of a package, if that is elsewhere.
pub fn diverted(module: &Path) -> Option<PathBuf> {
    let output =
        run("dpkg-divert", &["--truename".as_ref(), module.as_os_str()]).filter(|output| output.status.success())?;
    let mut path = output.stdout;
    if path.ends_with(b"\n") {
        path.pop();
    }
    Some(PathBuf::from(OsString::from_vec(path))).filter(|path| path != module)
}

/// Advice for a module whose package was removed: dpkg removed the backup, which is the package's file, and left the
/// module, which it does not know. `None` for any other module.
pub fn leftover(module: &Path, backup: &Path) -> Option<String> {
    if backup.symlink_metadata().is_ok() || diverted(module)? != backup {
        return None;
    }
    let word = crate::text::shell_word_to_print(module);
    Some(format!(
        "its package has been removed: run rm {word} && dpkg-divert --local --no-rename --remove {word}, or install the \
         package again"
    ))
}

fn dpkg_divert(arguments: &[&OsStr], module: &Path) -> Result<(), String> {
    let mut all: Vec<&OsStr> = vec!["--local".as_ref()];
    all.extend(arguments);
    all.push(module.as_os_str());
    let words = || {
        let words = all.iter().map(|word| crate::text::shell_word(Path::new(word)).unwrap_or_default());
        format!("dpkg-divert {}", words.collect::<Vec<_>>().join(" "))
    };
    match run("dpkg-divert", &all) {
        Some(output) if output.status.success() => Ok(()),
        Some(output) => {
            let why = String::from_utf8_lossy(output.stderr.trim_ascii()).replace('\n', " ");
            Err(format!("{why}; run, as root: {}", words()))
        }
        None => Err(format!("dpkg-divert cannot be run; run, as root: {}", words())),
    }
}

fn run(program: &str, arguments: &[&OsStr]) -> Option<Output> {
    Command::new(program).args(arguments).env("LC_ALL", "C").output().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_nobodys_is_not_diverted() {
        let workspace = tempfile::tempdir().unwrap();
        let (module, backup) = (workspace.path().join("m"), workspace.path().join("b"));
        assert_eq!(divert(&module, &backup), Ok(Diversion::None));
        assert_eq!(end_diversion(&module, &backup), Ok(false));
    }
}
