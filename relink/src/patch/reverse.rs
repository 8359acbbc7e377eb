//! `patch --reverse`: the lines out of a tree again, and nothing else with them.

use serde_json::json;

use super::anchors::Target;
use super::edit::{lines, text};
use super::tree::Tree;
use crate::cli::PatchArguments;
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::files::Change;
use crate::report::Report;
use crate::stamp::sha256;

/// Take the lines back out of each file that has them.
pub fn reverse(arguments: &PatchArguments, tree: &Tree) -> Result<Report, Failure> {
    let patched = tree.patched();
    if patched.is_empty() {
        return Err(Failure::NotPatched { path: tree.top.clone() });
    }
    let (mut changes, mut changed, mut told) = (Vec::new(), Vec::new(), String::new());
    let tense = if arguments.dry_run { "would be taken out" } else { "taken out" };
    let files = tree.files.iter().zip(&tree.originals);
    for ((target, content), original) in files.filter(|((target, _), _)| patched.contains(target)) {
        let path = tree.top.join(target.path());
        let (before, taken) =
            without(*target, content).map_err(|detail| Failure::Anchor { path: path.clone(), detail })?;
        told.push_str(&format!("{}: {taken} lines {tense}\n", target.path()));
        changed.push(json!({ "path": target.path(), "removed": taken, "sha256_after": sha256(&before) }));
        changes.push(Change::Of(original, before));
    }
    let warnings = super::change::change(arguments, &changes)?;
    let json = json!({ "tree": crate::text::path(&tree.top), "version": tree.version, "dry_run": arguments.dry_run, "files": changed });
    let mut report = Report::new(ExitStatus::Ok, told, json);
    report.warnings = warnings;
    Ok(report)
}

/// The content without our lines, and how many those are. Each group has to be there once and whole, but that a
/// Makefile has one of two.
pub fn without(target: Target, content: &[u8]) -> Result<(Vec<u8>, usize), String> {
    let mut lines = lines(content);
    let mut taken = 0;
    for group in target.groups() {
        let is_here = |at: &usize| {
            let here = lines[*at..].iter().take(group.len()).map(|line| text(line));
            here.eq(group.iter().map(|line| line.as_bytes()))
        };
        let found: Vec<usize> = (0..lines.len()).filter(is_here).collect();
        match found[..] {
            [at] => {
                lines.drain(at..at + group.len());
                taken += group.len();
            }
            [] if target == Target::Makefile && group[0].contains("--libs") => {}
            [] => return Err(format!("{:?} is not there as it was added: take the lines out by hand", group[0])),
            _ => return Err(format!("{:?} is there more than once: take the lines out by hand", group[0])),
        }
    }
    Ok((lines.concat(), taken))
}

#[cfg(test)]
mod tests {
    use super::super::edit::Edit;
    use super::super::release_line::ReleaseLine;
    use super::*;

    #[test]
    fn what_was_added_is_what_is_taken() {
        for end in ["\n", "\r\n"] {
            let before = "INCLUDES=@INCLUDES@\nLDLIBS=@LDLIBS@\nX=1\n".replace('\n', end);
            let additions = Target::Makefile.additions(ReleaseLine::V35, before.as_bytes()).unwrap();
            let edit = Edit { path: "", before: before.clone().into(), additions };
            assert_eq!(without(Target::Makefile, &edit.after()), Ok((before.into(), 2)));
        }
    }

    #[test]
    fn a_line_that_somebody_has_changed_is_not_guessed() {
        let changed = "#include <modpython-core/before.h>\n#include <modpython-core/after.h> /* ours */\n";
        assert!(without(Target::ModPython, changed.as_bytes()).unwrap_err().contains("by hand"));
        let twice = "#include <modpython-core/before.h>\n".repeat(2);
        assert!(without(Target::ModPython, twice.as_bytes()).unwrap_err().contains("more than once"));
    }
}
