//! The invariants of a patched file, whatever the file was: for fuzzers.

use super::anchors::Target;
use super::edit::Edit;
use super::release_line::ReleaseLine;
use super::reverse::without;

/// Add the lines and take them out again.
///
/// # Panics
/// If they do not come out as they went in, or the diff has a line removed.
pub fn probe(release_line: u8, target: u8, content: &[u8]) {
    let versions = ["3.1", "3.2", "3.3", "3.5"];
    let Some(release_line) = ReleaseLine::of(versions[usize::from(release_line) % versions.len()]) else { return };
    let targets = Target::of(release_line);
    let target = targets[usize::from(target) % targets.len()];
    let Ok(additions) = target.additions(release_line, content) else { return };
    let edit = Edit { path: target.path(), before: content.to_vec(), additions };
    let after = edit.after();
    for context in [0, 3] {
        let diff = edit.diff(context);
        let lines = diff.split(|byte| *byte == b'\n').skip(2);
        assert!(lines.clone().all(|line| !line.starts_with(b"-")), "a line is removed");
        let added = lines.filter(|line| line.starts_with(b"+")).count();
        assert_eq!(added, edit.added(), "another number of lines is added");
    }
    // A file that had lines of ours before is refused before it comes to this.
    if !content.windows(target.mark().len()).any(|window| window == target.mark()) {
        let back = without(target, &after).map(|(back, _)| back);
        assert_eq!(back.as_deref(), Ok(content), "the lines do not come out as they went in");
    }
}
