//! A folder that is held open. Names in it are looked up against its descriptor, and no link is followed: a user who
//! may change the folders above, or the names in it, cannot lead a write elsewhere.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{Error, ErrorKind, Read, Result};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{self, AtFlags, Dir, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

/// No shared object, library or source file is larger; a read of a larger file could use up the memory.
const MAX_SIZE: u64 = 1 << 30;

/// A held folder, and where it is: a path without links, for messages.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    pub path: PathBuf,
}

impl Folder {
    /// The root of the file system.
    pub fn root() -> Result<Folder> {
        let fd = fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Folder { fd, path: PathBuf::from("/") })
    }

    /// The folder of this name in it; `..` is the one above.
    pub fn enter(&self, name: &OsStr) -> Result<Folder> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = fs::openat(&self.fd, name, flags, Mode::empty())?;
        let mut path = self.path.clone();
        if name == ".." {
            path.pop();
        } else {
            path.push(name);
        }
        Ok(Folder { fd, path })
    }

    /// The folder's own state.
    pub fn metadata(&self) -> Result<Metadata> {
        self.metadata_of(OsStr::new("."))
    }

    /// The state of a name in it; of a link, its own.
    pub fn metadata_of(&self, name: &OsStr) -> Result<Metadata> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        File::from(fs::openat(&self.fd, name, flags, Mode::empty())?).metadata()
    }

    /// The target of a link in it.
    pub fn link(&self, name: &OsStr) -> Result<PathBuf> {
        use std::os::unix::ffi::OsStringExt;
        let target = fs::readlinkat(&self.fd, name, Vec::new())?;
        Ok(OsString::from_vec(target.into_bytes()).into())
    }

    /// A regular file in it, for reading. A pipe would be waited on, and a device may never end.
    pub fn open(&self, name: &OsStr) -> Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        if !self.metadata_of(name)?.is_file() {
            return Err(Error::new(ErrorKind::InvalidInput, "not a regular file"));
        }
        let file = File::from(fs::openat(&self.fd, name, flags, Mode::empty())?);
        // It may have been exchanged since.
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(Error::new(ErrorKind::InvalidInput, "not a regular file")),
        }
    }

    /// A new file in it, for writing, under a name that was free.
    pub fn create(&self, name: &OsStr, mode: Mode) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(fs::openat(&self.fd, name, flags, mode)?))
    }

    /// Give a file in it another name in it, and take that from whatever has it.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> Result<()> {
        Ok(fs::renameat(&self.fd, from, &self.fd, to)?)
    }

    pub fn remove(&self, name: &OsStr) -> Result<()> {
        Ok(fs::unlinkat(&self.fd, name, AtFlags::empty())?)
    }

    /// May names in it be changed, as far as its mode and its file system tell?
    pub fn access(&self) -> Result<()> {
        let access = fs::Access::WRITE_OK | fs::Access::EXEC_OK;
        match fs::accessat(&self.fd, ".", access, AtFlags::EACCESS) {
            // A container's filter of system calls may know faccessat alone, which asks for the real user.
            Err(Errno::PERM | Errno::NOSYS) => Ok(fs::accessat(&self.fd, ".", access, AtFlags::empty())?),
            answer => Ok(answer?),
        }
    }

    /// Has somebody made this name, or with "." the folder, unchangeable (`chattr +i` or `+a`)?
    pub fn is_fixed(&self, name: &OsStr) -> bool {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        let Ok(state) = fs::statx(&self.fd, name, flags, fs::StatxFlags::BASIC_STATS) else { return false };
        state.stx_attributes.intersects(fs::StatxAttributes::IMMUTABLE | fs::StatxAttributes::APPEND)
    }

    /// The names in it.
    pub fn names(&self) -> Result<Vec<OsString>> {
        use std::os::unix::ffi::OsStrExt;
        let mut names = Vec::new();
        for entry in Dir::read_from(self.readable()?)? {
            names.push(OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned());
        }
        Ok(names)
    }

    /// A rename is on the disk when its folder is. One that may not be read cannot be waited for.
    pub fn sync(&self) -> Result<()> {
        match self.readable() {
            Ok(folder) => File::from(folder).sync_all(),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A lock on the folder, if it can be had at once. It ends with the descriptor.
    pub fn lock(&self, operation: FlockOperation) -> Result<OwnedFd> {
        let folder = self.readable()?;
        fs::flock(&folder, operation)?;
        Ok(folder)
    }

    /// Its descriptor serves for look-ups alone; this one can be read, locked and synchronised.
    fn readable(&self) -> Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(fs::openat(&self.fd, ".", flags, Mode::empty())?)
    }
}

/// A name in a held folder.
#[derive(Debug, Clone)]
pub struct Entry {
    pub folder: Rc<Folder>,
    pub name: OsString,
}

impl Entry {
    /// Where it is: a path without links, unless the name itself is one.
    pub fn path(&self) -> PathBuf {
        self.folder.path.join(&self.name)
    }

    /// Where its folder is.
    pub fn folder_path(&self) -> &Path {
        &self.folder.path
    }

    /// Another name in the same folder.
    pub fn beside(&self, name: OsString) -> Entry {
        Entry { folder: Rc::clone(&self.folder), name }
    }

    /// Its state, if there is something of this name.
    pub fn metadata(&self) -> Result<Option<Metadata>> {
        match self.folder.metadata_of(&self.name) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    /// The file, its state and its content.
    pub fn read(&self) -> Result<(File, Metadata, Vec<u8>)> {
        let file = self.folder.open(&self.name)?;
        let metadata = file.metadata()?;
        let mut content = Vec::new();
        (&file).take(MAX_SIZE + 1).read_to_end(&mut content)?;
        if content.len() as u64 > MAX_SIZE {
            return Err(Error::new(ErrorKind::FileTooLarge, "larger than 1 GiB"));
        }
        Ok((file, metadata, content))
    }
}

/// The absolute form of a path; `..` and links stay for the walk.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    match path.is_absolute() {
        true => Ok(path.to_owned()),
        false => Ok(std::env::current_dir()?.join(path)),
    }
}
