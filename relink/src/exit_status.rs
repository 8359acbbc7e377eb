//! How a run ends: a number for a shell, a stable word for a script, and what it means.

macro_rules! exit_statuses {
    ($($name:ident = $code:literal, $word:literal: $meaning:literal;)+) => {
        /// A way a run can end.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ExitStatus {
            $(#[doc = $meaning] $name),+
        }

        impl ExitStatus {
            /// All of them. The help is printed from this list, and tests compare the man page with it.
            pub const ALL: &[ExitStatus] = &[$(ExitStatus::$name),+];

            /// The process's exit code.
            pub fn code(self) -> u8 {
                match self { $(ExitStatus::$name => $code),+ }
            }

            /// The stable word: `state` of what succeeded or was checked, `error` of everything else.
            pub fn word(self) -> &'static str {
                match self { $(ExitStatus::$name => $word),+ }
            }

            /// Its meaning, for `--help`.
            pub fn meaning(self) -> &'static str {
                match self { $(ExitStatus::$name => $meaning),+ }
            }
        }
    };
}

exit_statuses! {
    Ok = 0, "ok": "done; with --check: relinked and current";
    Usage = 2, "usage": "the command line is wrong";
    Stock = 10, "stock": "--check: the module is stock";
    Stale = 11, "stale": "--check: relinked, but its source has been upgraded since";
    Broken = 12, "broken": "--check: relinked, but its library is missing or does not fit";
    Reverted = 13, "reverted": "doctor: stock again since an upgrade, after it was relinked in place";
    Unreadable = 20, "unreadable": "the module is not found or cannot be read";
    NotElf = 21, "not-elf": "the file is not ELF";
    Damaged = 22, "damaged": "the file is truncated or damaged";
    Architecture = 23, "architecture": "the module is for another architecture than the library";
    NotModPython = 24, "not-mod-python": "the file is not mod_python";
    Generation = 25, "generation": "this generation of mod_python is not supported";
    Libpython = 26, "libpython": "the module uses another libpython than the library";
    FreeThreaded = 27, "free-threaded": "the module uses a free-threaded Python";
    AlreadyRelinked = 28, "already-relinked": "the module has been relinked already";
    Layout = 29, "layout": "the file is laid out in a way that cannot be rewritten";
    Library = 30, "library": "the library of modpython-core is not found or does not fit";
    Unwritable = 31, "unwritable": "the target cannot be written; nothing was changed";
    Restore = 32, "restore": "--restore: there is nothing that can be put back";
    Exposed = 33, "exposed": "--in-place: everybody may write to a folder on the way; nothing was changed";
    NotATree = 40, "not-a-tree": "patch: the folder is not a source tree of mod_python";
    Anchor = 41, "anchor": "patch: a place in the tree is missing or doubled; nothing was changed";
    AlreadyPatched = 42, "already-patched": "patch: the tree has been patched already, wholly or partly";
    NotPatched = 43, "not-patched": "patch --reverse: the tree is not patched";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_code_and_no_word_has_two_meanings() {
        let codes: BTreeSet<u8> = ExitStatus::ALL.iter().map(|status| status.code()).collect();
        let words: BTreeSet<&str> = ExitStatus::ALL.iter().map(|status| status.word()).collect();
        assert_eq!((codes.len(), words.len()), (ExitStatus::ALL.len(), ExitStatus::ALL.len()));
    }
}
