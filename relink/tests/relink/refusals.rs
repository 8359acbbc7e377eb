//! Each refusal: its exit code, its word, one sentence, and no output.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use crate::craft::{self, LIBPYTHON, LIBRARY, Recipe};
use crate::run::{Ran, Workspace, command, is_root};
use crate::source_tree::Tree;

/// The run was refused with this word and code, in one sentence that names what it is about, and left nothing behind.
fn assert_refused(workspace: &Workspace, arguments: &[&str], word: &str, exit: i32, says: &str) {
    let before = workspace.names();
    let ran = workspace.run(arguments);
    ran.assert_exit(exit);
    assert!(ran.stdout.is_empty(), "{}", ran.stdout);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{}", ran.stderr);
    assert!(lines[0].starts_with("modpython-relink: error: "), "{}", ran.stderr);
    assert!(lines[0].contains(says), "{says:?} is not in {}", ran.stderr);
    let mut with_json = vec!["--json"];
    with_json.extend(arguments);
    assert_error_object(&workspace.run(&with_json), word, exit);
    assert_eq!(workspace.names(), before);
}

fn assert_error_object(ran: &Ran, word: &str, exit: i32) {
    let json = ran.assert_exit(exit).json();
    assert_eq!(json["error"], word);
    assert_eq!(json["exit_code"], exit);
    assert!(ran.stderr.contains(json["message"].as_str().unwrap().lines().next().unwrap()));
}

#[test]
fn a_missing_file_and_a_directory() {
    let workspace = Workspace::new();
    assert_refused(&workspace, &["absent.so"], "unreadable", 20, "absent.so");
    assert_refused(&workspace, &["lib"], "unreadable", 20, "not a regular file");
}

#[test]
fn a_file_that_is_not_elf() {
    let workspace = Workspace::new();
    for content in [&b""[..], b"#!/bin/sh\n", b"!<arch>\n", b"\x7fEL"] {
        workspace.write("script.so", content);
        assert_refused(&workspace, &["script.so"], "not-elf", 21, "not an ELF file");
    }
}

#[test]
fn a_truncated_file() {
    let workspace = Workspace::new();
    let content = workspace.read("mod_python.so");
    workspace.write("cut.so", &content[..content.len() - 1]);
    assert_refused(&workspace, &["cut.so"], "damaged", 22, "reinstall");
}

#[test]
fn a_module_of_another_architecture() {
    let workspace = Workspace::new();
    let mut content = workspace.read("mod_python.so");
    // e_machine: 0x5441 is assigned to no processor this runs on.
    content[18..20].copy_from_slice(&[0x41, 0x54]);
    workspace.write("foreign.so", &content);
    assert_refused(&workspace, &["foreign.so"], "architecture", 23, "machine 21569");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_module_of_the_other_class() {
    let workspace = Workspace::new();
    let recipe = Recipe { arguments: vec!["-m32".into(), "-nostdlib".into()], ..Recipe::generation_35() };
    workspace.craft("small.so", &recipe);
    assert_refused(&workspace, &["small.so"], "architecture", 23, "i386 (32 bit");
}

#[test]
fn something_else_than_mod_python() {
    let workspace = Workspace::new();
    let other = Recipe { exports: vec!["alias_module"], ..Recipe::generation_35() };
    workspace.craft("other.so", &other);
    assert_refused(&workspace, &["other.so"], "not-mod-python", 24, "python_module");
    let no_python = Recipe { imports: vec!["apr_hash_make"], libpython: None, ..Recipe::generation_35() };
    workspace.craft("other.so", &no_python);
    assert_refused(&workspace, &["other.so"], "not-mod-python", 24, "interpreters");
    fs::copy(command(), workspace.path("program")).unwrap();
    assert_refused(&workspace, &["program"], "not-mod-python", 24, "not mod_python");
}

#[test]
fn a_generation_is_supported_exactly_when_the_list_has_it() {
    let workspace = Workspace::new();
    for generation in ["3.3", "3.2", "3.1"] {
        workspace.craft("old.so", &Recipe::older(generation));
        let prefix = format!("mpc{}_rebind_", generation.replace('.', ""));
        if craft::SYMBOLS.contains(&prefix) {
            // Recognised, but this Python's library has another generation's replacements alone.
            assert_refused(
                &workspace,
                &["old.so"],
                "generation",
                25,
                &format!("{generation} for {LIBPYTHON} is not supported here, only 3.5:"),
            );
        } else {
            assert_refused(&workspace, &["old.so"], "generation", 25, generation);
        }
        let json = workspace.run(&["--check", "--json", "old.so"]).json();
        assert_eq!(json["generation"], generation);
        assert_eq!(json["supported"], craft::SYMBOLS.contains(&prefix));
    }
    let unknown = Recipe { exports: vec!["python_module"], ..Recipe::generation_35() };
    workspace.craft("unknown.so", &unknown);
    assert_refused(&workspace, &["unknown.so"], "generation", 25, "unknown generation");
}

#[test]
fn another_libpython_than_the_librarys() {
    let workspace = Workspace::new();
    // No library for that Python, but one for another: named as such by --library.
    workspace.craft("m.so", &Recipe { libpython: Some("libpython3.76.so.1.0"), ..Recipe::generation_35() });
    let library = format!("lib/{LIBRARY}");
    assert_refused(&workspace, &["--library", &library, "m.so"], "libpython", 26, "libpython3.76.so.1.0");
    // The same minor, another ABI.
    workspace.craft("m.so", &Recipe { libpython: Some("libpython3.77d.so.1.0"), ..Recipe::generation_35() });
    assert_refused(&workspace, &["m.so"], "libpython", 26, "libpython3.77d.so.1.0");
    workspace.craft("m.so", &Recipe { libpython: None, ..Recipe::generation_35() });
    assert_refused(&workspace, &["m.so"], "libpython", 26, "shared libpython");
}

#[test]
fn a_free_threaded_python() {
    let workspace = Workspace::new();
    workspace.craft("m.so", &Recipe { libpython: Some("libpython3.13t.so.1.0"), ..Recipe::generation_35() });
    assert_refused(&workspace, &["m.so"], "free-threaded", 27, "libpython3.13t.so.1.0");
}

#[test]
fn a_module_that_is_relinked_already() {
    let workspace = Workspace::new();
    workspace.run(&["--output", "relinked.so", "mod_python.so"]).assert_exit(0);
    assert_refused(&workspace, &["relinked.so"], "already-relinked", 28, env!("CARGO_PKG_VERSION"));
    assert_refused(&workspace, &["--in-place", "relinked.so"], "already-relinked", 28, "install mod_python again");
    // Without its note it is still known by its imports.
    let relinked = workspace.path("relinked.so");
    let removed = Command::new("objcopy").args(["--remove-section", ".note.modpython-core"]).arg(&relinked).status();
    assert!(removed.unwrap().success());
    assert_refused(&workspace, &["relinked.so"], "already-relinked", 28, "unknown version");
}

/// Its table of needed versions would be left empty, and the loader takes that for damage.
#[test]
fn a_layout_whose_only_versions_are_those_of_replaced_imports() {
    let workspace = Workspace::new();
    let versions = workspace.write("versions", b"APR_1 { apr_hash_make; };");
    let apr = workspace.path("stub").join("libapr.so.0");
    let script = format!("-Wl,--version-script={}", versions.display());
    craft::compile(&apr, "int apr_hash_make(void) { return 1; }", &[script, "-Wl,-soname=libapr.so.0".into()]);
    let mut recipe = Recipe::generation_35();
    recipe.arguments.extend(["-Wl,--no-as-needed".into(), apr.to_str().unwrap().into()]);
    workspace.craft("versioned.so", &recipe);
    assert_refused(&workspace, &["versioned.so"], "layout", 29, "version");
}

/// lld and gold may leave no spare entries in the dynamic table; so does `-z spare-dynamic-tags=0`.
#[test]
fn a_layout_without_room_in_the_dynamic_table() {
    let workspace = Workspace::new();
    let mut recipe = Recipe::generation_35();
    recipe.arguments.push("-Wl,--spare-dynamic-tags=0".into());
    workspace.craft("tight.so", &recipe);
    assert_refused(&workspace, &["tight.so"], "layout", 29, ".dynamic");
}

#[test]
fn a_library_that_is_missing_or_does_not_fit() {
    let workspace = Workspace::new();
    assert_refused(&workspace, &["--library", "absent", "mod_python.so"], "library", 30, "install modpython-core");
    let bare = workspace.run_bare(&["mod_python.so"]);
    bare.assert_exit(30);
    assert!(bare.stderr.contains(LIBRARY) && bare.stderr.contains("--library"), "{}", bare.stderr);
    let other = workspace.write("other.so", b"no library");
    assert_refused(&workspace, &["--library", other.to_str().unwrap(), "mod_python.so"], "library", 30, "other.so");
    assert_refused(&workspace, &["--library", "mod_python.so", "mod_python.so"], "library", 30, "build information");
    let exports: Vec<&str> = craft::replacements().into_iter().filter(|name| !name.ends_with("hash_get")).collect();
    craft::library(&workspace.path("lib").join(LIBRARY), LIBPYTHON, &exports, &[]);
    assert_refused(&workspace, &["mod_python.so"], "library", 30, "mpc35_rebind_apr_hash_get");
}

#[test]
fn a_library_for_another_python_is_named() {
    let workspace = Workspace::new();
    let beside = workspace.path("bin");
    fs::create_dir(&beside).unwrap();
    fs::copy(command(), beside.join("modpython-relink")).unwrap();
    workspace.craft("m.so", &Recipe { libpython: Some("libpython3.76.so.1.0"), ..Recipe::generation_35() });
    let run = |arguments: &[&str]| -> Ran {
        let program = beside.join("modpython-relink");
        Command::new(program).args(arguments).current_dir(workspace.path("")).output().unwrap().into()
    };
    // The installed layout: bin/modpython-relink finds ../lib/libmodpython-core-….
    let found = run(&["--json", "mod_python.so"]);
    assert_eq!(found.assert_exit(0).json()["runpath"], workspace.path("lib").to_str().unwrap());
    let refused = run(&["m.so"]);
    refused.assert_exit(26);
    assert!(refused.stderr.contains("libpython3.76") && refused.stderr.contains(LIBPYTHON), "{}", refused.stderr);
}

#[test]
fn a_target_that_must_not_be_written() {
    let workspace = Workspace::new();
    let refuse = |output: &str, says: &str| {
        assert_refused(&workspace, &["--output", output, "mod_python.so"], "unwritable", 31, says);
        let stock = workspace.read("mod_python.so");
        assert!(!stock.is_empty());
    };
    fs::create_dir(workspace.path("folder")).unwrap();
    refuse("folder", "not a regular file");
    refuse("/dev/null", "not a regular file");
    refuse("absent/x.so", "No such file");
    refuse("mod_python.so", "--in-place");
    symlink("mod_python.so", workspace.path("link.so")).unwrap();
    refuse("link.so", "--in-place");
    workspace.write("precious.so", b"not to be lost");
    refuse("precious.so", "not a relinked module");
    fs::copy(workspace.path("mod_python.so"), workspace.path("another-stock.so")).unwrap();
    refuse("another-stock.so", "not a relinked module");
    assert_eq!(workspace.read("precious.so"), b"not to be lost");
}

/// An ordinary user in a directory of somebody else's.
#[test]
fn a_directory_that_may_not_be_written() {
    let workspace = Workspace::new();
    fs::copy(command(), workspace.path("modpython-relink")).unwrap();
    fs::set_permissions(workspace.path(""), fs::Permissions::from_mode(0o555)).unwrap();
    let program = workspace.path("modpython-relink");
    let mut run = match is_root() {
        true => {
            let mut run = Command::new("setpriv");
            run.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
            run
        }
        false => Command::new(&program),
    };
    run.args(["--library", "lib"]).current_dir(workspace.path(""));
    let before = workspace.names();
    for arguments in [&["mod_python.so"][..], &["--in-place", "mod_python.so"], &["--dry-run", "mod_python.so"]] {
        let mut run_this = Command::new(run.get_program());
        run_this.args(run.get_args()).args(arguments).current_dir(workspace.path(""));
        let ran: Ran = run_this.output().unwrap().into();
        ran.assert_exit(31);
        assert!(ran.stderr.contains("Permission denied"), "{}", ran.stderr);
        assert_eq!(workspace.names(), before);
    }
    fs::set_permissions(workspace.path(""), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_wrong_command_line() {
    let workspace = Workspace::new();
    for arguments in [
        &["--bogus"][..],
        &["--check", "--restore"],
        &["--in-place", "--output", "x"],
        &["--runpath", ""],
        &["--runpath", "lib"],
        &["--runpath", "/lib:"],
    ] {
        workspace.run(arguments).assert_exit(2);
        let mut with_json = vec!["--json"];
        with_json.extend(arguments);
        assert_eq!(workspace.run(&with_json).assert_exit(2).json()["error"], "usage");
    }
}

/// The folders that were made for the diffs stayed, empty, though "nothing was changed".
#[test]
fn folders_made_for_diffs_go_again_if_they_cannot_be_written() {
    let tree = Tree::new();
    let workspace = &tree.workspace;
    fs::copy(command(), workspace.path("modpython-relink")).unwrap();
    fs::set_permissions(workspace.path(""), fs::Permissions::from_mode(0o777)).unwrap();
    // A folder that is made without the right to enter it.
    let line = "umask 0777; exec ./modpython-relink patch --output new/inner \"$0\"";
    let mut run = match is_root() {
        true => {
            let mut run = Command::new("setpriv");
            run.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh"]);
            run
        }
        false => Command::new("sh"),
    };
    run.args(["-c", line]).arg(tree.top()).current_dir(workspace.path(""));
    let before = workspace.names();
    let ran: Ran = run.output().unwrap().into();
    ran.assert_exit(31);
    assert_eq!(workspace.names(), before, "{}", ran.stderr);
}
