//! The mod_python under test: the distribution's, or our own look-alike.

use std::env;
use std::fmt;
use std::fs;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::config::Module;
use crate::prerequisites::{self, require};

/// Names the directory of a look-alike, as `tests/live/build-lookalike.sh` makes it. Unset, the distribution's module
/// is tested.
pub const LOOKALIKE_VARIABLE: &str = "MODPYTHON_LIVE_LOOKALIKE";

/// How the relinked module of a look-alike was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From its source, with the include lines.
    Source,
    /// From its objects alone, by the linker's `--wrap`.
    Objects,
    /// By `modpython-relink` out of the finished module.
    Finished,
}

/// One look-alike.
#[derive(Clone, Debug)]
pub struct Lookalike {
    directory: PathBuf,
    way: Way,
    python: String,
    shape: String,
}

/// The mod_python that the tests run on.
#[derive(Clone, Debug)]
pub enum Subject {
    /// Debian's libapache2-mod-python and its relinked copy.
    Distribution,
    /// Our look-alike, stock and relinked.
    Lookalike(Lookalike),
}

/// The subject of this process.
///
/// # Panics
///
/// If the variable names something that is no look-alike: every test would fail for that reason.
pub fn subject() -> &'static Subject {
    static SUBJECT: OnceLock<Subject> = OnceLock::new();
    SUBJECT.get_or_init(|| match env::var_os(LOOKALIKE_VARIABLE) {
        None => Subject::Distribution,
        Some(directory) => Subject::Lookalike(
            Lookalike::open(Path::new(&directory)).unwrap_or_else(|error| panic!("{LOOKALIKE_VARIABLE}: {error}")),
        ),
    })
}

impl Lookalike {
    fn open(directory: &Path) -> Result<Self> {
        // httpd resolves a relative path against its own ServerRoot.
        let directory = directory.canonicalize().map_err(|error| {
            Error::new(error.kind(), format!("{}: {error}; run `make check-lookalike`", directory.display()))
        })?;
        let word = |name: &str| Ok::<_, Error>(fs::read_to_string(directory.join(name))?.trim().to_owned());
        let way = match word("way")?.as_str() {
            "source" => Way::Source,
            "objects" => Way::Objects,
            "finished" => Way::Finished,
            other => return Err(Error::other(format!("{} was made in an unknown way, {other}", directory.display()))),
        };
        Ok(Self { way, python: word("python")?, shape: word("shape")?, directory })
    }

    fn module(&self, module: Module) -> Result<PathBuf> {
        let name = match module {
            Module::Stock => "stock.so",
            Module::Relinked => "relinked.so",
        };
        require(self.directory.join(name), "run `make check-lookalike`")
    }
}

impl Subject {
    /// Where the module is.
    pub fn module(&self, module: Module) -> Result<PathBuf> {
        match (self, module) {
            (Self::Lookalike(lookalike), module) => lookalike.module(module),
            (Self::Distribution, Module::Stock) => prerequisites::stock(),
            (Self::Distribution, Module::Relinked) => prerequisites::relinked(),
        }
    }

    /// The directory of the package mod_python that belongs to the module; the distribution's is where Python looks.
    pub fn package(&self, module: Module) -> Option<PathBuf> {
        let Self::Lookalike(lookalike) = self else {
            return None;
        };
        Some(lookalike.directory.join(if module == Module::Stock {
            "lib/mod_python"
        } else {
            "lib-relinked/mod_python"
        }))
    }

    /// The prefix of a Python that is not the system's.
    pub fn python_home(&self) -> Option<PathBuf> {
        let Self::Lookalike(lookalike) = self else {
            return None;
        };
        lookalike.directory.join("home").canonicalize().ok()
    }

    /// Whether this is our own look-alike.
    pub fn is_lookalike(&self) -> bool {
        matches!(self, Self::Lookalike(_))
    }

    /// How the look-alike was relinked; none for the distribution's module.
    pub fn way(&self) -> Option<Way> {
        match self {
            Self::Distribution => None,
            Self::Lookalike(lookalike) => Some(lookalike.way),
        }
    }

    /// How often a race is given its chance, where `full` times are usual. A look-alike relinked by its objects or as a
    /// finished module has the same library as one relinked by its source, where all of them are taken.
    pub fn times(&self, full: u32) -> u32 {
        match self.way() {
            None | Some(Way::Source) => full,
            Some(Way::Objects | Way::Finished) => full / 4,
        }
    }

    /// The generation, as the line at child start names it.
    pub fn generation(&self) -> &str {
        match self.shape() {
            // They have one interpreter path.
            "3.2.8" | "3.2.10" => "3.2",
            "3.4" => "3.3",
            shape => shape,
        }
    }

    /// The generation whose shape the module has: "3.2.8" and "3.4" among them.
    pub fn shape(&self) -> &str {
        match self {
            Self::Distribution => "3.5",
            Self::Lookalike(lookalike) => &lookalike.shape,
        }
    }

    /// The version of Python: "2.7".
    pub fn python(&self) -> &str {
        match self {
            // Debian 12's.
            Self::Distribution => "3.11",
            Self::Lookalike(lookalike) => &lookalike.python,
        }
    }

    /// Whether the Python is a 2.
    pub fn is_python2(&self) -> bool {
        self.python().starts_with("2.")
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Distribution => f.write_str("the distribution's mod_python"),
            Self::Lookalike(lookalike) => write!(
                f,
                "the look-alike in the shape of {} for Python {}, relinked by its {:?}",
                lookalike.shape, lookalike.python, lookalike.way
            ),
        }
    }
}
