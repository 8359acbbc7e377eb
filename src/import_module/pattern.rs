//! Sections whose directory is a pattern: `<Directory /w/*>`, `<DirectoryMatch>`. Up to 3.2 the handler's directory is
//! the pattern itself, where nothing is to be found (MODPYTHON-63); here it is the one that the request's file lies in.
//! From 3.3 on mod_python says the right one by itself.

use crate::python::gil::Gil;
use crate::python::object::Owned;
use crate::python::text;
use crate::server::settings;
use std::os::unix::ffi::OsStrExt;
use std::{ffi::OsStr, path::Path};

/// The shell's wildcards, and the characters that only regular expressions have.
const SHELL: &[u8] = b"*?[";
const EXPRESSION: &[u8] = b"^$(|\\";

/// The directory, which is text, that a section's stands for in this request; itself, if it is no pattern.
pub(super) fn resolve(gil: &Gil, directory: Owned, file: impl FnOnce() -> Option<Owned>) -> Option<Owned> {
    if !text::any_of(gil, &directory, &[SHELL, EXPRESSION]) || !settings::of_process().cures("section-patterns") {
        return Some(directory);
    }
    // A file that is not text leaves the pattern as it is.
    let file = file().filter(|file| text::is_text(file));
    let (pattern, file) = (text::encoded(gil, &directory)?, file.and_then(|file| text::encoded(gil, &file)));
    let Some(file) = file else { return Some(directory) };
    // A directory may have such a name.
    if Path::new(OsStr::from_bytes(&pattern)).is_dir() {
        return Some(directory);
    }
    let is_directory = Path::new(OsStr::from_bytes(&file)).is_dir();
    match std::str::from_utf8(stands_for(&pattern, &file, is_directory)) {
        Ok(own) => text::new(gil, own),
        Err(_) => Some(directory),
    }
}

/// The part of the file's path, with its last slash, that a pattern stands for. A shell's pattern has as many parts as
/// what it matches; an expression says nothing of that, nor does a pattern of files' names, which `<Files>` in no
/// directory leaves: they are taken to mean the file's own directory.
fn stands_for<'f>(pattern: &[u8], file: &'f [u8], is_directory: bool) -> &'f [u8] {
    let last = if is_directory && !file.ends_with(b"/") {
        file.len()
    } else {
        file.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1)
    };
    let own = &file[..last];
    if !pattern.starts_with(b"/") || pattern.iter().any(|byte| EXPRESSION.contains(byte)) {
        return own;
    }
    let parts = pattern.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).count();
    let slashes = own.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    // The first one is the root's.
    slashes.map(|(index, _)| &own[..=index]).nth(parts).unwrap_or(own)
}

#[cfg(test)]
mod tests {
    use super::stands_for;

    #[test]
    fn a_pattern_stands_for_as_many_parts_as_it_has() {
        for (pattern, file, is_directory, wanted) in [
            ("/w/*/", "/w/a/page", false, "/w/a/"),
            ("/w/*/", "/w/a/b/c/page", false, "/w/a/"),
            ("/w/*/", "/w/a", true, "/w/a"),
            ("/w/*/", "/w/a/", true, "/w/a/"),
            ("/w/?[bc]*", "/w/abc/page", false, "/w/abc/"),
            ("^/w/(a|b)/", "/w/a/b/page", false, "/w/a/b/"),
            ("*.x/", "/w/a/b/page.x", false, "/w/a/b/"),
        ] {
            let found = stands_for(pattern.as_bytes(), file.as_bytes(), is_directory);
            assert_eq!(std::str::from_utf8(found), Ok(wanted), "{pattern} {file}");
        }
    }
}
