//! Why the command stopped: one sentence for a person, one stable word for a script, one number for a shell.

use std::path::{Path, PathBuf};

/// One way a run can end, as the help, the man page and `--json` name it.
pub struct Ending {
    /// The process's exit code.
    pub exit: u8,
    /// The stable word: `state` of `--check`, `error` of everything else.
    pub word: &'static str,
    /// What it means, for `--help`.
    pub meaning: &'static str,
}

/// Every exit code of the command. The help is printed from this list, and tests compare the man page with it.
pub const ENDINGS: &[Ending] = &[
    ending(0, "ok", "done; with --check: relinked and current"),
    ending(2, "usage", "the command line is wrong"),
    ending(10, "stock", "--check: the module is stock"),
    ending(11, "stale", "--check: relinked, but its source has been upgraded since"),
    ending(12, "broken", "--check: relinked, but its library is missing or does not fit"),
    ending(20, "unreadable", "the module is not found or cannot be read"),
    ending(21, "not-elf", "the file is not ELF"),
    ending(22, "damaged", "the file is truncated or damaged"),
    ending(23, "architecture", "the module is for another architecture than the library"),
    ending(24, "not-mod-python", "the file is not mod_python"),
    ending(25, "generation", "this generation of mod_python is not supported"),
    ending(26, "libpython", "the module uses another libpython than the library"),
    ending(27, "free-threaded", "the module uses a free-threaded Python"),
    ending(28, "already-relinked", "the module has been relinked already"),
    ending(29, "layout", "the file is laid out in a way that cannot be rewritten"),
    ending(30, "library", "the library of modpython-core is not found or does not fit"),
    ending(31, "unwritable", "the target cannot be written; nothing was changed"),
    ending(32, "restore", "--restore: there is nothing that can be put back"),
    ending(40, "not-a-tree", "patch: the folder is no source tree of mod_python"),
    ending(41, "anchor", "patch: a place in the tree is missing or doubled; nothing was changed"),
    ending(42, "already-patched", "patch: the tree has been patched already, wholly or partly"),
    ending(43, "not-patched", "patch --reverse: the tree is not patched"),
];

const fn ending(exit: u8, word: &'static str, meaning: &'static str) -> Ending {
    Ending { exit, word, meaning }
}

/// Why the command refused or failed. `Display` is the sentence an administrator reads, and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(
        "no mod_python.so in the usual places ({places}): install your distribution's mod_python, or name the file"
    )]
    NoModule { places: String },
    #[error("{}: cannot be read ({reason}): check the path, and run as a user who may read it", .path.display())]
    Unreadable { path: PathBuf, reason: String },
    #[error("{}: not an ELF file: name the shared object mod_python.so, not a script, an archive or a package", .path.display())]
    NotElf { path: PathBuf },
    #[error("{}: truncated or damaged ({detail}): reinstall it from its package", .path.display())]
    Damaged { path: PathBuf, detail: String },
    #[error("{}: built for {module}, but {} is for {library}: install the modpython-core of that architecture", .path.display(), .library_path.display())]
    Architecture { path: PathBuf, module: String, library: String, library_path: PathBuf },
    #[error("{}: not mod_python ({detail}): name the file that LoadModule python_module loads", .path.display())]
    NotModPython { path: PathBuf, detail: &'static str },
    #[error("{}: mod_python {generation} is not supported here, only {supported}: use the source build or the patch set, or a newer modpython-core", .path.display())]
    Generation { path: PathBuf, generation: String, supported: String },
    #[error("{}: needs {module}, but the library is for {library}: install the modpython-core built for that Python", .path.display())]
    Libpython { path: PathBuf, module: String, library: String },
    #[error("{}: needs no shared libpython, so its Python cannot be reached from outside: use a mod_python linked against a shared libpython", .path.display())]
    StaticPython { path: PathBuf },
    #[error("{}: needs the free-threaded {libpython}, which modpython-core does not support: use a mod_python built for the ordinary Python", .path.display())]
    FreeThreaded { path: PathBuf, libpython: String },
    #[error("{}: already relinked by modpython-core {version}: give the stock file, or take this one back with --restore first", .path.display())]
    AlreadyRelinked { path: PathBuf, version: String },
    #[error("{}: cannot be rewritten safely ({detail}): nothing was written; please report this build of mod_python", .path.display())]
    Layout { path: PathBuf, detail: String },
    #[error("{0}")]
    Library(String),
    #[error("{}: cannot be written ({reason}): nothing was changed", .path.display())]
    Unwritable { path: PathBuf, reason: String },
    #[error("{}: {reason}", .path.display())]
    Restore { path: PathBuf, reason: String },
    #[error("{}: no source tree of mod_python ({detail}): name the folder that has src/ and lib/python/ in it", .path.display())]
    NotATree { path: PathBuf, detail: String },
    #[error("{}: mod_python {generation} is not supported, only 3.1, 3.2, 3.3 and 3.5", .path.display())]
    TreeGeneration { path: PathBuf, generation: String },
    #[error("{}: {detail}; nothing was changed: the manual page says which lines belong where, to add them by hand", .path.display())]
    Anchor { path: PathBuf, detail: String },
    #[error("{}: patched already ({files}): take that back with `modpython-relink patch --reverse`, if it is to be patched anew", .path.display())]
    AlreadyPatched { path: PathBuf, files: String },
    #[error("{}: not patched: there is nothing to take back", .path.display())]
    NotPatched { path: PathBuf },
}

impl Failure {
    /// The stable word of this failure, one of [`ENDINGS`].
    pub fn word(&self) -> &'static str {
        match self {
            Failure::NoModule { .. } | Failure::Unreadable { .. } => "unreadable",
            Failure::NotElf { .. } => "not-elf",
            Failure::Damaged { .. } => "damaged",
            Failure::Architecture { .. } => "architecture",
            Failure::NotModPython { .. } => "not-mod-python",
            Failure::Generation { .. } => "generation",
            Failure::Libpython { .. } | Failure::StaticPython { .. } => "libpython",
            Failure::FreeThreaded { .. } => "free-threaded",
            Failure::AlreadyRelinked { .. } => "already-relinked",
            Failure::Layout { .. } => "layout",
            Failure::Library(_) => "library",
            Failure::Unwritable { .. } => "unwritable",
            Failure::Restore { .. } => "restore",
            Failure::NotATree { .. } => "not-a-tree",
            Failure::TreeGeneration { .. } => "generation",
            Failure::Anchor { .. } => "anchor",
            Failure::AlreadyPatched { .. } => "already-patched",
            Failure::NotPatched { .. } => "not-patched",
        }
    }

    /// The exit code of this failure.
    pub fn exit(&self) -> u8 {
        exit_of(self.word())
    }

    /// A target that could not be written, with the system's reason.
    pub fn unwritable(path: &Path, reason: impl ToString) -> Failure {
        Failure::Unwritable { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// The exit code of a stable word. The word is always one of the list's: a unit test holds that for every failure.
pub fn exit_of(word: &str) -> u8 {
    ENDINGS.iter().find(|ending| ending.word == word).map_or(2, |ending| ending.exit)
}
