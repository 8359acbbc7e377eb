//! The users, besides root and the one that runs this, who may decide where a path leads. Apache loads modules, and
//! their libraries, as root.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::walk::{Found, Step};
use crate::text::Shown;

/// The users and groups that may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Owner(u32),
    Group(u32),
    Everybody,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Owner(user) => write!(f, "user {user}"),
            Who::Group(group) => write!(f, "group {group}"),
            Who::Everybody => f.write_str("everybody"),
        }
    }
}

/// A folder or file, and who may write to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    pub path: PathBuf,
    pub who: Who,
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} can be written by {}", self.path.shown(), self.who)
    }
}

/// Every folder on the way that others may write to, and the file itself; those first that more people may write to.
pub fn exposures(found: &Found) -> Vec<Exposure> {
    let me = rustix::process::geteuid().as_raw();
    let of_step = |step: &Step| {
        let is_kept = step.state.mode() & 0o1000 != 0 && is_trusted(step.owner_of_entry.unwrap_or(me), me);
        let who = writers(step.state.uid(), step.state.gid(), step.state.mode(), me, is_kept)?;
        Some(Exposure { path: step.folder.clone(), who })
    };
    let mut exposures: Vec<Exposure> = found.way.iter().filter_map(of_step).collect();
    if let Some(state) = &found.state {
        // Of a folder it is what is looked up in it that matters; a file is what is looked up.
        let who = writers(state.uid(), state.gid(), state.mode(), me, false);
        exposures.extend(who.map(|who| Exposure { path: found.entry.path(), who }));
    }
    exposures.sort_by_key(|exposure| std::cmp::Reverse(exposure.who));
    exposures.dedup();
    exposures
}

fn is_trusted(user: u32, me: u32) -> bool {
    user == 0 || user == me
}

/// The users and groups that may write, others than its owner and root; an owner who is neither root nor oneself is
/// somebody else too.
/// In a folder that is sticky nobody can exchange what belongs to those who are trusted (`is_kept`).
fn writers(owner: u32, group: u32, mode: u32, me: u32, is_kept: bool) -> Option<Who> {
    if mode & 0o002 != 0 && !is_kept {
        return Some(Who::Everybody);
    }
    if !is_trusted(owner, me) {
        return Some(Who::Owner(owner));
    }
    // Root's group has root in it; an ordinary user's own files are mostly writable by a group that is that user's.
    (mode & 0o020 != 0 && !is_kept && group != 0 && owner == 0).then_some(Who::Group(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_write() {
        for (owner, group, mode, me, is_kept, who) in [
            (0, 0, 0o755, 0, false, None),
            (0, 0, 0o775, 0, false, None),
            (0, 50, 0o2775, 0, false, Some(Who::Group(50))),
            (0, 0, 0o777, 0, false, Some(Who::Everybody)),
            (0, 0, 0o1777, 0, true, None),
            (0, 0, 0o1777, 0, false, Some(Who::Everybody)),
            (1000, 1000, 0o755, 0, false, Some(Who::Owner(1000))),
            (1000, 1000, 0o775, 1000, false, None),
            (1000, 1000, 0o1777, 0, true, Some(Who::Owner(1000))),
        ] {
            assert_eq!(writers(owner, group, mode, me, is_kept), who, "{owner} {group} {mode:o} {me}");
        }
    }
}
