//! Paths in text: as JSON has them, as Apache's configuration reads them, and as a shell does.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A path as a JSON string that gives the path back: a byte that is not UTF-8 is `\xNN`, a backslash `\\`.
pub fn path(path: &Path) -> Value {
    use std::os::unix::ffi::OsStrExt;
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    Value::String(text)
}

/// A path as people read it.
pub trait Shown {
    /// Escapes the characters that a terminal obeys or hides: anybody may name a folder, and root reads the output.
    fn shown(&self) -> String;
}

impl Shown for Path {
    fn shown(&self) -> String {
        use std::os::unix::ffi::OsStrExt;
        let mut text = String::new();
        for chunk in self.as_os_str().as_bytes().utf8_chunks() {
            for letter in chunk.valid().chars() {
                if letter.is_control() || is_unseen(letter) {
                    text.extend(letter.escape_default());
                } else {
                    text.push(letter);
                }
            }
            text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
        }
        text
    }
}

/// Letters that turn the direction of text, or end a line where they are obeyed.
fn is_unseen(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// As [`path`], for a path that need not be there.
pub fn path_or_null(of: Option<&Path>) -> Value {
    of.map_or(Value::Null, path)
}

/// Whether neither a shell nor Apache gives any of these characters a meaning.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+,@:=".contains(c))
}

/// Apache's line for a module. None for a path that no line can have: one that is not text, goes over a line's end, or
/// has `${NAME}` in it, which Apache replaces anywhere in a line.
pub fn load_module(path: &Path) -> Option<String> {
    let path = path.to_str()?;
    if path.contains("${") || path.chars().any(char::is_control) {
        return None;
    }
    let word = if is_plain(path) {
        path.to_owned()
    } else {
        format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
    };
    Some(format!("LoadModule python_module {word}"))
}

/// A word that a shell takes for this path. None for one that is not text.
pub fn shell_word(path: &Path) -> Option<String> {
    let path = path.to_str().filter(|path| !path.chars().any(char::is_control))?;
    Some(if is_plain(path) { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) })
}

/// In the place of a line that cannot be had.
pub const NO_LINE: &str = "(its path cannot be written in a line: use another)";

/// As [`shell_word`], for a line that is printed in any case.
pub fn shell_word_to_print(path: &Path) -> String {
    shell_word(path).unwrap_or_else(|| NO_LINE.to_owned())
}

/// The absolute form of a path, links left as they are: a report may be read elsewhere.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn a_path_is_escaped_so_that_it_can_be_had_again() {
        let of = |bytes: &[u8]| path(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(of("/a/\u{e9}.so".as_bytes()), "/a/\u{e9}.so");
        assert_eq!(of(b"/a\xff/\xc3\\xff"), "/a\\xff/\\xc3\\\\xff");
        assert_eq!(path_or_null(None), Value::Null);
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        let of = |bytes: &[u8]| Path::new(OsStr::from_bytes(bytes)).shown();
        assert_eq!(of("/a b/\u{e9}\\x.so".as_bytes()), "/a b/\u{e9}\\x.so");
        assert_eq!(of(b"/a\nb\x1b[2J\xff"), "/a\\nb\\u{1b}[2J\\xff");
        assert_eq!(of("/a\u{202e}os.m".as_bytes()), "/a\\u{202e}os.m");
    }

    #[test]
    fn a_line_of_apache_is_quoted_or_not_given() {
        let line = |text: &str| load_module(Path::new(text));
        assert_eq!(line("/a/m.so").as_deref(), Some("LoadModule python_module /a/m.so"));
        assert_eq!(line("/a b/m.so").as_deref(), Some("LoadModule python_module \"/a b/m.so\""));
        assert_eq!(line("/\"\\'#/m.so").as_deref(), Some("LoadModule python_module \"/\\\"\\\\'#/m.so\""));
        for none in ["/a\n/m.so", "/a/${HOME}/m.so", "/a\u{7f}"] {
            assert_eq!(line(none), None);
        }
        assert_eq!(load_module(Path::new(OsStr::from_bytes(b"/\xff"))), None);
    }

    #[test]
    fn a_shell_gets_one_word() {
        assert_eq!(shell_word(Path::new("/a/m.so")).as_deref(), Some("/a/m.so"));
        assert_eq!(shell_word(Path::new("/it's $HOME")).as_deref(), Some("'/it'\\''s $HOME'"));
    }
}
