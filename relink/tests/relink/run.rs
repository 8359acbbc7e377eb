//! Runs the command, and other programs, for the tests.

use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use tempfile::TempDir;

use crate::craft::{self, DEBIANS_LIBPYTHON, DEBIANS_LIBRARY, LIBPYTHON, LIBRARY, Recipe};

/// Debian's module, the real input. It must be there: the tests on it are the point of the others.
pub const STOCK: &str = "/usr/lib/apache2/modules/mod_python.so";

/// The path of Debian's module, or a failure that names the package. On a machine whose module is relinked in place,
/// the stock file is beside it.
pub fn stock() -> &'static Path {
    let kept = Path::new(concat!("/usr/lib/apache2/modules/mod_python.so", ".modpython-core-stock"));
    let path = if kept.exists() { kept } else { Path::new(STOCK) };
    assert!(path.exists(), "{STOCK} is missing: apt-get install libapache2-mod-python");
    path
}

/// How the command ended.
pub struct Ran {
    pub exit: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The one JSON object on standard output.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    pub fn assert_exit(&self, exit: i32) -> &Ran {
        assert_eq!(self.exit, Some(exit), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            exit: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Where cargo built the command.
pub fn command() -> &'static str {
    env!("CARGO_BIN_EXE_modpython-relink")
}

/// The files each workspace begins with, made once: the compiler would take most of these tests' time.
fn template() -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut recipe = DefaultHasher::new();
    (include_str!("craft.rs"), craft::SYMBOLS).hash(&mut recipe);
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let finished = tmp.join(format!("template-{:x}", recipe.finish()));
    if !finished.exists() {
        let making = tempfile::tempdir_in(tmp).unwrap().keep();
        fs::set_permissions(&making, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(making.join("lib")).unwrap();
        craft::library(&making.join("lib").join(LIBRARY), LIBPYTHON, &craft::replacements(), &[]);
        craft::module(&making.join("mod_python.so"), &Recipe::generation_35());
        // Another process may have been faster; either is as good.
        if fs::rename(&making, &finished).is_err() {
            fs::remove_dir_all(&making).unwrap();
        }
    }
    finished
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A directory with a library like ours in `lib/` and a crafted stock module of generation 3.5.
pub struct Workspace {
    dir: TempDir,
}

impl Workspace {
    pub fn new() -> Workspace {
        Workspace::within(&std::env::temp_dir())
    }

    pub fn within(parent: &Path) -> Workspace {
        let workspace = Workspace { dir: tempfile::tempdir_in(parent).unwrap() };
        // tempdir makes it 0700, and some tests run the command as somebody else.
        fs::set_permissions(workspace.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        copy_folder(&template(), workspace.dir.path());
        workspace
    }

    /// With a library like ours for Debian's module as well.
    pub fn for_debian() -> Workspace {
        let workspace = Workspace::new();
        let library = workspace.path("lib").join(DEBIANS_LIBRARY);
        craft::library(&library, DEBIANS_LIBPYTHON, &craft::replacements(), &[]);
        workspace
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    pub fn craft(&self, name: &str, recipe: &Recipe) -> PathBuf {
        craft::module(&self.path(name), recipe);
        self.path(name)
    }

    /// Run the command in this directory as it is.
    pub fn run_bare<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Ran {
        Command::new(command()).args(arguments).current_dir(self.dir.path()).output().unwrap().into()
    }

    /// Run the command in this directory, with our library found in `lib/` unless told otherwise.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let mut all = match arguments.contains(&"--library") {
            true => vec![],
            false => vec!["--library", "lib"],
        };
        all.extend(arguments);
        self.run_bare(&all)
    }

    /// The names in the directory, the compiler's leftovers aside.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with(".c") && name != "stub" && name != "lib")
            .collect();
        names.sort();
        names
    }
}

/// A program's standard output; it must succeed and say nothing on standard error.
pub fn quiet_output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).env("LC_ALL", "C").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && stderr.is_empty(), "{program} {arguments:?}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Are these tests run by root, whom no mode bits stop?
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    tempfile::tempfile().unwrap().metadata().unwrap().uid() == 0
}
