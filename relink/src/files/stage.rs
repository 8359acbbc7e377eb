//! Finished temporary files, beside where they are to go.

use std::ffi::{OsStr, OsString};
use std::fs::{File, FileTimes, Metadata, Permissions};
use std::io::{Error, ErrorKind, Result, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode};
use xattr::FileExt;

use super::folder::Folder;

/// How the names of files begin that are not finished.
const TEMPORARY: &str = ".modpython-relink-";

/// Attributes that belong to the old content alone: rights to act as somebody else, and signatures.
const NOT_COPIED: [&str; 3] = ["security.capability", "security.ima", "security.evm"];

/// Work in a folder. Runs hold a shared lock on it, so that one that finds nobody else there knows that temporary files
/// in it are of runs that were killed.
pub struct Visit<'folder> {
    folder: &'folder Folder,
    _lock: Option<OwnedFd>,
}

impl Visit<'_> {
    /// Clears away what killed runs have left. A folder that cannot be locked is one without that.
    pub fn to(folder: &Folder) -> Visit<'_> {
        if let Ok(lock) = folder.lock(FlockOperation::NonBlockingLockExclusive) {
            clear(folder);
            drop(lock);
        }
        // A run that clears holds the lock for a moment. A process that holds it longer only keeps the next run from
        // clearing.
        for _ in 0..50 {
            match folder.lock(FlockOperation::NonBlockingLockShared) {
                Ok(lock) => return Visit { folder, _lock: Some(lock) },
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(2)),
                Err(_) => break,
            }
        }
        Visit { folder, _lock: None }
    }
}

fn clear(folder: &Folder) {
    for name in folder.names().unwrap_or_default() {
        if name.as_bytes().starts_with(TEMPORARY.as_bytes()) {
            // A file that cannot be removed does no harm.
            let _ = folder.remove(&name);
        }
    }
}

/// A temporary file, which goes unless it is given a name.
pub struct Staged<'visit> {
    folder: &'visit Folder,
    name: OsString,
    file: File,
    is_named: bool,
}

impl<'visit> Staged<'visit> {
    /// One with this content, on the disk, which only its owner may read yet.
    pub fn new(visit: &'visit Visit<'_>, content: &[u8]) -> Result<Staged<'visit>> {
        Staged::empty(visit, Mode::RUSR | Mode::WUSR)?.filled(content)
    }

    /// One with this content and the mode that new files get: the system takes away what the umask says.
    pub fn for_new_file(visit: &'visit Visit<'_>, content: &[u8]) -> Result<Staged<'visit>> {
        Staged::empty(visit, Mode::from_raw_mode(0o666))?.filled(content)
    }

    fn filled(mut self, content: &[u8]) -> Result<Staged<'visit>> {
        self.file.write_all(content)?;
        self.file.sync_all()?;
        Ok(self)
    }

    /// One with this content and the attributes of an open file.
    pub fn like(visit: &'visit Visit<'_>, content: &[u8], like: &File) -> Result<Staged<'visit>> {
        let staged = Staged::new(visit, content)?;
        staged.copy_attributes(like)?;
        staged.file.sync_all()?;
        Ok(staged)
    }

    /// Moves the file of this name, if there is one, to a temporary name.
    pub fn set_aside(visit: &'visit Visit<'_>, name: &OsStr) -> Result<Option<Staged<'visit>>> {
        match visit.folder.metadata_of(name) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut aside = Staged::empty(visit, Mode::RUSR | Mode::WUSR)?;
        let there = visit.folder.open(name)?;
        visit.folder.rename(name, &aside.name)?;
        aside.file = there;
        Ok(Some(aside))
    }

    fn empty(visit: &'visit Visit<'_>, mode: Mode) -> Result<Staged<'visit>> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // A name that is taken, by whomever, is passed over.
        for _ in 0..1000 {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = OsString::from(format!("{TEMPORARY}{}-{number}", std::process::id()));
            match visit.folder.create(&name, mode) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                other => return Ok(Staged { folder: visit.folder, name, file: other?, is_named: false }),
            }
        }
        Err(Error::new(ErrorKind::AlreadyExists, "every name for a temporary file is taken"))
    }

    /// The mode's rights, without set-id bits.
    pub fn set_mode(&self, mode: u32) -> Result<()> {
        self.file.set_permissions(Permissions::from_mode(mode & 0o777))
    }

    /// The times of another file: `rpm -V` and backup programs compare them.
    pub fn set_times(&self, like: &Metadata) -> Result<()> {
        self.file.set_times(FileTimes::new().set_modified(like.modified()?).set_accessed(like.accessed()?))?;
        self.file.sync_all()
    }

    /// Owner, rights and every extended attribute: ACLs and the SELinux label are such attributes.
    fn copy_attributes(&self, like: &File) -> Result<()> {
        let (metadata, own) = (like.metadata()?, self.file.metadata()?);
        if (metadata.uid(), metadata.gid()) != (own.uid(), own.gid()) {
            fchown(&self.file, Some(metadata.uid()), Some(metadata.gid()))?;
        }
        self.set_mode(metadata.mode())?;
        // A file system without extended attributes has none to keep.
        for name in like.list_xattr().into_iter().flatten() {
            if NOT_COPIED.iter().any(|not| name == *not) {
                continue;
            }
            let Some(value) = like.get_xattr(&name)? else { continue };
            // A label the system has put on the new file by itself need not, and by an ordinary user cannot, be set.
            if self.file.get_xattr(&name)?.as_ref() != Some(&value) {
                self.file.set_xattr(&name, &value)?;
            }
        }
        Ok(())
    }

    /// Give the file its name, and take that from whatever has it.
    pub fn give_name(mut self, name: &OsStr) -> Result<()> {
        let (there, mine) = (self.folder.metadata_of(&self.name)?, self.file.metadata()?);
        if (there.dev(), there.ino()) != (mine.dev(), mine.ino()) {
            return Err(Error::other("somebody exchanged the new file for another before it had its name"));
        }
        self.folder.rename(&self.name, name)?;
        self.is_named = true;
        Ok(())
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if !self.is_named {
            let _ = self.folder.remove(&self.name);
        }
    }
}
