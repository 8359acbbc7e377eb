//! `--check`: each state it can tell, by word and by exit code.

use std::fs;

use crate::craft::{self, DEBIANS_LIBPYTHON, LIBPYTHON, LIBRARY, Recipe};
use crate::run::{Place, stock};

const RELINKED: &str = "mod_python-relinked.so";

#[test]
fn a_stock_module() {
    let place = Place::new();
    let ran = place.run_bare(&["--check", stock().to_str().unwrap()]);
    ran.assert_exit(10);
    assert!(ran.stdout.starts_with("stock: "), "{}", ran.stdout);
    let json = place.run_bare(&["--check", "--json", stock().to_str().unwrap()]).json();
    assert_eq!(json["state"], "stock");
    assert_eq!(json["generation"], "3.5");
    assert_eq!(json["supported"], true);
    assert_eq!(json["libpython"], DEBIANS_LIBPYTHON);
    assert_eq!(json["build_id"].as_str().map(str::len), Some(40));
}

#[test]
fn a_current_copy_of_the_systems_module() {
    let place = Place::for_debian();
    place.run(&["--output", RELINKED, stock().to_str().unwrap()]).assert_exit(0);
    let json = place.run_bare(&["--check", "--json", RELINKED]);
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
    let place = Place::new();
    place.run(&["mod_python.so"]).assert_exit(0);
    let ran = place.run_bare(&["--check", RELINKED]);
    ran.assert_exit(11);
    assert!(ran.stdout.starts_with("stale: ") && ran.stdout.contains("relink "), "{}", ran.stdout);
    assert_eq!(place.run_bare(&["--check", "--json", RELINKED]).json()["state"], "stale");
}

/// With or without build-ids, the backup tells: where `dpkg-divert` leads upgrades to it, it becomes a newer build.
#[test]
fn a_module_in_place_whose_backup_was_upgraded() {
    for build_id in ["-Wl,--build-id=sha1", "-Wl,--build-id=none"] {
        let place = Place::new();
        let recipe = |build| Recipe { build, arguments: vec![build_id.to_owned()], ..Recipe::generation_35() };
        place.craft("mod_python.so", &recipe(1));
        place.run(&["--in-place", "mod_python.so"]).assert_exit(0);
        place.run_bare(&["--check", "mod_python.so"]).assert_exit(0);
        let backup = place.path("mod_python.so.modpython-core-stock");
        let upgraded = place.craft("upgraded.so", &recipe(2));
        fs::copy(upgraded, &backup).unwrap();
        place.run_bare(&["--check", "mod_python.so"]).assert_exit(11);
        // And that is also what goes back, with a word about it.
        let restored = place.run(&["--restore", "mod_python.so"]);
        restored.assert_exit(0);
        assert!(restored.stderr.contains("another build"), "{}", restored.stderr);
    }
}

#[test]
fn a_relinked_module_whose_library_is_gone_or_does_not_fit() {
    let place = Place::new();
    place.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    let library = place.path("lib").join(LIBRARY);
    let exports: Vec<&str> = craft::replacements().into_iter().skip(1).collect();
    craft::library(&library, LIBPYTHON, &exports, &[]);
    let ran = place.run_bare(&["--check", "mod_python.so"]);
    ran.assert_exit(12);
    assert!(ran.stdout.contains(craft::replacements()[0]), "{}", ran.stdout);
    fs::remove_file(&library).unwrap();
    let ran = place.run_bare(&["--check", "mod_python.so"]);
    ran.assert_exit(12);
    assert!(ran.stdout.starts_with("broken: ") && ran.stdout.contains(LIBRARY), "{}", ran.stdout);
    // Another place for it may be asked about.
    let elsewhere = place.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    craft::library(&elsewhere.join(LIBRARY), LIBPYTHON, &craft::replacements(), &[]);
    place.run_bare(&["--check", "--library", elsewhere.to_str().unwrap(), "mod_python.so"]).assert_exit(0);
}

#[test]
fn a_library_beside_the_module_is_found_by_origin() {
    let place = Place::new();
    place.run(&["--runpath", "$ORIGIN/lib", "--in-place", "mod_python.so"]).assert_exit(0);
    place.run_bare(&["--check", "mod_python.so"]).assert_exit(0);
}

/// What `make relink TREE=` makes: there is no library beside it that could be missing.
#[test]
fn a_module_with_the_library_in_it() {
    let place = Place::new();
    let source = |libpython: &str| {
        format!(
            "const char modpython_core_build_info[] = \"version=7.8.9\\nlibpython={libpython}\\n\";\n\
             extern int Py_NewInterpreter(void);\nint python_module(void) {{ return Py_NewInterpreter(); }}\n"
        )
    };
    let needs = format!("{}/stub/{LIBPYTHON}", place.path("").display());
    craft::compile(&place.path("linked.so"), &source(LIBPYTHON), std::slice::from_ref(&needs));
    let ran = place.run_bare(&["--check", "linked.so"]);
    assert!(ran.assert_exit(0).stdout.contains("linked with modpython-core 7.8.9"), "{}", ran.stdout);
    place.run(&["linked.so"]).assert_exit(28);
    craft::compile(&place.path("other.so"), &source("libpython2.7.so.1.0"), &[needs]);
    place.run_bare(&["--check", "other.so"]).assert_exit(12);
}

/// What the patch set makes: it comes from no finished module, so that the system's own says nothing of it.
#[test]
fn a_module_that_was_built_with_the_library() {
    stock();
    let place = Place::new();
    let source = "extern int Py_NewInterpreter(void);\nint python_module(void) { return Py_NewInterpreter(); }\n";
    let library = place.path("lib").join(LIBRARY).display().to_string();
    let needs = format!("{}/stub/{LIBPYTHON}", place.path("").display());
    let options = ["-Wl,--no-as-needed".to_owned(), library, needs, "-Wl,-rpath,$ORIGIN/lib".to_owned()];
    craft::compile(&place.path("built.so"), source, &options);
    let ran = place.run_bare(&["--check", "built.so"]);
    assert!(ran.assert_exit(0).stdout.contains("built with modpython-core"), "{}", ran.stdout);
    fs::remove_file(place.path("lib").join(LIBRARY)).unwrap();
    place.run_bare(&["--check", "built.so"]).assert_exit(12);
}

/// A newer version of the command may have relinked it, for a generation that this one does not know.
#[test]
fn a_module_relinked_for_a_generation_of_a_newer_version() {
    let place = Place::new();
    let source = "extern int mpc39_rebind_Py_NewInterpreter(void);\n\
                  int python_module(void) { return mpc39_rebind_Py_NewInterpreter(); }\n";
    craft::compile(&place.path("newer.so"), source, &[]);
    let ran = place.run_bare(&["--check", "newer.so"]);
    assert!(ran.assert_exit(12).stdout.contains("mod_python 3.9, relinked"), "{}", ran.stdout);
    assert_eq!(place.run_bare(&["--check", "--json", "newer.so"]).json()["generation"], "3.9");
    place.run(&["newer.so"]).assert_exit(28);
}
