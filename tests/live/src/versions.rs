//! Handlers that change: their text in some version, and putting it in the place of the one before.

use std::fs::{self, Permissions};
use std::io::Result;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::wait::wait_until;

/// The clock of a file system's time stamps ticks in milliseconds.
const TICK: Duration = Duration::from_secs(5);

/// A handler that answers with its version, and whose import takes that many seconds.
pub fn versioned(version: u32, seconds: f64) -> String {
    include_str!("../python/versioned.py")
        .replace("VERSION = 0", &format!("VERSION = {version}"))
        .replace("sleep(0.0)", &format!("sleep({seconds})"))
}

/// Puts another text in the place of a file by a rename, as editors and deployments do: nobody sees half of it.
pub fn replace(path: &Path, text: &str) -> Result<()> {
    let beside = path.with_extension("new");
    let before = stamp(path)?;
    write_at_another_tick(&beside, text, before)?;
    fs::rename(beside, path)
}

/// Writes another text into the file itself. A reader may see half of it meanwhile.
pub fn overwrite(path: &Path, text: &str) -> Result<()> {
    let before = stamp(path)?;
    write_at_another_tick(path, text, before)
}

/// Two versions of one size in one file, written within one tick of the clock, are one to everybody who looks at time
/// stamps.
fn write_at_another_tick(path: &Path, text: &str, before: SystemTime) -> Result<()> {
    wait_until("another time stamp", TICK, || {
        fs::write(path, text)?;
        Ok((stamp(path)? != before).then_some(()))
    })
}

fn stamp(path: &Path) -> Result<SystemTime> {
    path.metadata()?.modified()
}

/// Lets httpd's children write into a directory, and so keep bytecode there: stale bytecode would otherwise go unseen.
pub fn let_all_write(directory: &Path) -> Result<()> {
    fs::set_permissions(directory, Permissions::from_mode(0o777))
}
