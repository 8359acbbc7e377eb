//! Small libraries in C, built for one test and loaded into httpd before its own ones.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A library, for as long as this lives.
pub struct Preload {
    // Deleted with the library in it.
    _directory: TempDir,
    library: PathBuf,
}

impl Preload {
    /// Builds one of the files in `c/`.
    ///
    /// # Panics
    ///
    /// If that is not possible; the message says what is missing.
    pub fn build(source: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        // The dynamic loader looks for the library in children too, which run as another user.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("permissions");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("c").join(source);
        let library = directory.path().join("preload.so");
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"])
            .args([&library, &source])
            .status()
            .expect("cc cannot be run: apt-get install gcc libc6-dev");
        assert!(status.success(), "cc failed on {}", source.display());
        Self { _directory: directory, library }
    }

    /// Where it is.
    pub fn library(&self) -> &Path {
        &self.library
    }
}
