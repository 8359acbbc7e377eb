//! Finds the shared library of modpython-core and reads from the file, without loading it, what it is for.

use std::path::{Component, Path, PathBuf};

use crate::elf::{ElfFile, Machine, Unreadable};
use crate::failure::Failure;
use crate::files::Original;
use crate::generation::{self, Generation};
use crate::stamp::key_values;
use crate::text::Shown;

/// Where `make install` puts the library, unless told otherwise when this command was built.
const LIBDIR: &str = match option_env!("MODPYTHON_CORE_LIBDIR") {
    Some(directory) => directory,
    None => "/usr/local/lib",
};

/// The library's data symbol with its `key=value` lines. A module that the static library is linked into has it too.
pub const BUILD_INFO: &str = "modpython_core_build_info";

/// The library, as its file tells of it.
#[derive(Debug)]
pub struct Library {
    pub path: PathBuf,
    pub machine: Machine,
    pub soname: String,
    /// Its own version, and the name of the libpython it is for.
    pub version: String,
    pub libpython: String,
    exports: Vec<String>,
}

impl Library {
    /// Does it export this replacement?
    pub fn exports(&self, name: &str) -> bool {
        self.exports.iter().any(|export| export == name)
    }

    /// Whether it has replacements for this generation at all.
    pub fn serves(&self, generation: Generation) -> bool {
        generation::replacements_of(generation).values().any(|symbol| self.exports(symbol))
    }

    /// Read a library.
    pub fn read(path: &Path) -> Result<Library, Failure> {
        let refuse = |reason: &str| Failure::Library(format!("{}: {reason}", path.shown()));
        let original = Original::read(path).map_err(|error| {
            refuse(&format!("the library cannot be read ({error}): install modpython-core, or give --library"))
        })?;
        let data = original.content;
        let facts = ElfFile::read(&data).map_err(|error| match error {
            Unreadable::NotElf => refuse("not a shared library: give the libmodpython-core file to --library"),
            Unreadable::Damaged(detail) => {
                refuse(&format!("the library is damaged ({detail}): install modpython-core again"))
            }
        })?;
        let info = build_info(&facts, &data)
            .ok_or_else(|| refuse("not the library of modpython-core: it has no build information"))?;
        let pairs = key_values(&info);
        let get = |key: &str| {
            let value = pairs.get(key).cloned();
            value.ok_or_else(|| refuse(&format!("the library's build information has no {key}: install it again")))
        };
        Ok(Library {
            machine: facts.machine,
            soname: facts.soname.clone().ok_or_else(|| refuse("the library has no SONAME: install it again"))?,
            version: get("version")?,
            libpython: get("libpython")?,
            exports: facts.exports.into_iter().map(|export| export.name).collect(),
            path: without_dots(path).map_err(|error| refuse(&error.to_string()))?,
        })
    }

    /// The directory a relinked module is told to look in.
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }
}

/// The absolute path. It becomes the RUNPATH, so a directory given by way of `..` is resolved; any other keeps the name
/// it was given, because a link such as `/opt/current` is there to be followed anew each time.
fn without_dots(path: &Path) -> std::io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    match (absolute.parent(), absolute.file_name()) {
        (Some(directory), Some(name)) if absolute.components().any(|part| part == Component::ParentDir) => {
            Ok(std::fs::canonicalize(directory)?.join(name))
        }
        _ => Ok(absolute),
    }
}

/// The text behind the symbol: its address is in a loaded segment, and the segment in the file.
pub fn build_info(facts: &ElfFile<'_>, data: &[u8]) -> Option<String> {
    let symbol = facts.exports.iter().find(|export| export.name == BUILD_INFO)?;
    let load = facts
        .loads
        .iter()
        .find(|load| symbol.address >= load.address && symbol.address - load.address < load.file_size)?;
    let start = load.offset + (symbol.address - load.address);
    let bytes = data.get(start as usize..(load.offset + load.file_size) as usize)?;
    let text = bytes.split(|byte| *byte == 0).next()?;
    String::from_utf8(text.to_vec()).ok()
}

/// The Python of a NEEDED entry: `libpython3.11.so.1.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Libpython {
    pub name: String,
    /// `3.11`
    pub minor: String,
    /// The letters of the ABI behind the minor: `m`, `d`, `t`, mostly none.
    flags: String,
}

impl Libpython {
    /// The libpython among a module's NEEDED entries. `libpython3.so` is the stable ABI's and not meant.
    pub fn among(needed: &[String]) -> Option<Libpython> {
        needed.iter().find_map(|name| {
            let (stem, _) = name.strip_prefix("libpython")?.split_once(".so")?;
            let minor: String = stem.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
            let flags = stem[minor.len()..].to_owned();
            minor.contains('.').then(|| Libpython { name: name.clone(), minor, flags })
        })
    }

    /// Is it a build without the GIL?
    pub fn is_free_threaded(&self) -> bool {
        self.flags.contains('t')
    }

    /// The file name, and SONAME, of our library for it.
    pub fn library_name(&self) -> String {
        format!("libmodpython-core-py{}.so.0", self.minor)
    }
}

/// Find the library for a module's Python: where `--library` says, beside this executable, or where it is installed.
pub fn find(given: Option<&Path>, python: &Libpython, module: &Path) -> Result<Library, Failure> {
    let wanted = python.library_name();
    if let Some(path) = given {
        return Library::read(&if path.is_dir() { path.join(&wanted) } else { path.to_owned() });
    }
    let directories = directories();
    let hit = directories.iter().map(|directory| directory.join(&wanted)).find(|path| path.exists());
    if let Some(path) = hit {
        return Library::read(&path);
    }
    // A library for another Python says what is wrong better than "not found" does.
    let other = directories.iter().find_map(|directory| any_library(directory));
    Err(match other {
        Some(path) => {
            let library = Library::read(&path)?;
            Failure::Libpython { path: module.to_owned(), module: python.name.clone(), library: library.libpython }
        }
        None => {
            let places: Vec<String> = directories.iter().map(|path| path.shown().to_string()).collect();
            Failure::Library(format!(
                "{wanted} is not in {}: install modpython-core for {}, or give --library",
                places.join(" or "),
                python.name
            ))
        }
    })
}

fn directories() -> Vec<PathBuf> {
    let mut directories = Vec::new();
    if let Some(prefix) = std::env::current_exe().ok().as_deref().and_then(Path::parent).and_then(Path::parent) {
        let lib = prefix.join("lib");
        let multiarch = std::fs::read_dir(&lib).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut multiarch: Vec<PathBuf> =
            multiarch.filter(|path| path.to_string_lossy().ends_with("-linux-gnu")).collect();
        multiarch.sort();
        directories.push(lib);
        directories.append(&mut multiarch);
        directories.push(prefix.join("lib64"));
    }
    directories.push(PathBuf::from(LIBDIR));
    directories
}

fn any_library(directory: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path());
    let mut libraries: Vec<PathBuf> = entries
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("libmodpython-core-py") && name.ends_with(".so.0")
        })
        .collect();
    libraries.sort();
    libraries.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(name: &str) -> Option<Libpython> {
        Libpython::among(&["libc.so.6".into(), name.into()])
    }

    #[test]
    fn the_libpython_of_a_module_is_told_from_its_needed_entries() {
        let ordinary = python("libpython3.11.so.1.0").unwrap();
        assert_eq!(ordinary.library_name(), "libmodpython-core-py3.11.so.0");
        assert!(!ordinary.is_free_threaded());
        assert_eq!(python("libpython2.7.so.1.0").unwrap().minor, "2.7");
        assert_eq!(python("libpython3.6m.so.1.0").unwrap().library_name(), "libmodpython-core-py3.6.so.0");
        assert!(python("libpython3.13t.so.1.0").unwrap().is_free_threaded());
        assert_eq!(python("libpython3.so"), None);
        assert_eq!(python("libpythonic.so.2"), None);
    }
}
