//! A module file in memory, and the refusals every action shares.

use std::path::{Path, PathBuf};

use crate::elf::{ElfFile, Unreadable};
use crate::failure::Failure;
use crate::files::{self, Original};
use crate::generation;
use crate::library::BUILD_INFO;
use crate::stamp::sha256;

/// A file as it was read.
#[derive(Debug)]
pub struct Module {
    /// As it was named, for messages.
    pub path: PathBuf,
    /// The file behind it, still open.
    pub original: Original,
}

impl Module {
    /// Read a file whole.
    pub fn read(path: &Path) -> Result<Module, Failure> {
        Module::of(path.to_owned(), Original::read(path))
    }

    /// Read the stock file that `--in-place` keeps beside this one, if there is something of its name. It is no link.
    pub fn kept_beside(&self) -> Result<Option<Module>, Failure> {
        let entry = self.original.entry.beside(files::backup_name(&self.original.entry.name));
        let refuse = |reason: String| Failure::Unreadable { path: entry.path(), reason };
        match entry.metadata().map_err(|error| refuse(error.to_string()))? {
            None => Ok(None),
            Some(_) => Module::of(entry.path(), Original::read_entry(entry.clone())).map(Some),
        }
    }

    /// Whether it is a module that has not been relinked.
    pub fn is_stock(&self) -> bool {
        self.facts().is_ok_and(|facts| relinked_by(&facts).is_none())
    }

    fn of(path: PathBuf, original: std::io::Result<Original>) -> Result<Module, Failure> {
        match original {
            Ok(original) => Ok(Module { path, original }),
            Err(error) => Err(Failure::Unreadable { path, reason: error.to_string() }),
        }
    }

    /// Where the file is: a path without links.
    pub fn real_path(&self) -> PathBuf {
        self.original.entry.path()
    }

    pub fn bytes(&self) -> &[u8] {
        &self.original.content
    }

    /// The facts of the file, which must be mod_python, stock or relinked.
    pub fn facts(&self) -> Result<ElfFile<'_>, Failure> {
        let path = || self.path.clone();
        let facts = ElfFile::read(self.bytes()).map_err(|error| match error {
            Unreadable::NotElf => Failure::NotElf { path: path() },
            Unreadable::Damaged(detail) => Failure::Damaged { path: path(), detail },
        })?;
        match generation::not_mod_python(&facts) {
            Some(detail) => Err(Failure::NotModPython { path: path(), detail }),
            None => Ok(facts),
        }
    }

    /// The SHA-256 of the file.
    pub fn sha256(&self) -> String {
        sha256(self.bytes())
    }
}

/// Has this module been relinked, and by which version of this command? The note says it; where a tool has removed the
/// note, the imports still show that it was.
pub fn relinked_by(facts: &ElfFile<'_>) -> Option<String> {
    match &facts.stamp {
        Some(stamp) => Some(stamp.version.clone()),
        None if facts.exports(BUILD_INFO) => Some("(its library is in the module)".into()),
        None if generation::of_relinked(facts).is_some() || our_library(facts).is_some() => {
            Some("of unknown version".into())
        }
        None => None,
    }
}

/// Our library among the NEEDED entries.
pub fn our_library<'facts>(facts: &'facts ElfFile<'_>) -> Option<&'facts str> {
    facts.needed.iter().map(String::as_str).find(|name| name.starts_with("libmodpython-core-py"))
}
