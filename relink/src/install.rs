//! Puts files in place: whole or not at all, and in place with everything the old file had.

use std::fs::{self, File, Metadata};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use crate::failure::Failure;

/// What is added to the module's name for the stock file that `--in-place` keeps beside it.
const BACKUP_SUFFIX: &str = ".modpython-core-stock";

/// How the names of files begin that are not finished.
const TEMPORARY: &str = ".modpython-relink-";

/// The backup's path. It does not end in `.so`, so that no wildcard of a configuration loads it.
pub fn backup_of(module: &Path) -> PathBuf {
    let mut name = module.as_os_str().to_owned();
    name.push(BACKUP_SUFFIX);
    PathBuf::from(name)
}

/// Write a new file with the mode of `like`: into a temporary file beside it, to the disk, then under its name.
pub fn write_new(target: &Path, content: &[u8], like: &Metadata) -> Result<(), Failure> {
    let refuse = |error: std::io::Error| Failure::unwritable(target, error);
    let mut file = temporary_beside(target).map_err(refuse)?;
    file.write_all(content).map_err(refuse)?;
    // Set-id bits have no meaning on a shared object, and its new owner is whoever runs this.
    file.as_file().set_permissions(fs::Permissions::from_mode(like.mode() & 0o777)).map_err(refuse)?;
    file.as_file().sync_all().map_err(refuse)?;
    file.persist(target).map_err(|error| refuse(error.error))?;
    sync_directory(target).map_err(refuse)
}

/// Replace `module` by `content`, keeping the old file under `backup`. On any failure both names are as they were.
///
/// `seen` is the module's state when it was read: a package manager may have replaced it meanwhile, and that newer
/// file must not be lost under an older one.
pub fn replace(module: &Path, backup: &Path, content: &[u8], stock: &[u8], seen: &Metadata) -> Result<(), Failure> {
    let refuse = |error: std::io::Error| Failure::unwritable(module, error);
    let relinked = stage(module, content, module).map_err(refuse)?;
    // The backup is a copy and not the old file renamed: between two renames there would be no module at all, and an
    // Apache that starts at that moment fails.
    let kept = stage(module, stock, module).map_err(refuse)?;
    keep_times(&kept, seen).map_err(refuse)?;
    ensure_unchanged(module, seen)?;
    let older_backup = set_aside(backup).map_err(refuse)?;
    let outcome = kept
        .persist(backup)
        .map_err(|error| error.error)
        .and_then(|()| relinked.persist(module).map_err(|error| error.error));
    if let Err(error) = outcome {
        put_back(backup, older_backup);
        return Err(refuse(error));
    }
    if let Err(error) = sync_directory(module) {
        // Not on the disk for certain: the stock file takes its place again.
        let _ = fs::rename(backup, module);
        put_back(backup, older_backup);
        return Err(refuse(error));
    }
    Ok(())
}

/// Replace a module that was relinked in place before by one that is relinked anew. Its backup is what it was made of,
/// and stays.
pub fn renew(module: &Path, content: &[u8], seen: &Metadata) -> Result<(), Failure> {
    let refuse = |error: std::io::Error| Failure::unwritable(module, error);
    let relinked = stage(module, content, module).map_err(refuse)?;
    ensure_unchanged(module, seen)?;
    relinked.persist(module).map_err(|error| refuse(error.error))?;
    sync_directory(module).map_err(refuse)
}

/// Is the module the file that was read?
fn ensure_unchanged(module: &Path, seen: &Metadata) -> Result<(), Failure> {
    let now = fs::metadata(module).map_err(|error| Failure::unwritable(module, error))?;
    let state = |of: &Metadata| (of.dev(), of.ino(), of.mtime(), of.mtime_nsec(), of.len());
    if state(&now) != state(seen) {
        return Err(Failure::unwritable(module, "it was replaced while it was being relinked: run again"));
    }
    Ok(())
}

/// Put the backup back under the module's name.
pub fn restore(module: &Path, backup: &Path) -> Result<(), Failure> {
    let refuse = |error: std::io::Error| Failure::unwritable(module, error);
    fs::rename(backup, module).map_err(refuse)?;
    sync_directory(module).map_err(refuse)
}

/// Give all these files new contents, or none. What is there keeps its attributes; a file that is not there yet is made.
pub fn change_all(changes: &[(PathBuf, Vec<u8>)]) -> Result<(), Failure> {
    let mut staged = Vec::new();
    for (named, content) in changes {
        let refuse = |error: std::io::Error| Failure::unwritable(named, error);
        // A link stays a link; what it leads to is changed.
        let path = fs::canonicalize(named).unwrap_or_else(|_| named.clone());
        let old = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            other => Some(other.map_err(refuse)?),
        };
        let finished = match &old {
            Some(_) => stage(&path, content, &path),
            None => stage_new(&path, content),
        };
        let back = old.map(|old| stage(&path, &old, &path)).transpose();
        staged.push((finished.map_err(refuse)?, back.map_err(refuse)?, path));
    }
    let mut done: Vec<(Option<TempPath>, PathBuf)> = Vec::new();
    for (finished, back, path) in staged {
        if let Err(error) = finished.persist(&path) {
            for (back, path) in done.into_iter().rev() {
                put_back(&path, back);
            }
            return Err(Failure::unwritable(&path, error.error));
        }
        done.push((back, path));
    }
    done.iter().try_for_each(|(_, path)| sync_directory(path).map_err(|error| Failure::unwritable(path, error)))
}

/// A finished temporary file for one that is not there yet, with the mode that new files get.
fn stage_new(target: &Path, content: &[u8]) -> std::io::Result<TempPath> {
    let mut builder = tempfile::Builder::new();
    // The system takes away what the umask says.
    let builder = builder.prefix(TEMPORARY).permissions(fs::Permissions::from_mode(0o666));
    let mut file = builder.tempfile_in(directory_of(target))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file.into_temp_path())
}

/// Would writing beside this file work? For `--dry-run`, which must say so without writing.
pub fn check_writable(target: &Path) -> Result<(), Failure> {
    let directory = directory_of(target);
    let access = rustix::fs::access(directory, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
    access.map_err(|error| Failure::unwritable(target, error))
}

/// A finished temporary file beside `target` with the content and all the attributes of `like`.
fn stage(target: &Path, content: &[u8], like: &Path) -> std::io::Result<TempPath> {
    let mut file = temporary_beside(target)?;
    file.write_all(content)?;
    copy_attributes(like, file.as_file(), file.path())?;
    file.as_file().sync_all()?;
    Ok(file.into_temp_path())
}

/// Mode, owner, times and every extended attribute: ACLs, capabilities and the SELinux label are such attributes.
fn copy_attributes(like: &Path, file: &File, path: &Path) -> std::io::Result<()> {
    let metadata = fs::metadata(like)?;
    let own = file.metadata()?;
    // The owner first: changing it clears set-id bits and capabilities.
    if (metadata.uid(), metadata.gid()) != (own.uid(), own.gid()) {
        chown(path, Some(metadata.uid()), Some(metadata.gid()))?;
    }
    file.set_permissions(fs::Permissions::from_mode(metadata.mode() & 0o7777))?;
    // A file system without extended attributes has none to keep.
    for name in xattr::list(like).into_iter().flatten() {
        let Some(value) = xattr::get(like, &name)? else { continue };
        // A label the system has put on the new file by itself need not, and by an ordinary user cannot, be set.
        if xattr::get(path, &name)?.as_ref() != Some(&value) {
            xattr::set(path, &name, &value)?;
        }
    }
    Ok(())
}

/// The stock file goes back with the time it came with: `rpm -V` and backup programs compare it.
fn keep_times(path: &Path, metadata: &Metadata) -> std::io::Result<()> {
    let times = fs::FileTimes::new().set_modified(metadata.modified()?).set_accessed(metadata.accessed()?);
    let file = File::options().write(true).open(path)?;
    file.set_times(times)?;
    file.sync_all()
}

/// Move an older backup out of the way, to have it again if the new one cannot be finished.
fn set_aside(backup: &Path) -> std::io::Result<Option<TempPath>> {
    if fs::symlink_metadata(backup).is_err() {
        return Ok(None);
    }
    let aside = temporary_beside(backup)?.into_temp_path();
    fs::rename(backup, &aside)?;
    Ok(Some(aside))
}

fn put_back(backup: &Path, older: Option<TempPath>) {
    // Nothing more can be done when undoing fails as well; the failure that led here is the one to report.
    let _ = match older {
        Some(older) => older.persist(backup).map_err(|error| error.error),
        None => fs::remove_file(backup),
    };
}

fn temporary_beside(target: &Path) -> std::io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(directory_of(target))
}

fn directory_of(target: &Path) -> &Path {
    target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A rename is on the disk when its directory is.
fn sync_directory(target: &Path) -> std::io::Result<()> {
    File::open(directory_of(target))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_status::ExitStatus;

    /// A module, its backup's path, and its state, in a directory of their own.
    fn module() -> (tempfile::TempDir, PathBuf, PathBuf, Metadata) {
        let place = tempfile::tempdir().unwrap();
        let module = place.path().join("mod_python.so");
        fs::write(&module, "stock").unwrap();
        let metadata = fs::metadata(&module).unwrap();
        let backup = backup_of(&module);
        (place, module, backup, metadata)
    }

    fn names(place: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(place).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn replace_and_restore_are_each_others_way_back() {
        let (place, module, backup, seen) = module();
        fs::set_permissions(&module, fs::Permissions::from_mode(0o4711)).unwrap();
        replace(&module, &backup, b"relinked", b"stock", &seen).unwrap();
        assert_eq!(fs::read(&module).unwrap(), b"relinked");
        assert_eq!(fs::read(&backup).unwrap(), b"stock");
        assert_eq!(fs::metadata(&module).unwrap().mode() & 0o7777, 0o4711);
        assert_eq!(fs::metadata(&backup).unwrap().modified().unwrap(), seen.modified().unwrap());
        restore(&module, &backup).unwrap();
        assert_eq!(fs::read(&module).unwrap(), b"stock");
        assert_eq!(fs::metadata(&module).unwrap().mode() & 0o7777, 0o4711);
        assert_eq!(names(place.path()), ["mod_python.so"]);
    }

    #[test]
    fn a_module_that_changed_meanwhile_is_left_alone() {
        let (place, module, backup, seen) = module();
        fs::write(&module, "stock, upgraded").unwrap();
        let failure = replace(&module, &backup, b"relinked", b"stock", &seen).unwrap_err();
        assert_eq!(failure.status(), ExitStatus::Unwritable);
        assert_eq!(fs::read(&module).unwrap(), b"stock, upgraded");
        assert_eq!(names(place.path()), ["mod_python.so"]);
    }

    /// The second rename fails after the first succeeded: a directory cannot be replaced by a file.
    #[test]
    fn a_failure_between_the_renames_undoes_the_first() {
        for older in [None, Some("older backup")] {
            let place = tempfile::tempdir().unwrap();
            let module = place.path().join("mod_python.so");
            fs::create_dir(&module).unwrap();
            let backup = backup_of(&module);
            if let Some(content) = older {
                fs::write(&backup, content).unwrap();
            }
            let before = names(place.path());
            let seen = fs::metadata(&module).unwrap();
            let failure = replace(&module, &backup, b"relinked", b"stock", &seen).unwrap_err();
            assert_eq!(failure.status(), ExitStatus::Unwritable);
            assert_eq!(names(place.path()), before);
            if let Some(content) = older {
                assert_eq!(fs::read_to_string(&backup).unwrap(), content);
            }
        }
    }
}
