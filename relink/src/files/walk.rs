//! From a path to a held folder and a name in it, link by link, with a note of each folder that decides where it ends.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::folder::{Entry, Folder, absolute};

/// As many links as the kernel follows.
const MAX_LINKS: usize = 40;

/// One look-up on the way: a user who may change the folder decides about the name in it.
#[derive(Debug)]
pub struct Step {
    pub folder: PathBuf,
    pub state: Metadata,
    /// The owner of what was found there; nobody, if there is nothing yet.
    pub owner_of_entry: Option<u32>,
}

/// Where a path ends.
#[derive(Debug)]
pub struct Found {
    pub entry: Entry,
    /// The state of the file or folder there, if there is one. It is not a link.
    pub state: Option<Metadata>,
    pub way: Vec<Step>,
}

/// Follow a path to its end. The last name need not be there yet; all before it must.
pub fn find(path: &Path) -> Result<Found> {
    let ends_in_name = path.file_name().is_some() && !path.as_os_str().as_bytes().ends_with(b"/");
    if path.as_os_str().is_empty() {
        return Err(ErrorKind::NotFound.into());
    }
    let mut pending = components(&absolute(path)?);
    let mut folder = Rc::new(Folder::root()?);
    let mut way = Vec::new();
    let mut links = 0;
    loop {
        let Some(name) = pending.pop() else {
            // The path ends in a folder by its form: `/`, `x/..`.
            let state = folder.metadata()?;
            let entry = Entry { folder, name: OsString::from(".") };
            return Ok(Found { entry, state: Some(state), way });
        };
        if name == ".." {
            folder = Rc::new(folder.enter(&name)?);
            continue;
        }
        let state = match folder.metadata_of(&name) {
            Err(error) if error.kind() == ErrorKind::NotFound && pending.is_empty() && ends_in_name => None,
            other => Some(other?),
        };
        let owner_of_entry = state.as_ref().map(std::os::unix::fs::MetadataExt::uid);
        way.push(Step { folder: folder.path.clone(), state: folder.metadata()?, owner_of_entry });
        match state {
            Some(state) if state.is_symlink() => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Error::from_raw_os_error(rustix::io::Errno::LOOP.raw_os_error()));
                }
                let target = folder.link(&name)?;
                if target.is_absolute() {
                    folder = Rc::new(Folder::root()?);
                }
                pending.extend(components(&target));
            }
            Some(state) if state.is_dir() && !pending.is_empty() => folder = Rc::new(folder.enter(&name)?),
            Some(state) if !state.is_dir() && (!pending.is_empty() || !ends_in_name) => {
                return Err(ErrorKind::NotADirectory.into());
            }
            state => return Ok(Found { entry: Entry { folder, name }, state, way }),
        }
    }
}

/// The names of a path, the last one first.
fn components(path: &Path) -> Vec<OsString> {
    let names = path.as_os_str().as_bytes().split(|byte| *byte == b'/');
    let names = names.filter(|name| !name.is_empty() && *name != b".");
    names.rev().map(|name| OsStr::from_bytes(name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_path_ends_where_the_system_says_it_does() {
        let workspace = tempfile::tempdir().unwrap();
        let at = |name: &str| workspace.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::write(at("a/b/file"), "").unwrap();
        symlink("a/b", at("short")).unwrap();
        symlink(at("short"), at("a/long")).unwrap();
        symlink("../a/long/file", at("a/link")).unwrap();
        for path in
            ["a/b/file", "short/file", "a/long/file", "a/link", "a/./b//file", "a/b/../b/file", "short/../b/file"]
        {
            let found = find(&at(path)).unwrap();
            assert_eq!(found.entry.path(), fs::canonicalize(at(path)).unwrap(), "{path}");
            assert!(found.state.unwrap().is_file());
        }
        for folder in ["a", "a/", "a/b/..", "short", "short/", "."] {
            let found = find(&at(folder)).unwrap();
            let entered = found.entry.folder.enter(&found.entry.name).unwrap();
            let same = fs::canonicalize(at(folder)).unwrap();
            assert_eq!(fs::canonicalize(entered.path).unwrap(), same, "{folder}");
            assert!(found.state.unwrap().is_dir());
        }
    }

    #[test]
    fn what_is_not_there_yet_has_a_folder_that_is() {
        let workspace = tempfile::tempdir().unwrap();
        let found = find(&workspace.path().join("new")).unwrap();
        assert!(found.state.is_none() && found.entry.name == "new");
        for absent in ["no/new", "new/", "new/.."] {
            assert_eq!(find(&workspace.path().join(absent)).unwrap_err().kind(), ErrorKind::NotFound, "{absent}");
        }
        fs::write(workspace.path().join("file"), "").unwrap();
        for through in ["file/new", "file/"] {
            assert_eq!(
                find(&workspace.path().join(through)).unwrap_err().kind(),
                ErrorKind::NotADirectory,
                "{through}"
            );
        }
        symlink("loop", workspace.path().join("loop")).unwrap();
        let looped = find(&workspace.path().join("loop")).unwrap_err();
        assert_eq!(looped.raw_os_error(), Some(rustix::io::Errno::LOOP.raw_os_error()));
        assert_eq!(find(Path::new("")).unwrap_err().kind(), ErrorKind::NotFound);
    }

    /// Every folder that a link is in, or leads through, is on the way.
    #[test]
    fn the_way_has_the_folders_of_the_links_too() {
        let workspace = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(workspace.path()).unwrap();
        for folder in ["real", "links"] {
            fs::create_dir(top.join(folder)).unwrap();
        }
        fs::write(top.join("real/file"), "").unwrap();
        symlink("../real/file", top.join("links/link")).unwrap();
        let found = find(&top.join("links/link")).unwrap();
        let folders: Vec<&Path> = found.way.iter().map(|step| step.folder.as_path()).collect();
        for folder in [&top, &top.join("links"), &top.join("real"), &PathBuf::from("/")] {
            assert!(folders.contains(&folder.as_path()), "{folder:?}: {folders:?}");
        }
    }
}
