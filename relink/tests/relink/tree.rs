//! `make relink TREE=` refuses a tree that cannot be relinked, before anything is built. The live tests run on a tree
//! that it has relinked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Ran, Workspace};

/// A tree as configure and make leave it, as far as it is looked at: for the Python and httpd that are in it.
struct Tree {
    workspace: Workspace,
}

impl Tree {
    fn new() -> Tree {
        let tree = Tree { workspace: Workspace::new() };
        for folder in ["src/.libs", "httpd/include"] {
            fs::create_dir_all(tree.path(folder)).unwrap();
        }
        let top = tree.path("").display().to_string();
        tree.program("python", "echo 2.7");
        tree.program("apxs", &format!("echo {top}httpd/include"));
        tree.write("httpd/include/httpd.h", b"");
        tree.write("Makefile", format!("PYTHON_BIN={top}python\n").as_bytes());
        tree.write("src/Makefile", format!("CC=cc\nAPXS={top}apxs\nLIBS=-lpython2.7\n").as_bytes());
        tree.write("src/mod_python.c", b"");
        tree.write("src/mod_python.lo", b"pic_object='.libs/mod_python.o'\nnon_pic_object=none\n");
        tree.write("src/.libs/mod_python.o", &fs::read("/bin/sh").unwrap()[..64]);
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.workspace.path("tree").join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
    }

    fn program(&self, name: &str, line: &str) {
        self.write(name, format!("#!/bin/sh\n{line}\n").as_bytes());
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    fn check(&self, python: &Path, objects: &str) -> Ran {
        check(&self.path(""), python, objects)
    }

    fn assert_refused(&self, says: &str) {
        let refused = self.check(&self.path("python"), "");
        refused.assert_exit(1);
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
        assert!(refused.stderr.starts_with("relink: ") && refused.stderr.contains(says), "{}", refused.stderr);
    }
}

fn check(tree: &Path, python: &Path, objects: &str) -> Ran {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/relink-tree.sh");
    let mut command = Command::new("sh");
    command.arg(script).arg("check").arg(tree).env("PYTHON", python).env("OBJECTS", objects).env("CC", "cc");
    command.output().unwrap().into()
}

#[test]
fn a_built_tree_passes_and_so_do_objects_alone() {
    let tree = Tree::new();
    let passed = tree.check(&tree.path("python"), "");
    assert_eq!(passed.assert_exit(0).stderr, "");
    tree.remove("src/mod_python.c");
    tree.check(&tree.path("python"), "only").assert_exit(0);
    tree.remove("Makefile");
    tree.remove("src/Makefile");
    tree.check(&tree.path("python"), "only").assert_exit(0);
}

#[test]
fn each_thing_that_is_gone_is_named() {
    for (gone, says) in [
        ("src/mod_python.c", "OBJECTS=only"),
        ("src/Makefile", "never configured"),
        ("src/.libs/mod_python.o", "never built"),
        ("python", "its Python is gone"),
        ("apxs", "its httpd is gone"),
        ("httpd/include/httpd.h", "the headers of its httpd are gone"),
    ] {
        let tree = Tree::new();
        tree.remove(gone);
        tree.assert_refused(says);
    }
    let absent = check(Path::new("/nonexistent/tree"), Path::new("/bin/false"), "");
    assert!(absent.assert_exit(1).stderr.contains("no such folder"), "{}", absent.stderr);
}

/// A make that has stopped half-way leaves some of the objects; what is linked of those alone does not load.
#[test]
fn a_tree_that_make_has_not_finished_is_refused() {
    let tree = Tree::new();
    let makefile = fs::read_to_string(tree.path("src/Makefile")).unwrap();
    tree.write(
        "src/Makefile",
        format!("{makefile}SRCS=\tmod_python.c \\\n\t\tutil.c include/util.h\n\nall:\n").as_bytes(),
    );
    tree.assert_refused("no object util.o");
    tree.write("src/.libs/util.o", b"");
    tree.check(&tree.path("python"), "").assert_exit(0);
}

/// Byte 18 begins the number of the machine, byte 4 is the class: 32 or 64 bits.
#[test]
fn objects_for_another_architecture_are_refused() {
    for (at, value) in [(18, 40), (4, 1)] {
        let tree = Tree::new();
        let mut object = fs::read(tree.path("src/.libs/mod_python.o")).unwrap();
        assert_ne!(object[at], value);
        object[at] = value;
        tree.write("src/.libs/mod_python.o", &object);
        tree.assert_refused("another architecture");
    }
}

#[test]
fn a_python_of_another_version_than_the_trees_is_refused() {
    let tree = Tree::new();
    tree.program("python3", "echo 3.11");
    let refused = tree.check(&tree.path("python3"), "");
    assert!(refused.assert_exit(1).stderr.contains("it is for Python 2.7"), "{}", refused.stderr);
}

/// Where no Makefile says a Python, the libraries do.
#[test]
fn the_version_of_a_tree_without_a_python_of_its_own_is_that_of_its_libpython() {
    let tree = Tree::new();
    tree.remove("Makefile");
    tree.check(&tree.path("python"), "").assert_exit(0);
    tree.program("python", "echo 2.6");
    tree.assert_refused("it is for Python 2.7");
}
