//! The places where distributions put mod_python.so.

use std::path::{Path, PathBuf};

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
