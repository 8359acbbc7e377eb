//! Why the command stopped: one sentence for a person, one stable word for a script, one number for a shell.

use std::path::{Path, PathBuf};

use crate::exit_status::ExitStatus;
use crate::generation::Generation;
use crate::text::Shown;

/// Why the command refused or failed. `Display` is the sentence an administrator reads, and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(
        "no mod_python.so in the usual places ({places}): install your distribution's mod_python, or name the file"
    )]
    NoModule { places: String },
    #[error("{}: cannot be read ({reason}): check the path, and run as a user who may read it", .path.shown())]
    Unreadable { path: PathBuf, reason: String },
    #[error("{}: not an ELF file: name the shared object mod_python.so, not a script, an archive or a package", .path.shown())]
    NotElf { path: PathBuf },
    #[error("{}: truncated or damaged ({detail}): reinstall it from its package", .path.shown())]
    Damaged { path: PathBuf, detail: String },
    #[error("{}: built for {module}, but {} is for {library}: install the modpython-core of that architecture", .path.shown(), .library_path.shown())]
    Architecture { path: PathBuf, module: String, library: String, library_path: PathBuf },
    #[error("{}: not mod_python ({detail}): name the file that LoadModule python_module loads", .path.shown())]
    NotModPython { path: PathBuf, detail: &'static str },
    #[error("{}: mod_python {found} is not supported here, only {}: use the source build or the patch set, or a newer modpython-core", .path.shown(), list(.supported))]
    Generation { path: PathBuf, found: String, supported: Vec<Generation> },
    #[error("{}: needs {module}, but the library is for {library}: install the modpython-core built for that Python", .path.shown())]
    Libpython { path: PathBuf, module: String, library: String },
    #[error("{}: needs no shared libpython, so its Python cannot be reached from outside: use a mod_python linked against a shared libpython", .path.shown())]
    StaticPython { path: PathBuf },
    #[error("{}: needs the free-threaded {libpython}, which modpython-core does not support: use a mod_python built for the ordinary Python", .path.shown())]
    FreeThreaded { path: PathBuf, libpython: String },
    #[error("{}: already relinked by modpython-core {version}, and no stock file is beside it: give the stock file, or install mod_python again", .path.shown())]
    AlreadyRelinked { path: PathBuf, version: String },
    #[error("{}: cannot be rewritten safely ({detail}): nothing was written; please report this build of mod_python", .path.shown())]
    Layout { path: PathBuf, detail: String },
    #[error("{0}")]
    Library(String),
    #[error("{}: cannot be written ({reason}): nothing was changed", .path.shown())]
    Unwritable { path: PathBuf, reason: String },
    #[error("{}: everybody may write to it, and could so decide what Apache runs as root: nothing was changed; remove that right (chmod o-w), or use another folder", .path.shown())]
    Exposed { path: PathBuf },
    #[error("{}: {reason}", .path.shown())]
    Restore { path: PathBuf, reason: String },
    #[error("{}: not a source tree of mod_python ({detail}): name the folder that has src/ and lib/python/ in it", .path.shown())]
    NotATree { path: PathBuf, detail: String },
    #[error("{}: mod_python {version} is not supported, only 3.1, 3.2, 3.3 and 3.5", .path.shown())]
    TreeGeneration { path: PathBuf, version: String },
    #[error("{}: {detail}; nothing was changed: the manual page says which lines belong where, to add them by hand", .path.shown())]
    Anchor { path: PathBuf, detail: String },
    #[error("{}: patched already ({files}): to patch it anew, run `modpython-relink patch --reverse` first", .path.shown())]
    AlreadyPatched { path: PathBuf, files: String },
    #[error("{}: not patched: there is nothing to take back", .path.shown())]
    NotPatched { path: PathBuf },
}

impl Failure {
    /// How the run ends.
    pub fn status(&self) -> ExitStatus {
        match self {
            Failure::NoModule { .. } | Failure::Unreadable { .. } => ExitStatus::Unreadable,
            Failure::NotElf { .. } => ExitStatus::NotElf,
            Failure::Damaged { .. } => ExitStatus::Damaged,
            Failure::Architecture { .. } => ExitStatus::Architecture,
            Failure::NotModPython { .. } => ExitStatus::NotModPython,
            Failure::Generation { .. } => ExitStatus::Generation,
            Failure::Libpython { .. } | Failure::StaticPython { .. } => ExitStatus::Libpython,
            Failure::FreeThreaded { .. } => ExitStatus::FreeThreaded,
            Failure::AlreadyRelinked { .. } => ExitStatus::AlreadyRelinked,
            Failure::Layout { .. } => ExitStatus::Layout,
            Failure::Library(_) => ExitStatus::Library,
            Failure::Unwritable { .. } => ExitStatus::Unwritable,
            Failure::Exposed { .. } => ExitStatus::Exposed,
            Failure::Restore { .. } => ExitStatus::Restore,
            Failure::NotATree { .. } => ExitStatus::NotATree,
            Failure::TreeGeneration { .. } => ExitStatus::Generation,
            Failure::Anchor { .. } => ExitStatus::Anchor,
            Failure::AlreadyPatched { .. } => ExitStatus::AlreadyPatched,
            Failure::NotPatched { .. } => ExitStatus::NotPatched,
        }
    }

    /// A target that could not be written, with the system's reason.
    pub fn unwritable(path: &Path, reason: impl ToString) -> Failure {
        Failure::Unwritable { path: path.to_owned(), reason: reason.to_string() }
    }
}

fn list(generations: &[Generation]) -> String {
    generations.iter().map(Generation::to_string).collect::<Vec<_>>().join(", ")
}
