//! A source tree of mod_python: which release it says it is, and the files that get lines.

use std::path::{Path, PathBuf};

use super::anchors::Target;
use super::release_line::ReleaseLine;
use crate::failure::Failure;
use crate::files::Original;
use crate::text::absolute;

/// The headers that have a tree's version, and their macros' prefix.
const VERSIONS: [(&str, &str); 2] = [("src/include/mpversion.h", "MPV_"), ("src/include/mp_version.h", "MP_VERSION_")];

/// A tree as it was read.
#[derive(Debug)]
pub struct Tree {
    pub top: PathBuf,
    /// As its header has it: "3.1.3". Releases after 3.5.0 went on saying "3.5.0".
    pub version: String,
    pub release_line: ReleaseLine,
    /// The files that get lines, in the order of the patch.
    pub files: Vec<(Target, Vec<u8>)>,
    /// The same, still open.
    pub originals: Vec<Original>,
}

impl Tree {
    /// Reads a tree.
    pub fn read(top: &Path) -> Result<Tree, Failure> {
        let refuse = |detail: String| Failure::NotATree { path: top.to_owned(), detail };
        if !top.is_dir() {
            return Err(refuse("there is no such folder".to_owned()));
        }
        let version = version(top).ok_or_else(|| {
            let places = VERSIONS.map(|(path, _)| path).join(" or ");
            refuse(format!("no version in {places}"))
        })?;
        let release_line = ReleaseLine::of(&version)
            .ok_or_else(|| Failure::TreeGeneration { path: top.to_owned(), version: version.clone() })?;
        let read = |target: &Target| {
            let original = Original::read(&top.join(target.path()));
            original.map_err(|error| refuse(format!("{}: {error}", target.path())))
        };
        let targets = Target::of(release_line);
        let originals = targets.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let files =
            targets.iter().zip(&originals).map(|(target, original)| (*target, original.content.clone())).collect();
        Ok(Tree { top: absolute(top), version, release_line, files, originals })
    }

    /// The files that have lines of ours already.
    pub fn patched(&self) -> Vec<Target> {
        let has = |(target, content): &&(Target, Vec<u8>)| {
            content.windows(target.mark().len()).any(|window| window == target.mark())
        };
        self.files.iter().filter(has).map(|(target, _)| *target).collect()
    }
}

/// The version in one of the headers that have it.
fn version(top: &Path) -> Option<String> {
    VERSIONS.iter().find_map(|(path, prefix)| {
        // A release's header may have a name in Latin-1 in it.
        let text = String::from_utf8_lossy(&Original::read(&top.join(path)).ok()?.content).into_owned();
        let part = |name: &str| {
            text.lines().find_map(|line| {
                let mut words = line.split_whitespace();
                let found = words.next() == Some("#define") && words.next() == Some(&format!("{prefix}{name}"));
                let value = words.next().filter(|_| found)?;
                value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.to_owned())
            })
        };
        Some([part("MAJOR")?, part("MINOR")?, part("PATCH")?].join("."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_version_is_read_from_either_header() {
        let workspace = tempfile::tempdir().unwrap();
        fs::create_dir_all(workspace.path().join("src/include")).unwrap();
        assert_eq!(version(workspace.path()), None);
        let of = |prefix: &str| {
            format!("/* \u{e9} */\n#define {prefix}MAJOR 3\n#define {prefix}MINOR 2\n#define {prefix}PATCH 10 \n")
        };
        fs::write(workspace.path().join(VERSIONS[1].0), of("MP_VERSION_")).unwrap();
        assert_eq!(version(workspace.path()).as_deref(), Some("3.2.10"));
        fs::write(workspace.path().join(VERSIONS[0].0), of("MPV_").replace("2\n", "1\n")).unwrap();
        assert_eq!(version(workspace.path()).as_deref(), Some("3.1.10"));
    }
}
