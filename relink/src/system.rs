//! What this system has: where distributions put mod_python.so, and which package owns a file.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;

/// Where the packages of distributions, and httpd's own layout, put modules. The first that exists is taken.
const MODULE_DIRECTORIES: &[&str] = &[
    "/usr/lib/apache2/modules",
    "/usr/lib64/httpd/modules",
    "/usr/lib/httpd/modules",
    "/usr/lib64/apache2",
    "/usr/lib/apache2",
    "/usr/lib64/apache2/modules",
    "/usr/local/apache2/modules",
    "/usr/local/libexec/apache22",
    "/usr/local/libexec/apache24",
];

/// The system's mod_python.so, stock or relinked in place.
pub fn installed_module() -> Option<PathBuf> {
    MODULE_DIRECTORIES.iter().map(|directory| Path::new(directory).join("mod_python.so")).find(|path| path.is_file())
}

/// The module the user named, or the system's.
pub fn module_or_installed(named: Option<&Path>) -> Result<PathBuf, Failure> {
    match named {
        Some(path) => Ok(path.to_owned()),
        None => installed_module().ok_or_else(|| Failure::NoModule { places: MODULE_DIRECTORIES.join(", ") }),
    }
}

/// The command that brings a file back from its package, when a package owns it.
pub fn reinstall_command(path: &Path) -> Option<String> {
    if let Some(owner) = ask("dpkg-query", &["-S"], path) {
        // "libapache2-mod-python: /usr/lib/…", and for a multi-arch package "name:amd64: /usr/lib/…".
        let package = owner.split(": ").next()?.to_owned();
        return Some(format!("apt-get install --reinstall {package}"));
    }
    let package = ask("rpm", &["-qf", "--queryformat", "%{NAME}"], path)?;
    let tool = ["/usr/bin/zypper", "/usr/bin/dnf"].into_iter().find(|tool| Path::new(tool).exists());
    Some(match tool {
        Some("/usr/bin/zypper") => format!("zypper install --force {package}"),
        Some(_) => format!("dnf reinstall {package}"),
        None => format!("yum reinstall {package}"),
    })
}

fn ask(program: &str, arguments: &[&str], path: &Path) -> Option<String> {
    let output = Command::new(program).args(arguments).arg(path).env("LC_ALL", "C").output().ok()?;
    let line = String::from_utf8(output.stdout).ok()?.lines().next()?.trim().to_owned();
    (output.status.success() && !line.is_empty()).then_some(line)
}
