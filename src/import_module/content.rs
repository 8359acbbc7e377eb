//! The content of a file that was run, and its content now: read before a module runs, and again where only the inode
//! has changed.
//!
//! Read without the GIL wherever the file lives: with valid bytecode nobody has read the source before, and the disk
//! may have to.

use super::files::{file_system_of, version_of_open};
use super::state::State;
use crate::module_cache::{Content, EntryId, FileSystemKind, Version};
use crate::python::gil::{Gil, without_gil};
use std::ffi::{CStr, OsStr};
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;

/// How often a file is read again that changes while it is read.
const ATTEMPTS: usize = 5;

/// Where the file lives, and what is in it, for [`content_of`]: asked before the code runs, while the GIL is away once.
/// Read after the run, a change of that moment could pass for what was run.
pub(super) fn look(gil: &mut Gil, file: &CStr) -> (FileSystemKind, Option<(Version, Content)>) {
    // An extension module is never loaded again, and may be large.
    let is_extension = file.to_bytes().ends_with(b".so");
    without_gil(gil, || (file_system_of(file), if is_extension { None } else { read(file) }))
}

/// The content of the version that has run; None if another one was seen.
pub(super) fn content_of(version: Option<Version>, seen: Option<(Version, Content)>) -> Option<Content> {
    seen.filter(|(seen, _)| Some(*seen) == version).map(|(_, content)| content)
}

/// Whether what is in the file of that entry is what was run, though its inode has changed. The version that was found
/// to be so, which is noted; None if anything else has changed, or the file cannot be read. The table is not borrowed.
#[cold]
pub(super) fn compare(gil: &mut Gil, state: &State, id: EntryId) -> Option<Version> {
    let table = state.modules.borrow();
    let entry = table.get(id)?;
    let (file, ran) = (entry.file().to_owned(), entry.ran()?);
    drop(table);
    let same = |(now, content): &(Version, Content)| ran.0.but_for_change(now) && *content == ran.1;
    let (now, _) = without_gil(gil, || (0..ATTEMPTS).find_map(|_| read(&file))).filter(same)?;
    // Others may have compared or loaded meanwhile: then theirs is what is noted.
    state.modules.try_borrow_mut().ok()?.same(id, ran, now);
    Some(now)
}

/// The content of the file and its version; None if it cannot be read, or changes meanwhile.
fn read(file: &CStr) -> Option<(Version, Content)> {
    // A pipe that has come in its place is not waited for.
    let name = OsStr::from_bytes(file.to_bytes());
    let mut opened: File = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(name).ok()?;
    if !opened.metadata().ok()?.is_file() {
        return None;
    }
    let before = version_of_open(opened.as_raw_fd())?;
    let content = Content::read(&mut opened, before.size.unsigned_abs()).ok()??;
    (version_of_open(opened.as_raw_fd())? == before).then_some((before, content))
}
