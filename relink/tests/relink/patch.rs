//! `modpython-relink patch` on the source tree of the look-alike, as it is and as a distribution may have changed it.

use std::fs;
use std::process::Command;

use crate::run::{Ran, command};
use crate::source_tree::{APACHE, CORE, FILES, MAKEFILE, Tree};

/// The lines of `more` that are not in `less`, if `more` is `less` with lines added.
fn added(less: &str, more: &str) -> Vec<String> {
    let mut rest = less.lines().peekable();
    let added = more.lines().filter(|line| rest.next_if_eq(line).is_none()).map(str::to_owned).collect();
    assert_eq!(rest.next(), None, "lines are missing");
    added
}

#[test]
fn seven_lines_are_added_and_none_is_removed() {
    for tree in [Tree::new(), Tree::changed()] {
        let before = tree.files();
        let report = tree.patch(&["--apply", "--json"]);
        let json = report.assert_exit(0).json();
        assert_eq!(
            (&json["generation"], &json["released"], &json["applied"]),
            (&"3.1".into(), &false.into(), &true.into())
        );
        let after = tree.files();
        assert_eq!(
            added(&before[0], &after[0]),
            ["#include <modpython-core/before.h>", "#include <modpython-core/after.h>"]
        );
        assert_eq!(added(&before[1], &after[1]).len(), 3);
        assert_eq!(added(&before[2], &after[2]).len(), 2);
        let line_of = |line: &str| after[0].find(line).unwrap();
        assert!(line_of("#include \"mod_python.h\"") < line_of("before.h"));
        assert!(
            line_of("static void release_interpreter") < line_of("after.h")
                && line_of("after.h") < line_of("/**\n * pytho_cleanup")
        );
    }
}

/// All generations have the places; 3.3 has an importer of its own, which stays. The report names the lines that the
/// macros rely on.
#[test]
fn a_tree_of_each_generation_is_served() {
    for (shape, generation, lines) in [
        ("3.1", "3.1", 7),
        ("3.2.8", "3.2", 7),
        ("3.2.10", "3.2", 7),
        ("3.3", "3.3", 4),
        ("3.4", "3.4", 7),
        ("3.5", "3.5", 7),
    ] {
        let tree = Tree::of(shape);
        let report = tree.patch(&["--apply", "--json"]);
        let json = report.assert_exit(0).json();
        assert_eq!(json["generation"], generation, "{shape}");
        let added: u64 = json["files"].as_array().unwrap().iter().map(|file| file["added"].as_u64().unwrap()).sum();
        assert_eq!(added, lines, "{shape}");
        let grounds = json["grounds"].as_array().unwrap();
        assert!(grounds.iter().any(|ground| ground["call"] == "MpHList_FromHLEntry"), "{shape}: {grounds:?}");
    }
}

/// Some releases give the list of handlers up themselves, and for the others a macro does: in the wrong release it
/// would free the list twice, and each request with handlers in two phases would crash.
#[test]
fn a_tree_in_which_the_ground_of_a_macro_is_missing_is_refused() {
    let (keeps, gives) = ("request_obj->hlo = (hlistobject *)", "Py_XDECREF(request_obj->hlo);");
    for (shape, what, by, says) in [
        ("3.1", keeps, "Py_XDECREF(request_obj->hlo);\n    request_obj->hlo = (hlistobject *)", "freed twice"),
        ("3.2.8", keeps, "Py_CLEAR(request_obj->hlo);\n    request_obj->hlo = (hlistobject *)", "given up already"),
        ("3.2.10", keeps, "Py_DECREF(request_obj->hlo);\n    request_obj->hlo = (hlistobject *)", "freed twice"),
        ("3.3", gives, "/* Py_XDECREF(request_obj->hlo); */", "leaks with each phase"),
        ("3.4", gives, "", "leaks with each phase"),
        ("3.5", gives, "", "leaks with each phase"),
        ("3.1", "p, NULL, python_finalize,", "p, NULL, python_decref,", "would not be registered"),
        (
            "3.2.8",
            "static interpreterdata *keep_interpreter",
            "static interpreterdata *save_interpreter",
            "does not have",
        ),
        (
            "3.2.10",
            "static interpreterdata *save_interpreter",
            "static interpreterdata *keep_interpreter",
            "is missing",
        ),
        ("3.5", "\"HandlerDispatch\"", "\"Dispatch\"", "under another name"),
    ] {
        let tree = Tree::of(shape);
        tree.replace(CORE, what, by);
        let before = tree.read(CORE);
        let refused = tree.patch(&["--apply"]);
        refused.assert_exit(41);
        assert!(refused.stderr.contains(says) && refused.stderr.contains(CORE), "{shape}: {}", refused.stderr);
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
        assert_eq!(tree.read(CORE), before);
    }
}

/// Each program that packagers apply diffs with gives what `--apply` gives, and takes it back byte for byte.
#[test]
fn patch_git_and_quilt_apply_the_diffs_and_take_them_back() {
    for make in [Tree::new, Tree::changed] {
        let wanted = make();
        wanted.patch(&["--apply"]).assert_exit(0);
        let wanted = wanted.files();
        let tree = make();
        let before = tree.files();
        tree.patch(&["--output", "diffs"]).assert_exit(0);
        tree.patch(&["--output", "debian", "--quilt"]).assert_exit(0);
        for (there, back) in [
            (
                "for diff in ../diffs/*.diff; do patch -p1 --fuzz=0 --no-backup-if-mismatch <$diff; done",
                "for diff in ../diffs/*.diff; do patch -R -p1 --fuzz=0 <$diff; done",
            ),
            (
                "GIT_CEILING_DIRECTORIES=/ git apply ../diffs/*.diff",
                "GIT_CEILING_DIRECTORIES=/ git apply -R ../diffs/*.diff",
            ),
            (
                "QUILT_PATCHES=../debian quilt --quiltrc=/dev/null push -a --fuzz=0",
                "QUILT_PATCHES=../debian quilt --quiltrc=/dev/null pop -a",
            ),
        ] {
            tree.sh(there);
            assert_eq!(tree.files(), wanted, "{there}");
            tree.sh(back);
            assert_eq!(tree.files(), before, "{back}");
        }
    }
}

#[test]
fn the_diffs_have_no_removed_line_and_as_much_context_as_is_asked_for() {
    let tree = Tree::new();
    for (context, lines) in [("0", 0), ("3", 36), ("1", 13)] {
        let diffs = format!("diffs{context}");
        tree.patch(&["--output", &diffs, "--context", context]).assert_exit(0);
        let diffs = tree.workspace.path(&diffs);
        let text: String = ["mod_python.c", "apache.py", "Makefile.in"]
            .map(|name| fs::read_to_string(diffs.join(format!("{name}.diff"))).unwrap())
            .concat();
        let body = text.lines().filter(|line| !line.starts_with("---") && !line.starts_with("+++"));
        let count = |start: char| body.clone().filter(|line| line.starts_with(start)).count();
        assert_eq!(count('-'), 0, "{text}");
        assert_eq!(count('+'), 7, "{text}");
        assert!(count(' ') <= lines, "{text}");
        assert!((count(' ') == 0) == (context == "0"), "{text}");
    }
}

#[test]
fn a_second_time_is_refused_and_the_tree_stays_as_it_is() {
    let tree = Tree::new();
    let before = tree.files();
    tree.patch(&["--apply"]).assert_exit(0);
    let after = tree.files();
    let refused = tree.patch(&["--apply"]);
    refused.assert_exit(42);
    assert!(FILES.iter().all(|file| refused.stderr.contains(file)), "{}", refused.stderr);
    tree.patch(&[]).assert_exit(42);
    assert_eq!(tree.files(), after);
    tree.patch(&["--reverse"]).assert_exit(0);
    assert_eq!(tree.files(), before);
    tree.patch(&["--reverse"]).assert_exit(43);
    assert_eq!(tree.files(), before);
}

#[test]
fn a_tree_that_is_half_patched_is_named_and_can_be_taken_back() {
    let tree = Tree::new();
    let before = tree.files();
    tree.patch(&["--apply"]).assert_exit(0);
    tree.write(CORE, &before[0]);
    let refused = tree.patch(&["--apply"]);
    refused.assert_exit(42);
    assert!(refused.stderr.contains(APACHE) && !refused.stderr.contains(CORE), "{}", refused.stderr);
    tree.patch(&["--reverse"]).assert_exit(0);
    assert_eq!(tree.files(), before);
}

/// They were written to wherever the caller stood: into the tree itself, or over another tree's.
#[test]
fn the_diffs_of_a_tree_are_beside_it_by_default() {
    use std::os::unix::fs::symlink;
    let tree = Tree::new();
    let at = |name: &str| tree.workspace.path(name);
    fs::create_dir(at("elsewhere")).unwrap();
    symlink("../tree", at("elsewhere/link")).unwrap();
    let run = |folder: &str, arguments: &[&str]| -> Ran {
        let mut run = Command::new(command());
        run.arg("patch").args(arguments).current_dir(at(folder)).output().unwrap().into()
    };
    let names = ["mod_python.c.diff", "apache.py.diff", "Makefile.in.diff"];
    let beside = names.map(|name| at("tree.modpython-core-patches").join(name));
    for (folder, named) in [("tree", "."), ("", "tree"), ("elsewhere", "../tree/"), ("elsewhere", "link")] {
        let ran = run(folder, &[named]);
        for path in &beside {
            assert!(ran.assert_exit(0).stdout.contains(&format!("written: {}\n", path.display())), "{}", ran.stdout);
        }
        let json = run(folder, &["--json", named]).json();
        assert_eq!(json["output"], serde_json::json!(beside));
        assert!(json["tree"].as_str().unwrap().starts_with('/'), "{}", json["tree"]);
        fs::remove_dir_all(at("tree.modpython-core-patches")).unwrap();
    }
    let json = run("elsewhere", &["--json", "--quilt", "--output", "debian", "link"]).json();
    assert_eq!(json["output"][1].as_str(), at("elsewhere/debian/series").to_str());
    run("elsewhere", &["link", "--reverse"]).assert_exit(43);
    assert!(!at("tree.modpython-core-patches").exists() && !at("elsewhere/modpython-core-patches").exists());
}

#[test]
fn nothing_is_written_where_it_is_only_tried() {
    let tree = Tree::new();
    let before = tree.files();
    for arguments in
        [&["--apply", "--dry-run"][..], &["-n", "--output", "diffs"], &["-n", "--quilt", "--output", "diffs"]]
    {
        tree.patch(arguments).assert_exit(0);
        assert_eq!(tree.files(), before);
        assert!(!tree.workspace.path("diffs").exists());
    }
}

#[test]
fn what_is_missing_or_doubled_is_said_and_nothing_is_changed() {
    for (file, what, by, says) in [
        (CORE, "#include \"mod_python.h\"", "#include \"python.h\"", "mod_python.h is missing"),
        (CORE, "#include \"mod_python.h\"", "#include \"mod_python.h\"\n#include \"mod_python.h\"", "more than once"),
        (
            CORE,
            "apr_status_t python_cleanup(void *data)\n{",
            "apr_status_t our_cleanup(void *data)\n{",
            "python_cleanup is missing",
        ),
        (
            CORE,
            "static void release_interpreter(void)",
            "void release_interpreter(void)",
            "release_interpreter is missing",
        ),
        (APACHE, "\ndef import_module(", "\ndef our_import_module(", "import_module is missing"),
        (MAKEFILE, "LIBS=@LIBS@", "LIBRARIES=@LIBS@", "LIBS or LDLIBS is missing"),
        (MAKEFILE, "INCLUDES=@INCLUDES@", "INCLUDES=\nINCLUDES=x", "more than once"),
    ] {
        let tree = Tree::new();
        tree.replace(file, what, by);
        let before = tree.files();
        for arguments in [&["--apply"][..], &["--output", "diffs"]] {
            let refused = tree.patch(arguments);
            refused.assert_exit(41);
            assert!(refused.stderr.contains(says) && refused.stderr.contains(file), "{}", refused.stderr);
            assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
            assert_eq!(tree.files(), before);
            assert!(!tree.workspace.path("diffs").exists());
        }
    }
}

#[test]
fn a_folder_that_is_no_tree_and_a_version_that_is_not_known() {
    let tree = Tree::new();
    let refused = tree.workspace.run_bare(&["patch", "absent", "--json"]);
    assert_eq!(refused.assert_exit(40).json()["error"], "not-a-tree");
    tree.workspace.run_bare(&["patch", "tree/src"]).assert_exit(40);
    tree.replace("src/include/mpversion.h", "MPV_MINOR 1", "MPV_MINOR 6");
    let refused = tree.patch(&[]);
    refused.assert_exit(25);
    assert!(refused.stderr.contains("3.6.99"), "{}", refused.stderr);
    fs::remove_file(tree.top().join(APACHE)).unwrap();
    tree.replace("src/include/mpversion.h", "MPV_MINOR 6", "MPV_MINOR 1");
    let refused = tree.patch(&[]);
    refused.assert_exit(40);
    assert!(refused.stderr.contains(APACHE), "{}", refused.stderr);
}

/// The last of the three cannot be replaced: it is a folder.
#[test]
fn if_one_file_cannot_be_written_none_is() {
    let tree = Tree::new();
    fs::create_dir_all(tree.workspace.path("diffs/Makefile.in.diff")).unwrap();
    tree.patch(&["--output", "diffs"]).assert_exit(31);
    let names: Vec<_> =
        fs::read_dir(tree.workspace.path("diffs")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["Makefile.in.diff"]);
}

#[test]
fn files_of_others_are_not_overwritten_and_ones_own_are() {
    let tree = Tree::new();
    tree.patch(&["--output", "diffs"]).assert_exit(0);
    tree.patch(&["--output", "diffs"]).assert_exit(0);
    let other = tree.workspace.path("diffs/apache.py.diff");
    fs::write(&other, "mine").unwrap();
    tree.patch(&["--output", "diffs"]).assert_exit(31);
    assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
}

#[test]
fn an_existing_series_keeps_its_patches_and_is_entered_once() {
    let tree = Tree::new();
    let series = tree.workspace.path("debian/series");
    fs::create_dir(tree.workspace.path("debian")).unwrap();
    fs::write(&series, "# theirs\nfirst.patch -p1").unwrap();
    for _ in 0..2 {
        let ran = tree.patch(&["--output", "debian", "--quilt"]);
        ran.assert_exit(0);
        assert!(ran.stderr.contains("first.patch"), "{}", ran.stderr);
        assert_eq!(fs::read_to_string(&series).unwrap(), "# theirs\nfirst.patch -p1\nmodpython-core.patch\n");
    }
    fs::create_dir(tree.top().join(".pc")).unwrap();
    fs::write(tree.top().join(".pc/applied-patches"), "first.patch\n").unwrap();
    let ran = tree.patch(&["--output", "debian", "--quilt"]);
    assert!(ran.assert_exit(0).stderr.is_empty(), "{}", ran.stderr);
}

#[test]
fn a_files_mode_and_a_link_to_it_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let tree = Tree::new();
    let path = tree.top().join(CORE);
    fs::rename(&path, tree.top().join("elsewhere.c")).unwrap();
    fs::set_permissions(tree.top().join("elsewhere.c"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("../elsewhere.c", &path).unwrap();
    tree.patch(&["--apply"]).assert_exit(0);
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(tree.read("elsewhere.c").contains("after.h"));
}

#[test]
fn options_that_exclude_each_other_are_refused() {
    let tree = Tree::new();
    for arguments in
        [&["--apply", "--output", "x"][..], &["--apply", "--reverse"], &["--reverse", "--quilt"], &["--check"]]
    {
        tree.patch(arguments).assert_exit(2);
    }
}
