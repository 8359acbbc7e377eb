//! Which file systems answer `stat(2)` from memory, and which may have to ask another machine.

/// Where a file lives, which decides whether its `stat(2)` may keep the GIL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystemKind {
    /// The kernel answers from its own caches: cheaper than giving the GIL up and taking it back.
    Local,
    /// Another machine or another process may have to answer: with the GIL held, a server that hangs would freeze
    /// every thread of this process.
    Remote,
}

/// `f_type` of the file systems that are known to answer by themselves (linux/magic.h and the file systems' own
/// sources). The list names the local ones: a kind it does not know may hang, and only costs a little if it does not.
const LOCAL: [u32; 16] = [
    0x0000_ef53, // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // Btrfs
    0xf2f5_2010, // F2FS
    0x2fc1_2fc1, // ZFS
    0xca45_1a4e, // bcachefs
    0x794c_7630, // overlayfs
    0x6173_6673, // aufs
    0x0102_1994, // tmpfs
    0x8584_58f6, // ramfs
    0x7371_7368, // squashfs
    0xe0f5_e1e2, // EROFS
    0x5265_4973, // ReiserFS
    0x3153_464a, // JFS
    0x0000_3434, // NILFS
    0x0000_4d44, // FAT
];

impl FileSystemKind {
    /// The kind of a file system whose `statfs(2)` says `f_type`.
    pub fn of_filesystem(f_type: u32) -> Self {
        if LOCAL.contains(&f_type) { Self::Local } else { Self::Remote }
    }
}

#[cfg(test)]
mod tests {
    use super::FileSystemKind;

    #[test]
    fn disks_and_memory_are_local() {
        for f_type in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630] {
            assert_eq!(FileSystemKind::of_filesystem(f_type), FileSystemKind::Local);
        }
    }

    #[test]
    fn what_another_machine_or_process_serves_is_remote() {
        let nfs_smb_cifs_smb2 = [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42];
        let afs_ceph_9p_fuse = [0x5346_414f, 0x00c3_6400, 0x0102_1997, 0x6573_5546];
        let gfs2_ocfs2_lustre_coda = [0x0116_1970, 0x7461_636f, 0x0bd0_0bd0, 0x7375_7245];
        for f_type in [nfs_smb_cifs_smb2, afs_ceph_9p_fuse, gfs2_ocfs2_lustre_coda].concat() {
            assert_eq!(FileSystemKind::of_filesystem(f_type), FileSystemKind::Remote);
        }
    }

    #[test]
    fn an_unknown_kind_is_taken_for_remote() {
        assert_eq!(FileSystemKind::of_filesystem(0xdead_beef), FileSystemKind::Remote);
    }
}
