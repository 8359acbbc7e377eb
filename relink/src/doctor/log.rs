//! The error log: how the server's children started last, and which messages it has.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::files;
use crate::generation::Named;

/// So much of a log's end is read.
const TAIL: u64 = 8 << 20;

/// The codes of a child's start (src/server/messages.rs of the library).
const ACTIVE: &str = "MPC0001";
const SWITCHED_OFF: &str = "MPC0002";

/// Our lines in a log.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub started: Option<Started>,
    /// How often each other code is there.
    pub messages: BTreeMap<String, usize>,
}

/// The last line of a child's start.
#[derive(Debug, PartialEq, Eq)]
pub struct Started {
    pub version: String,
    /// The generation that it found, and the version of Python; `None` if it was switched off.
    pub active: Option<(Named, String)>,
}

/// Look for them in a log.
pub fn told(log: &Path) -> std::io::Result<Told> {
    let found = files::find(log)?;
    let mut file: File = found.entry.folder.open(&found.entry.name)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut text = Vec::new();
    file.take(TAIL).read_to_end(&mut text)?;
    let mut told = Told::default();
    for line in String::from_utf8_lossy(&text).lines() {
        match message(line) {
            Some((code @ (ACTIVE | SWITCHED_OFF), text)) => told.started = started(code, text).or(told.started),
            Some((code, _)) => *told.messages.entry(code.to_owned()).or_default() += 1,
            None => {}
        }
    }
    Ok(told)
}

/// The code and the text of a line of ours.
fn message(line: &str) -> Option<(&str, &str)> {
    line.match_indices("MPC").find_map(|(at, _)| {
        let (code, rest) = line[at..].split_at_checked(7)?;
        let text = rest.strip_prefix(": ")?;
        let text = text.strip_prefix("modpython-core: ").or_else(|| text.strip_prefix("mod_python: "))?;
        code[3..].bytes().all(|byte| byte.is_ascii_digit()).then_some((code, text))
    })
}

fn started(code: &str, text: &str) -> Option<Started> {
    let (version, rest) = text.strip_prefix("version ")?.split_once(' ')?;
    let version = version.to_owned();
    if code == SWITCHED_OFF {
        return Some(Started { version, active: None });
    }
    let rest = rest.strip_prefix("active, mod_python generation ")?;
    let (generation, python) = rest.split_once(", Python ")?;
    let python = python.split_whitespace().next().unwrap_or_default();
    Some(Started { version, active: Some((generation.into(), python.to_owned())) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_start_counts() {
        let workspace = tempfile::tempdir().unwrap();
        let log = workspace.path().join("error.log");
        let head = "[Thu Nov 26 13:18:29 2026] [python:notice] [pid 7]";
        let on =
            format!("{head} MPC0001: modpython-core: version 0.1.0 active, mod_python generation 3.5, Python 3.11\n");
        let off = format!("{head} MPC0002: modpython-core: version 0.1.0 is switched off by MODPYTHON_CORE=off\n");
        let started = |lines: &str| {
            let lines = format!("{head} MPC0001: modpython-core: version 0.0.9 is nothing\n{lines}other\n");
            std::fs::write(&log, lines).unwrap();
            told(&log).unwrap().started
        };
        assert_eq!(started(""), None);
        let active = Some(("3.5".into(), "3.11".to_owned()));
        assert_eq!(started(&on), Some(Started { version: "0.1.0".into(), active }));
        assert_eq!(started(&format!("{on}{off}")), Some(Started { version: "0.1.0".into(), active: None }));
        assert!(told(&workspace.path().join("absent")).is_err());
    }

    #[test]
    fn a_message_is_told_by_its_code() {
        let line = "[pid 7] MPC0010: modpython-core: interpreter 'MPC' failed";
        assert_eq!(message(line), Some(("MPC0010", "interpreter 'MPC' failed")));
        assert_eq!(message("MPC0024: mod_python: import"), Some(("MPC0024", "import")));
        for other in ["MPC0010 alone", "MPC001: modpython-core: x", "MPCéé: modpython-core: x", "MPC0010: other: x"] {
            assert_eq!(message(other), None);
        }
    }
}
