//! The sites' files and databases, and a server's configuration for them.

use std::fs::{self, File, Permissions};
use std::io::{Error, Result};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use tempfile::TempDir;

use crate::config::{Module, Mpm};
use crate::setup::Setup;
use crate::{prerequisites, site};

/// The distribution's Python, for which its packages are.
const PYTHON: &str = "/usr/bin/python3";
/// Python files that are loaded again when they are touched.
const RELOADED: [&str; 6] =
    ["flask_site.py", "django_site.py", "bottle_site.py", "cherrypy_site.py", "falcon_site.py", "nested_site.py"];
/// Pages below the document root, which are loaded again too.
const PAGES: [(&str, &str); 2] =
    [("pages/pages.py", include_str!("../../apps/pages.py")), ("psp/page.psp", include_str!("../../apps/page.psp"))];
/// Sites that mod_python.wsgi serves, each below its name.
const WSGI: [&str; 5] = ["flask", "django", "bottle", "cherrypy", "falcon"];
/// Functions of `nested_site`, each below its name in two interpreters, with more directives.
const NESTED: [(&str, &str); 6] = [
    ("plain", ""),
    ("sets", ""),
    ("inner", ""),
    ("redirects", ""),
    ("includes", "Options +Includes\nSetOutputFilter INCLUDES"),
    ("filtered", "SetOutputFilter WATCH"),
];

/// In which kind of interpreter the sites run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One of their own.
    Named,
    /// Python's own first one.
    Main,
}

impl Kind {
    /// The name of the interpreter.
    pub fn interpreter(self) -> &'static str {
        match self {
            Self::Named => "site",
            Self::Main => "main_interpreter",
        }
    }
}

/// Files and databases, for as long as this lives.
pub struct Ground {
    directory: TempDir,
}

impl Ground {
    /// Lays out everything.
    ///
    /// # Errors
    ///
    /// If an application is missing; the message says which Python package could not be imported.
    pub fn new() -> Result<Self> {
        let ground = Self { directory: tempfile::Builder::new().prefix("modpython-bed-").tempdir()? };
        fs::set_permissions(ground.directory.path(), Permissions::from_mode(0o755))?;
        if prerequisites::is_root() {
            prerequisites::enterable_by_all(ground.directory.path())?;
        }
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("apps"), &ground.apps())?;
        for name in ["data", "notes"] {
            let path = ground.directory.path().join(name);
            fs::create_dir(&path)?;
        }
        let seeded = Command::new(PYTHON)
            .args(["-B", "seed.py"])
            .arg(ground.data())
            .current_dir(ground.apps())
            .env_remove("PYTHONHOME")
            .env_remove("PYTHONPATH")
            .output()?;
        if !seeded.status.success() {
            let errors = String::from_utf8_lossy(&seeded.stderr);
            return Err(Error::other(format!("seed.py (`make prerequisites-check` installs packages): {errors}")));
        }
        open_to_all(&ground.data())?;
        open_to_all(&ground.notes())?;
        Ok(ground)
    }

    fn apps(&self) -> PathBuf {
        self.directory.path().join("apps")
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn notes(&self) -> PathBuf {
        self.directory.path().join("notes")
    }

    /// A server for all sites.
    pub fn setup(&self, module: Module, mpm: Mpm, workers: u32, kind: Kind) -> Setup {
        let mut directives = format!("PythonAutoReload On\nPythonInterpreter {}\n", kind.interpreter());
        for name in WSGI {
            directives.push_str(&site::handler_in(
                &format!("/{name}"),
                "mod_python.wsgi",
                &format!(
                    "PythonOption mod_python.wsgi.application {name}_site::application\n\
                     PythonOption mod_python.wsgi.base_uri /{name}"
                ),
            ));
        }
        directives.push_str("PythonOutputFilter nested_site::watch WATCH\n");
        for (place, interpreter) in [("nested", kind.interpreter()), ("other", "other")] {
            for (function, more) in NESTED {
                let more = format!("PythonInterpreter {interpreter}\n{more}");
                directives.push_str(&site::handler_in(
                    &format!("/{place}/{function}"),
                    &format!("nested_site::{function}"),
                    &more,
                ));
            }
        }
        for (directory, handler) in [("pages", "mod_python.publisher"), ("psp", "mod_python.psp")] {
            directives.push_str(&format!(
                "<Directory \"${{HTDOCS}}/{directory}\">\nSetHandler mod_python\nPythonHandler {handler}\n</Directory>\n"
            ));
        }
        let setup = Setup::new(module).mpm(mpm, workers).bare();
        PAGES
            .iter()
            .fold(setup, |setup, (path, text)| setup.file(path, text))
            .load("include")
            .environment("PYTHONPATH", &self.apps().display().to_string())
            // Stock answers every WSGI request with status 200, and what stock answers is the measure here.
            .environment("MODPYTHON_CORE_DISABLE", "wsgi-status")
            .environment("BED_DATA", &self.data().display().to_string())
            .environment("BED_NOTES", &self.notes().display().to_string())
            .directives(&directives)
    }

    /// Touches every file that is loaded again for that.
    pub fn touch(&self, htdocs: &Path) -> Result<()> {
        let files = RELOADED.iter().map(|name| self.apps().join(name));
        for path in files.chain(PAGES.iter().map(|(path, _)| htdocs.join(path))) {
            File::options().append(true).open(path)?.set_modified(SystemTime::now())?;
        }
        Ok(())
    }

    /// The notes of handlers around nested requests: how often all was as it had been, and each time it was not.
    pub fn take_notes(&self) -> Result<(u64, Vec<String>)> {
        let take = |name: &str| {
            let path = self.notes().join(name);
            // The file is absent if no handler has noted anything.
            let text = fs::read_to_string(&path).unwrap_or_default();
            let _ = fs::remove_file(path);
            text
        };
        let same = u64::try_from(take("same").len()).map_err(Error::other)?;
        Ok((same, take("changed").lines().map(str::to_owned).collect()))
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if !entry.file_type()?.is_dir() {
            fs::copy(entry.path(), target)?;
        } else if entry.file_name() != "__pycache__" {
            copy(&entry.path(), &target)?;
        }
    }
    Ok(())
}

/// httpd's children run as another user, and sqlite keeps files beside its own.
fn open_to_all(directory: &Path) -> Result<()> {
    fs::set_permissions(directory, Permissions::from_mode(0o777))?;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_file() {
            fs::set_permissions(path, Permissions::from_mode(0o666))?;
        }
    }
    Ok(())
}
