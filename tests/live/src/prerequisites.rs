//! Files that must be installed before anything here can run, and one sentence for each that is missing.

use std::env;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Debian's httpd.
pub const HTTPD: &str = "/usr/sbin/apache2";
/// Where Debian's packages put httpd's modules.
pub const MODULES: &str = "/usr/lib/apache2/modules";
/// The user that children run as when httpd is started by root: Debian's own choice.
pub const USER: &str = "www-data";
/// Names the relinked module when it is not in its usual place.
pub const RELINKED_VARIABLE: &str = "MODPYTHON_RELINKED";

pub(crate) fn require(path: PathBuf, remedy: &str) -> Result<PathBuf> {
    if path.exists() {
        return Ok(path);
    }
    Err(Error::new(ErrorKind::NotFound, format!("{} is missing: {remedy}", path.display())))
}

/// The httpd to run.
pub fn httpd() -> Result<PathBuf> {
    require(HTTPD.into(), "apt-get install apache2")
}

/// The program that counts instructions.
pub fn valgrind() -> Result<PathBuf> {
    require("/usr/bin/valgrind".into(), "apt-get install valgrind")
}

/// The program that reads core files.
pub fn gdb() -> Result<PathBuf> {
    require("/usr/bin/gdb".into(), "apt-get install gdb")
}

/// One of httpd's own modules, or one of the packages that add to them.
pub fn module(file: &str) -> Result<PathBuf> {
    let remedy = match file {
        "mod_python.so" => "apt-get install libapache2-mod-python",
        "mod_wsgi.so" => "apt-get install libapache2-mod-wsgi-py3",
        _ => "apt-get install apache2",
    };
    require(Path::new(MODULES).join(file), remedy)
}

/// The distribution's mod_python: the file that `modpython-relink --in-place` has kept, where it was run.
pub fn stock() -> Result<PathBuf> {
    let kept = Path::new(MODULES).join("mod_python.so.modpython-core-stock");
    if kept.exists() { Ok(kept) } else { module("mod_python.so") }
}

/// The distribution's mod_python after `make relink`.
pub fn relinked() -> Result<PathBuf> {
    let path = env::var_os(RELINKED_VARIABLE).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/relinked/mod_python.so"),
        PathBuf::from,
    );
    let path = require(path, "run `make relink`, or name the module in MODPYTHON_RELINKED")?;
    // httpd resolves a relative path against its own ServerRoot.
    path.canonicalize()
}

/// Whether httpd starts as root, and so has to be told whom its children run as.
pub fn is_root() -> bool {
    // SAFETY: geteuid has no preconditions and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Children of a root-started httpd run as another user, who must be able to enter every directory above `directory`.
pub fn enterable_by_all(directory: &Path) -> Result<()> {
    for above in directory.ancestors().skip(1) {
        let mode = above.metadata()?.permissions().mode();
        if mode & 0o001 == 0 {
            return Err(Error::new(
                ErrorKind::PermissionDenied,
                format!(
                    "{} cannot be entered by {USER}: set TMPDIR to a directory that everybody can enter",
                    above.display()
                ),
            ));
        }
    }
    Ok(())
}
