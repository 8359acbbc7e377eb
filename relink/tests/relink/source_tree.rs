//! A source tree of mod_python for the tests: that of the look-alike, in the shape of any generation.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::run::{Ran, Workspace};

pub const CORE: &str = "src/mod_python.c";
pub const APACHE: &str = "lib/python/mod_python/apache.py";
pub const MAKEFILE: &str = "src/Makefile.in";
pub const FILES: [&str; 3] = [CORE, APACHE, MAKEFILE];

/// A copy of the look-alike's source in a directory of its own.
pub struct Tree {
    pub workspace: Workspace,
}

impl Tree {
    pub fn new() -> Tree {
        Tree::of("3.1")
    }

    /// One in the shape of a generation.
    pub fn of(generation: &str) -> Tree {
        Tree::within(Workspace::new(), generation)
    }

    /// The same in this folder.
    pub fn within(workspace: Workspace, generation: &str) -> Tree {
        let tree = Tree { workspace };
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/lookalike"), &tree.top());
        tree.sh(&format!("./shape {generation}"));
        tree
    }

    /// One in which every file has been changed above, between and below the places.
    pub fn changed() -> Tree {
        let tree = Tree::new();
        for file in FILES {
            let text = tree.read(file);
            let remark = if file == CORE { "/* from the distribution */\n" } else { "# from the distribution\n" };
            tree.write(file, &format!("{}{}\n{remark}", remark.repeat(7), text.replace("\n\n", "\n\n\n")));
        }
        tree
    }

    pub fn top(&self) -> PathBuf {
        self.workspace.path("tree")
    }

    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.top().join(file)).unwrap()
    }

    pub fn write(&self, file: &str, text: &str) {
        fs::write(self.top().join(file), text).unwrap();
    }

    pub fn replace(&self, file: &str, what: &str, by: &str) {
        let text = self.read(file);
        assert!(text.contains(what), "{what:?} is not in {file}");
        self.write(file, &text.replace(what, by));
    }

    pub fn files(&self) -> Vec<String> {
        FILES.map(|file| self.read(file)).to_vec()
    }

    pub fn patch(&self, arguments: &[&str]) -> Ran {
        let mut all = vec!["patch", "tree"];
        all.extend(arguments);
        self.workspace.run_bare(&all)
    }

    /// Runs another program at the tree's top.
    pub fn sh(&self, script: &str) {
        let output =
            Command::new("sh").args(["-ec", script]).current_dir(self.top()).stdin(Stdio::null()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{script}: {}{}", text(&output.stdout), text(&output.stderr));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
