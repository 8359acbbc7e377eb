//! Files, by descriptors: read, and put in place whole or not at all, with what the old file had.
//!
//! [`walk`] goes from a path to a held [`folder`], and [`exposure`] says who else may decide where a path ends.
//! [`stage`] makes finished temporary files; this file gives them their names, and takes that back if it fails.
//!
//! Users who may write to a folder control its names, and root runs this command. So nothing is opened, changed or
//! renamed by a path once it was found, no link is followed but by [`walk`], and attributes are set on descriptors of
//! files that were made here.

mod exposure;
mod folder;
mod stage;
mod walk;

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{Error, Result as IoResult};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub use exposure::{Exposure, Who, exposures};
pub use folder::Entry;
use folder::Folder;
pub use walk::find;

use crate::failure::Failure;
use stage::{Staged, Visit};

/// The end of the name of the stock file that `--in-place` keeps beside the module; the module's name is before it.
pub const BACKUP_SUFFIX: &str = ".modpython-core-stock";

/// The backup's path. It does not end in `.so`, so that no wildcard of a configuration loads it.
pub fn backup_of(module: &Path) -> PathBuf {
    backup_name(module.as_os_str()).into()
}

/// The backup's name.
pub fn backup_name(module: &OsStr) -> OsString {
    let mut name = module.to_owned();
    name.push(BACKUP_SUFFIX);
    name
}

/// A file as it was read, still open.
#[derive(Debug)]
pub struct Original {
    pub entry: Entry,
    pub file: File,
    pub metadata: Metadata,
    pub content: Vec<u8>,
}

impl Original {
    /// Read a file, through links.
    pub fn read(path: &Path) -> IoResult<Original> {
        let found = find(path)?;
        if found.state.is_none() {
            return Err(Error::from_raw_os_error(rustix::io::Errno::NOENT.raw_os_error()));
        }
        Original::read_entry(found.entry)
    }

    /// Read a name, which must be no link.
    pub fn read_entry(entry: Entry) -> IoResult<Original> {
        let (file, metadata, content) = entry.read()?;
        Ok(Original { entry, file, metadata, content })
    }

    /// Has the name still the file that was read, unchanged? A package manager may have replaced it, and what it put
    /// there must not be lost.
    fn ensure_unchanged(&self) -> IoResult<()> {
        let state = |of: &Metadata| (of.dev(), of.ino(), of.mtime(), of.mtime_nsec(), of.len());
        match self.entry.metadata()? {
            Some(now) if state(&now) == state(&self.metadata) => Ok(()),
            _ => Err(Error::other("it was replaced while it was being worked on: run again")),
        }
    }
}

/// Write a file that is new, or takes the place of one that can be made again: whole, then under its name. It gets the
/// mode of `like`, without set-id bits: they mean nothing on a shared object, and the user who runs this owns it.
pub fn write_new(target: &Entry, content: &[u8], like: &Metadata) -> Result<(), Failure> {
    let write = || {
        let visit = Visit::to(&target.folder);
        let staged = Staged::new(&visit, content)?;
        staged.set_mode(like.mode())?;
        target.folder.sync()?;
        staged.give_name(&target.name)?;
        settle(&target.folder);
        Ok(())
    };
    write().map_err(|error: Error| Failure::unwritable(&target.path(), error))
}

/// Replace `module` by `content`, keeping the old file under `backup`. On any failure both names are as they were.
pub fn replace(module: &Original, backup: &OsStr, content: &[u8]) -> Result<(), Failure> {
    let folder = &module.entry.folder;
    let replace = || {
        let visit = Visit::to(folder);
        let relinked = Staged::like(&visit, content, &module.file)?;
        // The backup is a copy and not the old file renamed: between two renames there would be no module at all, and
        // an Apache that starts at that moment fails.
        let kept = Staged::like(&visit, &module.content, &module.file)?;
        kept.set_times(&module.metadata)?;
        module.ensure_unchanged()?;
        let older = Staged::set_aside(&visit, backup)?;
        give_both_names(folder, (kept, backup, older), (relinked, &module.entry.name))
    };
    replace().map_err(|error| Failure::unwritable(&module.entry.path(), error))
}

/// The backup and the module under their names, or everything as it was.
fn give_both_names(
    folder: &Folder,
    (kept, backup, older): (Staged<'_>, &OsStr, Option<Staged<'_>>),
    (relinked, module): (Staged<'_>, &OsStr),
) -> IoResult<()> {
    let done = kept.give_name(backup).and_then(|()| relinked.give_name(module));
    if let Err(error) = done {
        put_back(folder, backup, older);
        return Err(error);
    }
    if let Err(error) = folder.sync() {
        // Not on the disk for certain: the stock file takes its place again.
        let _ = folder.rename(backup, module);
        put_back(folder, backup, older);
        return Err(error);
    }
    Ok(())
}

/// Replace a module that was relinked in place before by one that is relinked anew. Its backup is what it was made of,
/// and stays.
pub fn renew(module: &Original, content: &[u8]) -> Result<(), Failure> {
    let renew = || {
        let visit = Visit::to(&module.entry.folder);
        let relinked = Staged::like(&visit, content, &module.file)?;
        module.entry.folder.sync()?;
        module.ensure_unchanged()?;
        relinked.give_name(&module.entry.name)?;
        settle(&module.entry.folder);
        Ok(())
    };
    renew().map_err(|error: Error| Failure::unwritable(&module.entry.path(), error))
}

/// Put the backup back under the module's name.
pub fn restore(module: &Original, backup: &Original) -> Result<(), Failure> {
    let restore = || {
        let _visit = Visit::to(&module.entry.folder);
        module.ensure_unchanged()?;
        backup.ensure_unchanged()?;
        module.entry.folder.sync()?;
        module.entry.folder.rename(&backup.entry.name, &module.entry.name)?;
        settle(&module.entry.folder);
        Ok(())
    };
    restore().map_err(|error: Error| Failure::unwritable(&module.entry.path(), error))
}

/// A file's new content. One that is not there yet is made.
pub enum Change<'run> {
    Of(&'run Original, Vec<u8>),
    New(Entry, Vec<u8>),
}

impl Change<'_> {
    /// The name that it is for.
    pub fn entry(&self) -> &Entry {
        match self {
            Change::Of(original, _) => &original.entry,
            Change::New(entry, _) => entry,
        }
    }
}

/// Give all these files new contents, or none. An existing file keeps its attributes.
pub fn change_all(changes: &[Change<'_>]) -> Result<(), Failure> {
    let refuse = |change: &Change<'_>| {
        let path = change.entry().path();
        move |error: Error| Failure::unwritable(&path, error)
    };
    let visits: Vec<Visit<'_>> = changes.iter().map(|change| Visit::to(&change.entry().folder)).collect();
    let mut staged = Vec::new();
    for (change, visit) in changes.iter().zip(&visits) {
        change.entry().folder.sync().map_err(refuse(change))?;
        let both = match change {
            Change::Of(original, content) => Staged::like(visit, content, &original.file).and_then(|new| {
                let back = Staged::like(visit, &original.content, &original.file)?;
                back.set_times(&original.metadata)?;
                original.ensure_unchanged()?;
                Ok((new, Some(back)))
            }),
            Change::New(_, content) => Staged::for_new_file(visit, content).map(|new| (new, None)),
        };
        let (new, back) = both.map_err(refuse(change))?;
        staged.push((change, new, back));
    }
    let mut done: Vec<(&Entry, Option<Staged<'_>>)> = Vec::new();
    for (change, new, back) in staged {
        let entry = change.entry();
        if let Err(error) = new.give_name(&entry.name) {
            for (entry, back) in done.into_iter().rev() {
                put_back(&entry.folder, &entry.name, back);
            }
            return Err(refuse(change)(error));
        }
        done.push((entry, back));
    }
    changes.iter().for_each(|change| settle(&change.entry().folder));
    Ok(())
}

/// Refuses a name that could not be given to another file. Every run asks before it writes, so that `--dry-run` refuses
/// what the real run refuses, in the same words.
pub fn check_writable(target: &Entry) -> Result<(), Failure> {
    let refuse = |reason: String| Failure::unwritable(&target.path(), reason);
    for (name, whose) in [(OsStr::new("."), "its folder"), (&target.name, "it")] {
        if target.folder.is_fixed(name) {
            return Err(refuse(format!("{whose} is marked unchangeable: chattr -i -a")));
        }
    }
    target.folder.access().map_err(|error| refuse(error.to_string()))?;
    let (folder, me) = (target.folder.metadata(), rustix::process::geteuid().as_raw());
    let (folder, file) = (folder.map_err(|error| refuse(error.to_string()))?, target.metadata().ok().flatten());
    let is_anothers = file.is_some_and(|file| file.uid() != me && folder.uid() != me && me != 0);
    if folder.mode() & 0o1000 != 0 && is_anothers {
        return Err(refuse("it belongs to another user, in a folder with the sticky bit".into()));
    }
    Ok(())
}

/// Wait until a change of names is on the disk. That it can be waited for was seen before the change, so that a run
/// that fails has changed nothing; a disk that fails now has the old names or the new ones, and a whole file under
/// each.
fn settle(folder: &Folder) {
    let _ = folder.sync();
}

fn put_back(folder: &Folder, name: &OsStr, older: Option<Staged<'_>>) {
    // Nothing more can be done when undoing fails as well; the failure that led here is the one to report.
    let _ = match older {
        Some(older) => older.give_name(name),
        None => folder.remove(name),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_status::ExitStatus;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// A module and its backup's path, in a directory of their own.
    fn module() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let workspace = tempfile::tempdir().unwrap();
        let module = workspace.path().join("mod_python.so");
        fs::write(&module, "stock").unwrap();
        let backup = backup_of(&module);
        (workspace, module, backup)
    }

    fn names(workspace: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(workspace).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn name_of(path: &Path) -> &OsStr {
        path.file_name().unwrap()
    }

    #[test]
    fn replace_and_restore_are_each_others_way_back() {
        let (workspace, module, backup) = module();
        fs::set_permissions(&module, fs::Permissions::from_mode(0o4711)).unwrap();
        let seen = Original::read(&module).unwrap();
        replace(&seen, name_of(&backup), b"relinked").unwrap();
        assert_eq!(fs::read(&module).unwrap(), b"relinked");
        assert_eq!(fs::read(&backup).unwrap(), b"stock");
        // Set-id bits are for the file that somebody gave them to.
        assert_eq!(fs::metadata(&module).unwrap().mode() & 0o7777, 0o711);
        assert_eq!(fs::metadata(&backup).unwrap().modified().unwrap(), seen.metadata.modified().unwrap());
        restore(&Original::read(&module).unwrap(), &Original::read(&backup).unwrap()).unwrap();
        assert_eq!(fs::read(&module).unwrap(), b"stock");
        assert_eq!(fs::metadata(&module).unwrap().mode() & 0o7777, 0o711);
        assert_eq!(names(workspace.path()), ["mod_python.so"]);
    }

    #[test]
    fn a_module_that_changed_meanwhile_is_left_alone() {
        let (workspace, module, backup) = module();
        let seen = Original::read(&module).unwrap();
        fs::write(&module, "stock, upgraded").unwrap();
        for failure in [replace(&seen, name_of(&backup), b"relinked").unwrap_err(), renew(&seen, b"x").unwrap_err()] {
            assert_eq!(failure.status(), ExitStatus::Unwritable);
        }
        assert_eq!(fs::read(&module).unwrap(), b"stock, upgraded");
        assert_eq!(names(workspace.path()), ["mod_python.so"]);
    }

    /// The second rename fails after the first succeeded: a file cannot take the place of a directory.
    #[test]
    fn a_failure_between_the_renames_undoes_the_first() {
        for older in [None, Some("older backup")] {
            let (workspace, module, backup) = module();
            if let Some(content) = older {
                fs::write(&backup, content).unwrap();
            }
            fs::create_dir(workspace.path().join("folder")).unwrap();
            let before = names(workspace.path());
            let seen = Original::read(&module).unwrap();
            let folder = &seen.entry.folder;
            let visit = Visit::to(folder);
            let staged = |content: &[u8]| Staged::like(&visit, content, &seen.file).unwrap();
            let aside = Staged::set_aside(&visit, name_of(&backup)).unwrap();
            assert_eq!(aside.is_some(), older.is_some());
            let kept = (staged(b"stock"), name_of(&backup), aside);
            give_both_names(folder, kept, (staged(b"relinked"), OsStr::new("folder"))).unwrap_err();
            assert_eq!(names(workspace.path()), before);
            if let Some(content) = older {
                assert_eq!(fs::read_to_string(&backup).unwrap(), content);
            }
        }
    }

    #[test]
    fn all_files_are_changed_or_none() {
        let workspace = tempfile::tempdir().unwrap();
        let path = |name: &str| workspace.path().join(name);
        fs::write(path("a"), "old").unwrap();
        fs::create_dir(path("c")).unwrap();
        let a = Original::read(&path("a")).unwrap();
        let new = |name: &str| Change::New(find(&path(name)).unwrap().entry, b"new".to_vec());
        let failure = change_all(&[Change::Of(&a, b"new".to_vec()), new("b"), new("c")]).unwrap_err();
        assert_eq!(failure.status(), ExitStatus::Unwritable);
        assert_eq!(fs::read(path("a")).unwrap(), b"old");
        assert_eq!(names(workspace.path()), ["a", "c"]);
        let a = Original::read(&path("a")).unwrap();
        change_all(&[Change::Of(&a, b"new".to_vec()), new("b")]).unwrap();
        assert_eq!((fs::read(path("a")).unwrap(), fs::read(path("b")).unwrap()), (b"new".to_vec(), b"new".to_vec()));
    }
}
