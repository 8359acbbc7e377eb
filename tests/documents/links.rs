//! Links between the documents, and the length of the first of them.

use crate::sources;
use std::fs;

/// The targets of the links in a text of Markdown.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("](").filter_map(|(at, _)| text[at + 2..].split(')').next())
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn every_link_leads_somewhere() {
    let mut looked_at = 0;
    for (path, text) in sources::with_extension("", "md") {
        for link in links(&text).filter(|link| !link.starts_with("http")) {
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.with_file_name("").join(file) };
            assert!(target.exists(), "{link} in {} leads nowhere", path.display());
            if !place.is_empty() {
                let target = fs::read_to_string(&target).expect("a document");
                let headings = target.lines().filter(|line| line.starts_with('#'));
                let known =
                    headings.map(|line| anchor(line.trim_start_matches('#').trim())).any(|known| known == place);
                assert!(known, "{link} in {} leads to no heading", path.display());
            }
            looked_at += 1;
        }
    }
    assert!(looked_at > 20, "only {looked_at} links were looked at");
}

#[test]
fn the_first_document_is_short() {
    const MOST: usize = 450;
    let text = fs::read_to_string(sources::root().join("README.md")).expect("README.md");
    let (before, _) = text.split_once("\n## Links\n").expect("a section Links");
    let words = before.split_whitespace().count();
    assert!(words <= MOST, "README.md has {words} words before its links, more than {MOST}");
}
