//! `--dry-run` refuses what the real run refuses, in the same words: files and folders that somebody has made
//! unchangeable (`chattr +i` or `+a`), which stop root too.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::craft::Recipe;
use crate::names::assert_refused;
use crate::run::{Workspace, is_root};
use crate::source_tree::Tree;

const BACKUP: &str = "mod_python.so.modpython-core-stock";

/// A path that is marked until this is dropped: a test that fails must leave a folder that can be removed.
struct Marked {
    path: PathBuf,
    mark: char,
}

impl Marked {
    /// `None` where nobody may mark a file: for an ordinary user, and on some file systems.
    fn new(path: &Path, mark: char) -> Option<Marked> {
        if chattr(&format!("+{mark}"), path) {
            return Some(Marked { path: path.to_owned(), mark });
        }
        assert!(!is_root(), "root may mark files of the target folder unchangeable (chattr +i)");
        None
    }
}

impl Drop for Marked {
    fn drop(&mut self) {
        chattr(&format!("-{}", self.mark), &self.path);
    }
}

fn chattr(change: &str, path: &Path) -> bool {
    Command::new("chattr").arg(change).arg(path).status().unwrap().success()
}

/// Not in /tmp, which may be a tmpfs without such marks.
fn workspace() -> Workspace {
    Workspace::within(Path::new(env!("CARGO_TARGET_TMPDIR")))
}

/// Both runs are refused with one sentence, which names the file.
fn assert_both_refused(workspace: &Workspace, arguments: &[&str], name: &str) {
    let real: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    let mut dry = real.clone();
    dry.push(OsStr::new("--dry-run"));
    let (dry, real) = (assert_refused(workspace, &dry, 31), assert_refused(workspace, &real, 31));
    assert_eq!(dry.stderr, real.stderr);
    assert!(dry.stderr.contains("chattr") && dry.stderr.contains(name), "{}", dry.stderr);
}

const IN_PLACE: [&str; 4] = ["--library", "lib", "--in-place", "mod_python.so"];

#[test]
fn an_unchangeable_module_or_folder() {
    let workspace = workspace();
    for mark in ['i', 'a'] {
        for marked in ["mod_python.so", ""] {
            let Some(_marked) = Marked::new(&workspace.path(marked), mark) else { return };
            assert_both_refused(&workspace, &IN_PLACE, "mod_python.so");
        }
    }
    workspace.run(&["--in-place", "mod_python.so"]).assert_exit(0);
}

/// An upgrade has put a stock module over a relinked one, and the older backup cannot give way to it.
#[test]
fn an_unchangeable_backup_that_would_be_replaced() {
    let workspace = workspace();
    workspace.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    workspace.craft("mod_python.so", &Recipe { build: 2, ..Recipe::generation_35() });
    for mark in ['i', 'a'] {
        let Some(_marked) = Marked::new(&workspace.path(BACKUP), mark) else { return };
        assert_both_refused(&workspace, &IN_PLACE, BACKUP);
    }
    workspace.run(&["--in-place", "mod_python.so"]).assert_exit(0);
}

/// A module that is relinked anew from its backup leaves that as it is; to restore it takes the backup's name away.
#[test]
fn an_unchangeable_backup_that_stays() {
    let workspace = workspace();
    workspace.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    let Some(marked) = Marked::new(&workspace.path(BACKUP), 'i') else { return };
    let anew = ["--in-place", "--runpath", "$ORIGIN/lib", "mod_python.so"];
    workspace.run(&[&anew[..], &["--dry-run"]].concat()).assert_exit(0);
    workspace.run(&anew).assert_exit(0);
    assert_both_refused(&workspace, &["--restore", "mod_python.so"], BACKUP);
    drop(marked);
    workspace.run(&["--restore", "mod_python.so"]).assert_exit(0);
}

#[test]
fn an_unchangeable_output() {
    let workspace = workspace();
    workspace.run(&["--output", "out.so", "mod_python.so"]).assert_exit(0);
    let Some(_marked) = Marked::new(&workspace.path("out.so"), 'i') else { return };
    assert_both_refused(&workspace, &["--library", "lib", "--output", "out.so", "mod_python.so"], "out.so");
}

#[test]
fn unchangeable_files_and_folders_of_patches() {
    let tree = Tree::within(workspace(), "3.1");
    let of = |name: &str| tree.workspace.path(name);
    tree.patch(&["--output", "diffs"]).assert_exit(0);
    fs::create_dir(of("fixed")).unwrap();
    for (marked, arguments, name) in [
        ("diffs/apache.py.diff", ["--output", "diffs"], "apache.py.diff"),
        ("diffs", ["--output", "diffs"], "diff"),
        ("fixed", ["--output", "fixed/new/diffs"], "fixed/new"),
        ("tree/src/mod_python.c", ["--apply", "--json"], "mod_python.c"),
        ("tree/src", ["--apply", "--json"], "src/mod_python.c"),
    ] {
        let Some(_marked) = Marked::new(&of(marked), 'i') else { return };
        assert_both_refused(&tree.workspace, &[&["patch", "tree"], &arguments[..]].concat(), name);
    }
    tree.patch(&["--output", "fixed/new/diffs", "--dry-run"]).assert_exit(0);
    assert!(!of("fixed/new").exists());
}
