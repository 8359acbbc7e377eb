//! The diffs as files: one for each file of the tree, or one patch with its entry in a quilt series.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::edit::Edit;
use super::releases::{SUM_AFTER, SUM_BEFORE};
use super::tree::Tree;
use crate::cli::PatchArguments;
use crate::failure::Failure;
use crate::files::{self as disk, Change, Original};
use crate::report::Report;
use crate::stamp::sha256;
use crate::text::{self, Shown};

/// The patch's name in a quilt series.
const QUILT_PATCH: &str = "modpython-core.patch";
const SERIES: &str = "series";
/// The end of the default folder's name; the tree's name is before it.
const DEFAULT_SUFFIX: &str = ".modpython-core-patches";
/// By which a file is known to be one of these.
const MARK: &str = "modpython-relink patch";

/// Write the diffs, and say so in the report.
pub fn write(
    arguments: &PatchArguments,
    tree: &Tree,
    version: &str,
    edits: &[Edit],
    report: &mut Report,
) -> Result<(), Failure> {
    let directory = &match &arguments.output {
        Some(directory) => text::absolute(directory),
        None => beside(&tree.top)?,
    };
    let files = match arguments.quilt {
        true => quilt(directory, arguments, tree, version, edits, report)?,
        false => diffs(directory, arguments, version, edits),
    };
    let old = files.iter().map(|(path, _)| replaceable(path)).collect::<Result<Vec<_>, _>>()?;
    check_writable(directory, &files)?;
    if !arguments.dry_run {
        let made: Vec<_> = directory.ancestors().take_while(|folder| !folder.exists()).map(Path::to_owned).collect();
        fs::create_dir_all(directory)
            .map_err(|error| Failure::unwritable(directory, error))
            .and_then(|()| put(&files, &old))
            .inspect_err(|_| {
                // Nothing was written; folders that are empty go too, the innermost first.
                for folder in &made {
                    let _ = fs::remove_dir(folder);
                }
            })?;
    }
    let written = if arguments.dry_run { "would write" } else { "written" };
    for (path, _) in &files {
        report.text.push_str(&format!("{written}: {}\n", path.shown()));
    }
    let top = text::shell_word_to_print(&tree.top);
    report.text.push_str(&match arguments.quilt {
        true => format!("To apply it: QUILT_PATCHES={} quilt push, in {top}\n", text::shell_word_to_print(directory)),
        false => format!("To apply them: patch -p1 -d {top} <FILE, for each; or git apply FILE\n"),
    });
    report.json["output"] = json!(files.iter().map(|(path, _)| text::path(path)).collect::<Vec<_>>());
    Ok(())
}

/// The folder for a tree's diffs, beside it and with its name: it does not depend on the current directory, it is no
/// part of the tree, and two trees in one folder have one each.
fn beside(top: &Path) -> Result<PathBuf, Failure> {
    let top = fs::canonicalize(top).map_err(|error| Failure::unwritable(top, error))?;
    let mut name = top.file_name().unwrap_or_default().to_owned();
    name.push(DEFAULT_SUFFIX);
    Ok(top.with_file_name(name))
}

/// Refuses files that could not be written, or a folder that could not be made.
fn check_writable(directory: &Path, files: &[(PathBuf, Vec<u8>)]) -> Result<(), Failure> {
    let check = |path: &Path| {
        let found = disk::find(path).map_err(|error| Failure::unwritable(path, error))?;
        disk::check_writable(&found.entry)
    };
    match directory.ancestors().take_while(|folder| !folder.exists()).last() {
        Some(outermost) => check(outermost),
        None => files.iter().try_for_each(|(path, _)| check(path)),
    }
}

/// Puts the files in the place of the old ones, all or none.
fn put(files: &[(PathBuf, Vec<u8>)], old: &[Option<Original>]) -> Result<(), Failure> {
    let mut changes = Vec::new();
    for ((path, content), old) in files.iter().zip(old) {
        changes.push(match old {
            Some(old) => Change::Of(old, content.clone()),
            None => {
                let found = disk::find(path).map_err(|error| Failure::unwritable(path, error))?;
                Change::New(found.entry, content.clone())
            }
        });
    }
    disk::change_all(&changes)
}

/// One diff for a file of the tree, with its sums.
fn diffs(directory: &Path, arguments: &PatchArguments, version: &str, edits: &[Edit]) -> Vec<(PathBuf, Vec<u8>)> {
    let diff = |edit: &Edit| {
        let name = Path::new(edit.path).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let content = format!(
            "mod_python {version}: {} lines are added to {}.\nMade by `{MARK}`, which applies it too{}.\n{SUM_BEFORE}{}\n{SUM_AFTER}{}\n\n",
            edit.added(),
            edit.path,
            if arguments.context == 0 { " and compares the sums; patch(1) would not notice another file" } else { "" },
            sha256(&edit.before),
            sha256(&edit.after()),
        );
        let mut content = content.into_bytes();
        content.extend(edit.diff(arguments.context.into()));
        (directory.join(format!("{name}.diff")), content)
    };
    edits.iter().map(diff).collect()
}

/// One patch with the head that Debian asks for (DEP 3), and the series with its name at the end.
fn quilt(
    directory: &Path,
    arguments: &PatchArguments,
    tree: &Tree,
    version: &str,
    edits: &[Edit],
    report: &mut Report,
) -> Result<Vec<(PathBuf, Vec<u8>)>, Failure> {
    let mut patch = format!(
        "Description: One interpreter per name, and one load per version of a module\n\
         \x20Puts modpython-core in the place of mod_python's interpreter path. Lines are added and none is changed.\n\
         \x20To build it, pkg-config has to find modpython-core.\n\
         Origin: vendor, `{MARK}`, for mod_python {version}\n\
         Forwarded: not-needed\n\n"
    )
    .into_bytes();
    for edit in edits {
        patch.extend(edit.diff(arguments.context.into()));
    }
    let path = directory.join(SERIES);
    let mut series = replaceable(&path)?.map(|old| old.content).unwrap_or_default();
    let names: Vec<String> = names(&series);
    let before: Vec<&String> = names.iter().take_while(|name| *name != QUILT_PATCH).collect();
    let applied =
        fs::read(tree.top.join(".pc/applied-patches")).map(|applied| self::names(&applied)).unwrap_or_default();
    if let Some(missing) = before.iter().find(|name| !applied.contains(**name)) {
        report.warnings.push(format!(
            "{} has {missing} before it, which quilt has not applied in this tree: if it is not in the files either, push \
             all patches (quilt push -a) and run this again",
            path.shown()
        ));
    }
    if before.len() == names.len() {
        if !series.is_empty() && !series.ends_with(b"\n") {
            series.push(b'\n');
        }
        series.extend(format!("{QUILT_PATCH}\n").into_bytes());
    }
    Ok(vec![(directory.join(QUILT_PATCH), patch), (path, series)])
}

/// The patches of a series, without what follows a name, and without remarks.
fn names(series: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(series);
    let names = text.lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|name| !name.starts_with('#')).map(str::to_owned).collect()
}

/// The file of this name, if there is one that may be replaced: a series, which is added to, or a file of this
/// command's, which can be made again. Any other may be the only copy.
fn replaceable(path: &Path) -> Result<Option<Original>, Failure> {
    let is_series = path.file_name().is_some_and(|name| name == SERIES);
    match Original::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::unwritable(path, error)),
        Ok(old) if is_series || String::from_utf8_lossy(&old.content).contains(MARK) => Ok(Some(old)),
        Ok(_) => {
            Err(Failure::unwritable(path, "it exists and was not made by this command: remove it or choose another"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_read_without_options_and_remarks() {
        assert_eq!(names(b"a.patch\n# b.patch\n\nc.patch -p0 # why\n"), ["a.patch", "c.patch"]);
    }
}
