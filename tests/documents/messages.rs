//! The messages of the error log: the man page explains each that the sources write.

use crate::sources;
use modpython_core::server::messages::Message;
use std::{collections::BTreeMap, fs, path::Path};

const PAGE: &str = "docs/modpython-core.7";

/// The man page's text under each code, without roff's requests.
fn explained(root: &Path) -> BTreeMap<String, String> {
    let page = fs::read_to_string(root.join(PAGE)).expect("the man page");
    let section = page.split("\n.SH ").find(|section| section.starts_with("MESSAGES\n")).expect("a section MESSAGES");
    let mut entries = BTreeMap::new();
    for entry in section.split("\n.TP\n").skip(1) {
        let (head, body) = entry.split_once('\n').expect("a text below the head");
        let code = head.split_whitespace().nth(1).expect("a code").trim_start_matches('"').to_owned();
        assert!(entries.insert(code.clone(), body.to_owned()).is_none(), "{code} is in {PAGE} twice");
    }
    entries
}

#[test]
fn every_code_is_in_the_man_page_and_the_reverse() {
    let mut explained = explained(sources::root());
    for (name, message) in Message::ALL {
        let text = explained.remove(&message.code()).unwrap_or_else(|| {
            let code = message.code();
            panic!("{code} ({name}) has no entry in the section MESSAGES of {PAGE}; write one as the last one there")
        });
        let severity = format!(".I Severity:\n{}.\n", message.severity().word());
        assert!(text.starts_with(&severity), "{name}: the severity in {PAGE} is another\n{text}");
        for part in [".I Cause:\n", ".I Outcome:\n", ".I To do:\n"] {
            let (_, rest) = text.split_once(part).unwrap_or_else(|| panic!("{name} has no {part} in {PAGE}"));
            assert!(rest.trim_end().ends_with('.'), "{name}: {part}");
        }
    }
    assert!(explained.is_empty(), "these codes are in {PAGE} alone: {:?}", explained.keys());
}

#[test]
fn every_code_is_written_somewhere_and_what_is_written_has_a_code() {
    let rust = sources::with_extension("src", "rs");
    let python = sources::with_extension("python", "py");
    for (name, message) in Message::ALL {
        let by_rust = rust.iter().filter(|(path, _)| !path.ends_with("messages.rs")).any(|(_, text)| {
            text.match_indices(&format!("Message::{name}"))
                .any(|(at, found)| !text[at + found.len()..].starts_with(|next: char| next.is_alphanumeric()))
        });
        let by_python = python.iter().any(|(_, text)| text.contains(&format!("{}: ", message.code())));
        assert!(by_rust || by_python, "nothing writes {name}");
    }
    for (path, text) in &python {
        for (at, _) in text.match_indices("MPC") {
            let code = &text[at..at + 7];
            let known = Message::ALL.iter().any(|(_, message)| message.code() == code);
            assert!(known, "{code} in {} is not in src/server/messages.rs", path.display());
        }
        // mod_python's own notice is the one line of the shim without a code.
        for line in text.lines().filter(|line| line.contains("mod_python: ") && !line.contains("(Re)importing")) {
            assert!(line.contains("MPC"), "a line without a code in {}: {line}", path.display());
        }
    }
}
