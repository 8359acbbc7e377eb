//! The marks that tell one version of a file from another.

/// A version of a file, as `stat(2)` shows it. Two are the same only if every field is: a time that went backwards, a
/// rename from another file and an edit of the same second each make a new one. Where the time of the last change is
/// all that differs, the file may be what it was: [`Version::but_for_change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Modification time: whole seconds since the epoch.
    pub seconds: i64,
    /// Modification time: nanoseconds within the second; 0 on a file system that has none.
    pub nanoseconds: i64,
    /// Time of the last change of the inode (ctime), seconds and nanoseconds: it tells a file from one that was made in
    /// the place of another, with the number, the size and the time of that one. `chmod`, `chown`, a hard link and a
    /// rename change it too.
    pub changed: (i64, i64),
    /// Size in bytes. On a file system with whole seconds this is what tells two edits of one second apart.
    pub size: i64,
    /// Inode number. It tells a file from the one that was renamed into its place with time and size preserved.
    pub inode: u64,
    /// Device number, without which an inode number says nothing.
    pub device: u64,
}

impl Version {
    /// Whether the time of the last change of the inode is all that may tell these two apart. It says that somebody has
    /// been there, but not whether to write: the content has to say that.
    pub fn but_for_change(&self, other: &Self) -> bool {
        Self { changed: other.changed, ..*self } == *other
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    const SOME: Version =
        Version { seconds: 1_700_000_000, nanoseconds: 5, changed: (9, 9), size: 20, inode: 7, device: 1 };

    #[test]
    fn any_field_makes_another_version() {
        let others = [
            Version { seconds: SOME.seconds - 1, ..SOME },
            Version { nanoseconds: 6, ..SOME },
            Version { changed: (9, 10), ..SOME },
            Version { size: 21, ..SOME },
            Version { inode: 8, ..SOME },
            Version { device: 2, ..SOME },
        ];
        assert!(others.iter().all(|other| *other != SOME));
    }

    #[test]
    fn a_change_of_the_inode_alone_is_told_from_all_others() {
        assert!(SOME.but_for_change(&Version { changed: (1, 1), ..SOME }));
        let others = [
            Version { seconds: SOME.seconds - 1, ..SOME },
            Version { nanoseconds: 6, ..SOME },
            Version { size: 21, ..SOME },
            Version { inode: 8, ..SOME },
            Version { device: 2, ..SOME },
        ];
        assert!(others.iter().all(|other| !SOME.but_for_change(&Version { changed: (1, 1), ..*other })));
    }
}
