//! Names and files that nobody expects: no panic, no wait without end, and after any code from 20 on nothing was
//! written.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::craft::{self, DEBIANS_LIBRARY, LIBPYTHON, LIBRARY};
use crate::run::{Ran, STOCK, Workspace, command, stock};
use crate::source_tree::Tree;

/// Names of folders that are legal, and in somebody's way: not UTF-8, and what JSON, a shell, the loader or Apache's
/// configuration sees something in.
const NAMES: [&[u8]; 13] = [
    b"caf\xe9",
    b"\xff\xfe",
    b"back\\slash",
    b"\\xff",
    b"a b",
    b"quo\"te'",
    b"line\nend",
    b"es\x1b[2Jcape",
    b"${HOME}",
    b"$ORIGIN",
    b"co:lon",
    b"-dash",
    b"per%sent#",
];

/// The path that a string of `--json` spells.
fn unescaped(value: &Value) -> PathBuf {
    let text = value.as_str().unwrap_or_else(|| panic!("no string: {value}")).as_bytes();
    let (mut bytes, mut at) = (Vec::new(), 0);
    while at < text.len() {
        match &text[at..] {
            [b'\\', b'\\', ..] => {
                bytes.push(b'\\');
                at += 2;
            }
            [b'\\', b'x', high, low, ..] => {
                let digit = |c: &u8| char::from(*c).to_digit(16).unwrap() as u8;
                bytes.push(digit(high) << 4 | digit(low));
                at += 4;
            }
            rest => {
                bytes.push(rest[0]);
                at += 1;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

/// Runs the command for ten seconds at most, with 2 GB of memory.
fn bounded(workspace: &Workspace, arguments: &[&OsStr]) -> Ran {
    let mut run = Command::new("timeout");
    run.args(["10", "prlimit", "--as=2147483648", command()]).args(arguments).current_dir(workspace.path(""));
    let output = run.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is text, whatever the names are");
    let ran = Ran { exit: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
    assert!(ran.exit.is_some_and(|exit| exit < 100), "{arguments:?}: {:?} {}", ran.exit, ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    ran
}

/// Every file below a folder with its content.
fn tree_of(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => all.extend(tree_of(&entry.path())),
            kind if kind.is_file() => all.push((entry.path(), fs::read(entry.path()).unwrap())),
            _ => all.push((entry.path(), Vec::new())),
        }
    }
    all.sort();
    all
}

/// The run was refused, and everything is as it was.
pub fn assert_refused(workspace: &Workspace, arguments: &[&OsStr], exit: i32) -> Ran {
    let before = tree_of(&workspace.path(""));
    let ran = bounded(workspace, arguments);
    assert_eq!(ran.exit, Some(exit), "{arguments:?}: {}", ran.stderr);
    assert!(tree_of(&workspace.path("")) == before, "{arguments:?} was refused, and something changed");
    ran
}

#[test]
fn a_module_in_a_folder_of_any_name_goes_there_and_back() {
    for name in NAMES {
        let workspace = Workspace::new();
        let folder = workspace.path("").join(OsStr::from_bytes(name));
        fs::create_dir(&folder).unwrap();
        let module = folder.join("mod_python.so");
        fs::rename(workspace.path("mod_python.so"), &module).unwrap();
        let stock = fs::read(&module).unwrap();
        let backup = folder.join("mod_python.so.modpython-core-stock");
        let run = |arguments: &[&str]| {
            let library = workspace.path("lib");
            let mut all = vec![OsStr::new("--library"), library.as_os_str()];
            all.extend(arguments.iter().map(OsStr::new));
            all.push(module.as_os_str());
            bounded(&workspace, &all)
        };
        for json in [false, true] {
            let json: &[&str] = if json { &["--json"] } else { &[] };
            let with = |more: &[&str]| run(&[json, more].concat());
            with(&["--dry-run"]).assert_exit(0);
            let relinked = with(&[]);
            with(&["--check"]).assert_exit(10);
            let in_place = with(&["--in-place"]);
            in_place.assert_exit(0);
            assert!(fs::read(&module).unwrap() != stock && fs::read(&backup).unwrap() == stock);
            with(&["--check"]).assert_exit(0);
            for ran in [&relinked, &in_place] {
                let text = format!("{}{}", ran.stdout, ran.stderr);
                assert!(!text.contains('\x1b') && !text.lines().any(|line| line.starts_with("end")), "{text:?}");
            }
            if !json.is_empty() {
                assert_eq!(unescaped(&relinked.json()["output"]), folder.join("mod_python-relinked.so"));
                assert_eq!(unescaped(&in_place.json()["output"]), module);
                assert_eq!(unescaped(&in_place.json()["backup"]), backup);
            }
            with(&["--restore"]).assert_exit(0);
            assert!(fs::read(&module).unwrap() == stock && !backup.exists());
        }
    }
}

/// A search path cannot have every name in it; what the loader would misread is refused before anything is written.
#[test]
fn a_library_in_a_folder_of_any_name_is_found_by_the_loader_or_refused() {
    for name in NAMES {
        let workspace = Workspace::new();
        let folder = workspace.path("").join(OsStr::from_bytes(name));
        fs::create_dir(&folder).unwrap();
        fs::copy(workspace.path("lib").join(LIBRARY), folder.join(LIBRARY)).unwrap();
        let arguments = |last: &[&'static str]| -> Vec<OsString> {
            let mut all: Vec<OsString> = vec!["--library".into(), folder.clone().into()];
            all.extend(last.iter().map(|argument| argument.into()));
            all
        };
        let is_sayable = std::str::from_utf8(name).is_ok_and(|name| !name.contains(['$', ':', '\n', '\x1b']));
        for last in
            [&["mod_python.so"][..], &["--in-place", "mod_python.so"], &["--in-place", "--json", "mod_python.so"]]
        {
            let all = arguments(last);
            let all: Vec<&OsStr> = all.iter().map(OsString::as_os_str).collect();
            if !is_sayable {
                let refused = assert_refused(&workspace, &all, 30);
                assert!(refused.stderr.contains("--runpath"), "{}", refused.stderr);
            }
        }
        if is_sayable {
            let all = arguments(&["--in-place", "mod_python.so"]);
            let all: Vec<&OsStr> = all.iter().map(OsString::as_os_str).collect();
            bounded(&workspace, &all).assert_exit(0);
            workspace.run_bare(&["--check", "mod_python.so"]).assert_exit(0);
        }
    }
}

#[test]
fn a_source_tree_in_a_folder_of_any_name_goes_there_and_back() {
    for name in NAMES {
        let tree = Tree::new();
        let top = tree.workspace.path("").join(OsStr::from_bytes(name));
        fs::rename(tree.top(), &top).unwrap();
        let before = tree_of(&top);
        for arguments in
            [&["--output", "diffs", "--json"][..], &["--apply"], &["--reverse", "--json"], &["--apply", "--json"]]
        {
            let mut all = vec![OsStr::new("patch"), OsStr::new("--"), top.as_os_str()];
            all.splice(1..1, arguments.iter().map(OsStr::new));
            let ran = bounded(&tree.workspace, &all);
            ran.assert_exit(0);
            if arguments.contains(&"--json") {
                assert_eq!(unescaped(&ran.json()["tree"]), top);
            }
            assert_eq!(tree_of(&top) == before, !arguments.contains(&"--apply"));
        }
        let output = top.join("out");
        let all = ["patch", "--quilt", "--json", "--output"].map(OsStr::new);
        let again = Tree::new();
        let mut all = all.to_vec();
        let other = again.top();
        all.extend([output.as_os_str(), other.as_os_str()]);
        let ran = bounded(&tree.workspace, &all);
        assert_eq!(unescaped(&ran.assert_exit(0).json()["output"][0]), output.join("modpython-core.patch"));
    }
}

/// A pipe was waited on, and /dev/zero read until the memory was gone.
#[test]
fn pipes_and_devices_are_no_files() {
    let workspace = Workspace::new();
    let made = Command::new("mkfifo").arg(workspace.path("pipe")).status().unwrap();
    assert!(made.success());
    for other in ["pipe", "/dev/zero", "/dev/tty"] {
        let run = |arguments: &[&str], exit| {
            let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
            assert_refused(&workspace, &arguments, exit);
        };
        run(&["--library", other, "mod_python.so"], 30);
        run(&["--library", "lib", other], 20);
        run(&["--library", "lib", "--in-place", other], 20);
        run(&["--check", other], 20);
        run(&["--library", "lib", "--output", other, "mod_python.so"], 31);
    }
    fs::rename(workspace.path("pipe"), workspace.path("mod_python.so.modpython-core-stock")).unwrap();
    let in_place = ["--library", "lib", "--in-place", "mod_python.so"].map(OsStr::new);
    assert_refused(&workspace, &in_place, 20);
    let restore = ["--restore", "mod_python.so"].map(OsStr::new);
    assert_refused(&workspace, &restore, 32);
    let tree = Tree::new();
    fs::create_dir(tree.workspace.path("debian")).unwrap();
    assert!(Command::new("mkfifo").arg(tree.workspace.path("debian/series")).status().unwrap().success());
    let quilt = ["patch", "tree", "--quilt", "--output", "debian"].map(OsStr::new);
    assert_refused(&tree.workspace, &quilt, 31);
    fs::remove_file(tree.top().join("src/Makefile.in")).unwrap();
    assert!(Command::new("mkfifo").arg(tree.top().join("src/Makefile.in")).status().unwrap().success());
    assert_refused(&tree.workspace, &["patch", "tree", "--apply"].map(OsStr::new), 40);
}

/// The loader's answer is had before anything is written: a server that does not start is no outcome of `--in-place`.
#[test]
fn a_search_path_that_does_not_lead_to_the_library_is_refused_in_place_and_else_named() {
    let workspace = Workspace::new();
    fs::create_dir(workspace.path("other")).unwrap();
    craft::library(&workspace.path("other").join(LIBRARY), LIBPYTHON, &craft::replacements()[1..], &[]);
    let other = workspace.path("other").display().to_string();
    for runpath in ["/nonexistent", "$ORIGIN", &other] {
        let all = ["--library", "lib", "--runpath", runpath, "--in-place", "mod_python.so"].map(OsStr::new);
        let refused = assert_refused(&workspace, &all, 30);
        assert!(refused.stderr.contains(LIBRARY), "{}", refused.stderr);
        let named = workspace.run(&["--runpath", runpath, "mod_python.so"]);
        assert!(named.assert_exit(0).stderr.contains(LIBRARY), "{}", named.stderr);
        workspace.run_bare(&["--check", "mod_python-relinked.so"]).assert_exit(12);
    }
}

/// Apache itself reads the lines.
#[test]
fn apache_reads_the_line_as_it_is_given() {
    let workspace = Workspace::for_debian();
    for name in [
        "plain",
        "a b",
        "a \"b\" c",
        "a \\\\b",
        "quo\"te",
        "it's",
        "back\\slash",
        "tail\\",
        "#hash",
        "{brace}$x",
        "tab\tbed",
    ] {
        let folder = workspace.path(name);
        fs::create_dir(&folder).unwrap();
        let output = folder.join("m.so").display().to_string();
        let line = workspace.run(&["--json", "--output", &output, stock().to_str().unwrap()]).assert_exit(0).json();
        let line = match line["load_module"].as_str() {
            Some(line) => line.to_owned(),
            None => {
                assert!(name.contains('\t'), "{name:?}");
                continue;
            }
        };
        let modules = Path::new(STOCK).parent().unwrap().display();
        let root = workspace.path("").display().to_string();
        let configuration = format!(
            "ServerRoot {root}\nServerName localhost\nPidFile {root}/pid\nErrorLog {root}/error.log\n\
             LoadModule mpm_event_module {modules}/mod_mpm_event.so\n{line}\n"
        );
        let file = workspace.write("apache.conf", configuration.as_bytes());
        let ran = Command::new("/usr/sbin/apache2").arg("-t").arg("-f").arg(file).output().unwrap();
        assert!(ran.status.success(), "{line}: {}", String::from_utf8_lossy(&ran.stderr));
    }
    assert!(workspace.path("lib").join(DEBIANS_LIBRARY).exists());
}
