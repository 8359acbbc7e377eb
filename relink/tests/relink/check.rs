//! `--check`: each state it can tell, by word and by exit code.

use std::fs;

use crate::craft::{self, DEBIANS_LIBPYTHON, LIBPYTHON, LIBRARY, Recipe};
use crate::run::{Workspace, stock};

const RELINKED: &str = "mod_python-relinked.so";

#[test]
fn a_stock_module() {
    let workspace = Workspace::new();
    let ran = workspace.run_bare(&["--check", stock().to_str().unwrap()]);
    ran.assert_exit(10);
    assert!(ran.stdout.starts_with("stock: "), "{}", ran.stdout);
    let json = workspace.run_bare(&["--check", "--json", stock().to_str().unwrap()]).json();
    assert_eq!(json["state"], "stock");
    assert_eq!(json["generation"], "3.5");
    assert_eq!(json["supported"], true);
    assert_eq!(json["libpython"], DEBIANS_LIBPYTHON);
    assert_eq!(json["build_id"].as_str().map(str::len), Some(40));
}

#[test]
fn a_current_copy_of_the_systems_module() {
    let workspace = Workspace::for_debian();
    workspace.run(&["--output", RELINKED, stock().to_str().unwrap()]).assert_exit(0);
    let json = workspace.run_bare(&["--check", "--json", RELINKED]);
    let json = json.assert_exit(0).json();
    assert_eq!(json["state"], "ok");
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["generation"], "3.5");
    assert_eq!(json["library"]["version"], "7.8.9");
    assert_eq!(json["compared"][0]["path"], stock().to_str().unwrap());
    assert_eq!(json["compared"][0]["same"], true);
}

/// A copy that was made from another build than the one the system has now: what an upgrade leaves.
#[test]
fn a_copy_whose_source_was_upgraded() {
    stock();
    let workspace = Workspace::new();
    workspace.run(&["mod_python.so"]).assert_exit(0);
    let ran = workspace.run_bare(&["--check", RELINKED]);
    ran.assert_exit(11);
    assert!(ran.stdout.starts_with("stale: ") && ran.stdout.contains("relink "), "{}", ran.stdout);
    assert_eq!(workspace.run_bare(&["--check", "--json", RELINKED]).json()["state"], "stale");
}

/// With or without build-ids, the backup tells: where `dpkg-divert` leads upgrades to it, it becomes a newer build.
#[test]
fn a_module_in_place_whose_backup_was_upgraded() {
    for build_id in ["-Wl,--build-id=sha1", "-Wl,--build-id=none"] {
        let workspace = Workspace::new();
        let recipe = |build| Recipe { build, arguments: vec![build_id.to_owned()], ..Recipe::generation_35() };
        workspace.craft("mod_python.so", &recipe(1));
        workspace.run(&["--in-place", "mod_python.so"]).assert_exit(0);
        workspace.run_bare(&["--check", "mod_python.so"]).assert_exit(0);
        let backup = workspace.path("mod_python.so.modpython-core-stock");
        let upgraded = workspace.craft("upgraded.so", &recipe(2));
        fs::copy(upgraded, &backup).unwrap();
        workspace.run_bare(&["--check", "mod_python.so"]).assert_exit(11);
        // And that is also what goes back, with a word about it.
        let restored = workspace.run(&["--restore", "mod_python.so"]);
        restored.assert_exit(0);
        assert!(restored.stderr.contains("another build"), "{}", restored.stderr);
    }
}

#[test]
fn a_relinked_module_whose_library_is_gone_or_does_not_fit() {
    let workspace = Workspace::new();
    workspace.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    let library = workspace.path("lib").join(LIBRARY);
    let exports: Vec<&str> = craft::replacements().into_iter().skip(1).collect();
    craft::library(&library, LIBPYTHON, &exports, &[]);
    let ran = workspace.run_bare(&["--check", "mod_python.so"]);
    ran.assert_exit(12);
    assert!(ran.stdout.contains(craft::replacements()[0]), "{}", ran.stdout);
    fs::remove_file(&library).unwrap();
    let ran = workspace.run_bare(&["--check", "mod_python.so"]);
    ran.assert_exit(12);
    assert!(ran.stdout.starts_with("broken: ") && ran.stdout.contains(LIBRARY), "{}", ran.stdout);
    // Another place for it may be asked about.
    let elsewhere = workspace.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    craft::library(&elsewhere.join(LIBRARY), LIBPYTHON, &craft::replacements(), &[]);
    workspace.run_bare(&["--check", "--library", elsewhere.to_str().unwrap(), "mod_python.so"]).assert_exit(0);
}

#[test]
fn a_library_beside_the_module_is_found_by_origin() {
    let workspace = Workspace::new();
    workspace.run(&["--runpath", "$ORIGIN/lib", "--in-place", "mod_python.so"]).assert_exit(0);
    workspace.run_bare(&["--check", "mod_python.so"]).assert_exit(0);
}

/// A module of `make relink TREE=` has no library beside it that could be missing.
#[test]
fn a_module_with_the_library_in_it() {
    let workspace = Workspace::new();
    let source = |libpython: &str| {
        format!(
            "const char modpython_core_build_info[] = \"version=7.8.9\\nlibpython={libpython}\\n\";\n\
             extern int Py_NewInterpreter(void);\nint python_module(void) {{ return Py_NewInterpreter(); }}\n"
        )
    };
    let needs = format!("{}/stub/{LIBPYTHON}", workspace.path("").display());
    craft::compile(&workspace.path("linked.so"), &source(LIBPYTHON), std::slice::from_ref(&needs));
    let ran = workspace.run_bare(&["--check", "linked.so"]);
    assert!(ran.assert_exit(0).stdout.contains("linked with modpython-core 7.8.9"), "{}", ran.stdout);
    workspace.run(&["linked.so"]).assert_exit(28);
    craft::compile(&workspace.path("other.so"), &source("libpython2.7.so.1.0"), &[needs]);
    workspace.run_bare(&["--check", "other.so"]).assert_exit(12);
}

/// A module of a patched tree comes from no finished module, so that it is not compared with the system's.
#[test]
fn a_module_that_was_built_with_the_library() {
    stock();
    let workspace = Workspace::new();
    let source = "extern int Py_NewInterpreter(void);\nint python_module(void) { return Py_NewInterpreter(); }\n";
    let library = workspace.path("lib").join(LIBRARY).display().to_string();
    let needs = format!("{}/stub/{LIBPYTHON}", workspace.path("").display());
    let options = ["-Wl,--no-as-needed".to_owned(), library, needs, "-Wl,-rpath,$ORIGIN/lib".to_owned()];
    craft::compile(&workspace.path("built.so"), source, &options);
    let ran = workspace.run_bare(&["--check", "built.so"]);
    assert!(ran.assert_exit(0).stdout.contains("built with modpython-core"), "{}", ran.stdout);
    fs::remove_file(workspace.path("lib").join(LIBRARY)).unwrap();
    workspace.run_bare(&["--check", "built.so"]).assert_exit(12);
}

/// A newer version of the command may have relinked it, for a generation that this one does not know.
#[test]
fn a_module_relinked_for_a_generation_of_a_newer_version() {
    let workspace = Workspace::new();
    let source = "extern int mpc39_rebind_Py_NewInterpreter(void);\n\
                  int python_module(void) { return mpc39_rebind_Py_NewInterpreter(); }\n";
    craft::compile(&workspace.path("newer.so"), source, &[]);
    let ran = workspace.run_bare(&["--check", "newer.so"]);
    assert!(ran.assert_exit(12).stdout.contains("mod_python 3.9, relinked"), "{}", ran.stdout);
    assert_eq!(workspace.run_bare(&["--check", "--json", "newer.so"]).json()["generation"], "3.9");
    workspace.run(&["newer.so"]).assert_exit(28);
}
