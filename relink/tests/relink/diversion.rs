//! An upgrade of the package, by dpkg itself, with a database of its own and a package that has the module.

use std::fs;
use std::process::Command;

use crate::craft::Recipe;
use crate::run::{Ran, Workspace, command};

const BACKUP: &str = "mod_python.so.modpython-core-stock";

/// A folder whose module belongs to a package.
struct Packaged {
    workspace: Workspace,
}

impl Packaged {
    fn new() -> Packaged {
        let packaged = Packaged { workspace: Workspace::new() };
        fs::remove_file(packaged.workspace.path("mod_python.so")).unwrap();
        for folder in ["dpkg/info", "dpkg/updates", "dpkg/triggers", "dpkg/parts"] {
            fs::create_dir_all(packaged.workspace.path(folder)).unwrap();
        }
        packaged.workspace.write("dpkg/status", b"");
        packaged
    }

    /// A program that asks or changes this database.
    fn with_database(&self, program: &str) -> Command {
        let mut run = Command::new(program);
        // dpkg looks for these in a PATH that an ordinary user's shell does not have.
        run.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("DPKG_ADMINDIR", self.workspace.path("dpkg"));
        run.current_dir(self.workspace.path(""));
        run
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.with_database(command()).args(arguments).output().unwrap().into()
    }

    fn dpkg(&self, arguments: &[&str]) {
        let log = format!("--log={}", self.workspace.path("dpkg/log").display());
        let mut run = self.with_database("dpkg");
        let output = run.args(["--force-not-root", "--force-bad-path", &log]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Installs a version of the package; its module is another build each time.
    fn install(&self, version: u32) -> Vec<u8> {
        let root = self.workspace.path(&format!("package{version}"));
        let inside = root.join(self.workspace.path("").strip_prefix("/").unwrap());
        fs::create_dir_all(&inside).unwrap();
        fs::create_dir_all(root.join("DEBIAN")).unwrap();
        let control = format!(
            "Package: mod-python-of-a-test\nVersion: {version}\nArchitecture: all\nMaintainer: A Test <test@localhost>\n\
             Description: a module\n"
        );
        fs::write(root.join("DEBIAN/control"), control).unwrap();
        let built = self.workspace.craft("built.so", &Recipe { build: version, ..Recipe::generation_35() });
        let content = fs::read(&built).unwrap();
        fs::rename(built, inside.join("mod_python.so")).unwrap();
        let file = format!("package{version}.deb");
        let build = Command::new("dpkg-deb")
            .args(["--root-owner-group", "--build"])
            .arg(&root)
            .arg(self.workspace.path(&file))
            .output()
            .unwrap();
        assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
        self.dpkg(&["--install", &file]);
        content
    }

    /// The command that brings the module of this folder back, as the report has it.
    fn reinstall(&self, folder: &str) -> serde_json::Value {
        let module = format!("{folder}/mod_python.so");
        let ran = self.run(&["--json", "--library", "lib", "--in-place", "--dry-run", &module]);
        ran.assert_exit(0).json()["reinstall"].clone()
    }

    /// The module, and the backup if it is there.
    fn files(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        (self.workspace.read("mod_python.so"), fs::read(self.workspace.path(BACKUP)).ok())
    }

    fn diversions(&self) -> String {
        let output = self.with_database("dpkg-divert").arg("--list").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn an_upgrade_goes_to_the_backup_and_everything_can_be_taken_back() {
    let packaged = Packaged::new();
    let first = packaged.install(1);
    let ran = packaged.run(&["--library", "lib", "--in-place", "mod_python.so"]);
    assert!(ran.assert_exit(0).stderr.contains("diversion"), "{}", ran.stderr);
    let (relinked, backup) = packaged.files();
    assert!(backup.as_ref() == Some(&first) && relinked != first);
    assert!(packaged.diversions().contains(BACKUP), "{}", packaged.diversions());

    let second = packaged.install(2);
    assert!(second != first);
    assert!(packaged.files() == (relinked.clone(), Some(second.clone())));
    packaged.run(&["--check", "mod_python.so"]).assert_exit(11);
    let again = packaged.run(&["--json", "--library", "lib", "--in-place", "mod_python.so"]);
    let json = again.assert_exit(0).json();
    assert_eq!((&json["changed"], &json["diverted"]), (&true.into(), &true.into()));
    // dpkg tells of the diversion before it names the package.
    assert_eq!(json["reinstall"], "apt-get install --reinstall mod-python-of-a-test");
    packaged.run(&["--check", "mod_python.so"]).assert_exit(0);

    // A downgrade is the same to it, and what is restored is what the package has.
    let first = packaged.install(1);
    packaged.run(&["--check", "mod_python.so"]).assert_exit(11);
    let restored = packaged.run(&["--json", "--restore", "mod_python.so"]);
    assert_eq!(restored.assert_exit(0).json()["undiverted"], true);
    assert!(packaged.files() == (first, None));
    assert_eq!(packaged.diversions(), "");
    let third = packaged.install(3);
    assert!(packaged.files() == (third, None));
    packaged.dpkg(&["--purge", "mod-python-of-a-test"]);
    assert!(!packaged.workspace.path("mod_python.so").exists());
}

/// dpkg removes what it knows; what is left is named, with the way to be rid of it.
#[test]
fn a_package_that_is_purged_leaves_nothing_that_is_not_named() {
    let packaged = Packaged::new();
    packaged.install(1);
    packaged.run(&["--library", "lib", "--in-place", "mod_python.so"]).assert_exit(0);
    packaged.dpkg(&["--purge", "mod-python-of-a-test"]);
    assert!(packaged.files().1.is_none());
    let refused = packaged.run(&["--restore", "mod_python.so"]);
    assert!(refused.assert_exit(32).stderr.contains("package has been removed"), "{}", refused.stderr);
    let json = packaged.run(&["doctor", "--json", "--apache", "/bin/false", "mod_python.so"]).json();
    let advice = json["advice"].to_string();
    let commands = advice.split("run ").nth(1).and_then(|rest| rest.split(", or").next()).expect(&advice);
    let done = packaged.with_database("sh").args(["-ec", commands]).output().unwrap();
    assert!(done.status.success(), "{commands}: {}", String::from_utf8_lossy(&done.stderr));
    assert!(packaged.diversions().is_empty() && !packaged.workspace.path("mod_python.so").exists());
}

#[test]
fn a_dry_run_diverts_nothing_and_a_strangers_diversion_stays() {
    let packaged = Packaged::new();
    packaged.install(1);
    packaged.run(&["--library", "lib", "--in-place", "--dry-run", "mod_python.so"]).assert_exit(0);
    assert_eq!(packaged.diversions(), "");
    let theirs = packaged.workspace.path("theirs.so").display().to_string();
    let module = packaged.workspace.path("mod_python.so").display().to_string();
    let mut divert = packaged.with_database("dpkg-divert");
    let diverted = divert.args(["--local", "--no-rename", "--divert", &theirs, "--add", &module]).output().unwrap();
    assert!(diverted.status.success(), "{}", String::from_utf8_lossy(&diverted.stderr));
    let before = packaged.diversions();
    let ran = packaged.run(&["--library", "lib", "--in-place", "mod_python.so"]);
    assert!(ran.assert_exit(0).stderr.contains("somebody else"), "{}", ran.stderr);
    packaged.run(&["--restore", "mod_python.so"]).assert_exit(0);
    assert_eq!(packaged.diversions(), before);
}

/// `dpkg-query -S` takes patterns: a module in `a*` had the package of the one in `ab`, and one in `a[b]` had none.
#[test]
fn a_path_with_a_patterns_characters_has_no_other_files_package() {
    let packaged = Packaged::new();
    let owned = [("ab", "plain"), ("a[b]", "brackets"), ("a\\b", "backslash")];
    let nobodys = ["a*", "a?", "a[b"];
    let module = packaged.workspace.path("mod_python.so");
    packaged.workspace.craft("mod_python.so", &Recipe::generation_35());
    for folder in owned.map(|(folder, _)| folder).into_iter().chain(nobodys) {
        fs::create_dir(packaged.workspace.path(folder)).unwrap();
        fs::copy(&module, packaged.workspace.path(folder).join("mod_python.so")).unwrap();
    }
    let mut status = String::new();
    for (folder, package) in owned {
        let list = format!("{}\n", packaged.workspace.path(folder).join("mod_python.so").display());
        packaged.workspace.write(&format!("dpkg/info/{package}.list"), list.as_bytes());
        status.push_str(&format!(
            "Package: {package}\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\
             Maintainer: A Test <test@localhost>\nDescription: a module\n\n"
        ));
    }
    packaged.workspace.write("dpkg/status", status.as_bytes());
    for (folder, package) in owned {
        assert_eq!(packaged.reinstall(folder), format!("apt-get install --reinstall {package}"), "{folder}");
    }
    for folder in nobodys {
        assert_eq!(packaged.reinstall(folder), serde_json::Value::Null, "{folder}");
    }
}
