//! `modpython-relink patch`: the lines that a source tree of mod_python gets, as diffs or in the tree itself.
//!
//! [`tree`] reads it, and [`release_line`] says which mod_python it may be; [`anchors`] finds the places, and
//! [`mod@grounds`] what the macros rely on; [`releases`] knows the places for the files of a release, [`edit`] puts
//! lines in and writes diffs, [`output`] writes what a packager takes, [`mod@change`] what the tree gets, and
//! [`reverse`] takes the lines back.

mod anchors;
mod change;
mod edit;
mod grounds;
mod output;
mod probe;
mod release_line;
mod releases;
mod reverse;
mod tree;

use serde_json::{Value, json};

use crate::cli::PatchArguments;
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::files::Change;
use crate::report::Report;
use crate::stamp::sha256;
use crate::text;
use crate::text::Shown;
use anchors::Target;
use edit::Edit;
pub use probe::probe;
use releases::{RELEASES, Release, Shipped};
use tree::Tree;

/// The tree of the command line: its diffs, or the lines in it, or out of it.
pub fn patch(arguments: &PatchArguments) -> Result<Report, Failure> {
    let tree = Tree::read(&arguments.tree)?;
    if arguments.reverse {
        return reverse::reverse(arguments, &tree);
    }
    let patched = tree.patched();
    if !patched.is_empty() {
        let files = patched.iter().map(|target| target.path()).collect::<Vec<_>>().join(", ");
        return Err(Failure::AlreadyPatched { path: tree.top.clone(), files });
    }
    let (edits, release) = edits(&tree, RELEASES)?;
    // Several releases have the same files, and those of 3.5.0.1 and later all say 3.5.0.
    let named = release.map(|release| release.version).filter(|version| version.starts_with(&tree.version));
    let version = named.unwrap_or(&tree.version);
    let grounds = grounds(&tree, release)?;
    let mut report = describe(arguments, &tree, &edits, release.is_some(), version);
    report.json["grounds"] = grounds;
    if arguments.apply {
        let changes = tree.originals.iter().zip(&edits).map(|(original, edit)| Change::Of(original, edit.after()));
        report.warnings.extend(change::change(arguments, &changes.collect::<Vec<_>>())?);
    } else {
        output::write(arguments, &tree, version, &edits, &mut report)?;
    }
    Ok(report)
}

/// The calls that the macros change, each with the lines that its macro relies on, for the report.
fn grounds(tree: &Tree, release: Option<&Release>) -> Result<Value, Failure> {
    let core = Target::ModPython;
    let content = tree.files.iter().find(|(target, _)| *target == core).map_or(&[][..], |(_, content)| content);
    let anchor = |detail| Failure::Anchor { path: tree.top.join(core.path()), detail };
    let found = grounds::find(tree.release_line, content).map_err(anchor)?;
    if let Some(release) = release.filter(|release| grounds::recorded(release.version) != found) {
        return Err(anchor(format!(
            "the code that the macros rely on is not at the lines recorded for {}",
            release.version
        )));
    }
    Ok(found.iter().map(|found| json!({ "call": found.call, "lines": found.lines })).collect())
}

/// The additions to each file: those of the patch set where all files are those of a release, or else at the places
/// that are found.
fn edits<'set>(tree: &Tree, set: &'set [Release]) -> Result<(Vec<Edit>, Option<&'set Release>), Failure> {
    let released = released(tree, set);
    let mut edits = Vec::new();
    for (at, (target, content)) in tree.files.iter().enumerate() {
        let anchor = |detail| Failure::Anchor { path: tree.top.join(target.path()), detail };
        let additions = match &released {
            Some((_, diffs)) => diffs[at].additions.clone(),
            None => target.additions(tree.release_line, content).map_err(anchor)?,
        };
        let edit = Edit { path: target.path(), before: content.clone(), additions };
        let wrong = released.as_ref().filter(|(_, diffs)| sha256(&edit.after()) != diffs[at].after);
        if let Some((release, _)) = wrong {
            return Err(anchor(format!(
                "the patch set's diff for {} does not give the file that it names",
                release.version
            )));
        }
        edits.push(edit);
    }
    Ok((edits, released.map(|(release, _)| release)))
}

/// The release whose files these are, byte for byte, with its diffs in the files' order.
fn released<'set>(tree: &Tree, set: &'set [Release]) -> Option<(&'set Release, Vec<Shipped>)> {
    let sums: Vec<_> = tree.files.iter().map(|(target, content)| (*target, sha256(content))).collect();
    set.iter().find_map(|release| {
        let diffs = release.parsed()?;
        let is_of =
            |(diff, (target, sum)): (&Shipped, &(Target, String))| diff.path == target.path() && diff.before == *sum;
        (diffs.len() == sums.len() && diffs.iter().zip(&sums).all(is_of)).then_some((release, diffs))
    })
}

fn describe(arguments: &PatchArguments, tree: &Tree, edits: &[Edit], released: bool, version: &str) -> Report {
    let origin = match released {
        true => "as it was released: the patch set has it",
        false => "not as one of the patch set's releases: the places are found by the code around them",
    };
    let mut lines = format!("mod_python {version} in {}\n  {origin}\n", tree.top.shown());
    let mut files: Vec<Value> = Vec::new();
    let tense = if arguments.apply && !arguments.dry_run { "added" } else { "to add" };
    for edit in edits {
        let places: Vec<String> = edit.additions.iter().map(|addition| addition.after.to_string()).collect();
        lines.push_str(&format!(
            "{}: {} lines {tense}, after line {}\n",
            edit.path,
            edit.added(),
            places.join(" and ")
        ));
        files.push(json!({
            "path": edit.path,
            "added": edit.added(),
            "after_lines": edit.additions.iter().map(|addition| addition.after).collect::<Vec<_>>(),
            "sha256_before": sha256(&edit.before),
            "sha256_after": sha256(&edit.after()),
        }));
    }
    if arguments.apply {
        lines.push_str("They are built with the library installed (pkg-config has to find modpython-core); configure and make as usual.\n");
        let top = text::shell_word_to_print(&tree.top);
        lines.push_str(&format!("The way back: modpython-relink patch --reverse {top}\n"));
    }
    let json = json!({
        "tree": text::path(&tree.top),
        "version": version,
        "generation": tree.release_line.name(),
        "released": released,
        "applied": arguments.apply && !arguments.dry_run,
        "dry_run": arguments.dry_run,
        "files": files,
    });
    Report::new(ExitStatus::Ok, lines, json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use release_line::ReleaseLine;
    use std::path::PathBuf;

    const CORE: &str = "#include \"mod_python.h\"\nstatic x *get_interpreter(void)\nstatic void release_interpreter(void)\n\
                        apr_status_t python_cleanup(void *data)\n";

    fn tree(core: &str) -> Tree {
        let files = vec![(Target::ModPython, core.as_bytes().to_vec())];
        Tree {
            top: PathBuf::new(),
            version: "3.1.9".to_owned(),
            release_line: ReleaseLine::V31,
            files,
            originals: Vec::new(),
        }
    }

    /// A set of one release, whose diff goes in elsewhere than the generator's, to tell the two apart.
    fn set(after: &str) -> [Release; 1] {
        let before = sha256(CORE.as_bytes());
        let diff = format!(
            "sha256 before: {before}\nsha256 after:  {after}\n--- a/src/mod_python.c\n+++ b/src/mod_python.c\n\
             @@ -2,0 +3 @@\n+{}\n",
            anchors::BEFORE
        );
        [Release { version: "3.1.9", diffs: vec![&*diff.leak()].leak() }]
    }

    #[test]
    fn the_set_serves_the_very_files_of_its_release_and_no_others() {
        let wanted = CORE.replacen("void)\nstatic void", &format!("void)\n{}\nstatic void", anchors::BEFORE), 1);
        let set = set(&sha256(wanted.as_bytes()));
        let (edits, release) = edits(&tree(CORE), &set).unwrap();
        assert_eq!((edits[0].after(), release.unwrap().version), (wanted.into(), "3.1.9"));
        let changed = format!("/* changed */\n{CORE}");
        let (edits, release) = super::edits(&tree(&changed), &set).unwrap();
        assert!(release.is_none());
        assert_eq!(edits[0].additions, Target::ModPython.additions(ReleaseLine::V31, changed.as_bytes()).unwrap());
    }

    #[test]
    fn a_result_that_is_not_the_one_of_the_set_is_refused() {
        let refused = edits(&tree(CORE), &set("0")).unwrap_err();
        assert_eq!(refused.status(), ExitStatus::Anchor);
    }
}
