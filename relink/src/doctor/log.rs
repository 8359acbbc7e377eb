//! What the children of a running server said when they started.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::files;

/// So much of a log's end is read.
const TAIL: u64 = 8 << 20;

/// The last line of a child's start.
#[derive(Debug, PartialEq, Eq)]
pub struct Started {
    pub version: String,
    /// Of the interpreter path that was taken over; none if it was switched off.
    pub active: Option<(String, String)>,
}

/// Look for it in a log.
pub fn last_start(log: &Path) -> std::io::Result<Option<Started>> {
    let found = files::find(log)?;
    let mut file: File = found.entry.folder.open(&found.entry.name)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut text = Vec::new();
    file.take(TAIL).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).lines().rev().find_map(parse))
}

fn parse(line: &str) -> Option<Started> {
    let (_, rest) = line.split_once("modpython-core: version ")?;
    let (version, rest) = rest.split_once(' ')?;
    let version = version.to_owned();
    if rest.starts_with("is switched off") {
        return Some(Started { version, active: None });
    }
    let rest = rest.strip_prefix("active, mod_python generation ")?;
    let (generation, python) = rest.split_once(", Python ")?;
    let python = python.split_whitespace().next().unwrap_or_default();
    Some(Started { version, active: Some((generation.to_owned(), python.to_owned())) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_start_counts() {
        let place = tempfile::tempdir().unwrap();
        let log = place.path().join("error.log");
        let head = "[Thu Nov 26 13:18:29 2026] [python:notice] [pid 7] modpython-core: version";
        let write = |lines: &str| std::fs::write(&log, format!("{head} 0.0.9 is nothing\n{lines}other\n")).unwrap();
        write("");
        assert_eq!(last_start(&log).unwrap(), None);
        write(&format!("{head} 0.1.0 active, mod_python generation 3.5, Python 3.11\n"));
        let active = Some(("3.5".to_owned(), "3.11".to_owned()));
        assert_eq!(last_start(&log).unwrap(), Some(Started { version: "0.1.0".into(), active }));
        write(&format!(
            "{head} 0.1.0 active, mod_python generation 3.5, Python 3.11\n{head} 0.1.0 is switched off by MODPYTHON_CORE=off\n"
        ));
        assert_eq!(last_start(&log).unwrap(), Some(Started { version: "0.1.0".into(), active: None }));
        assert!(last_start(&place.path().join("absent")).is_err());
    }
}
