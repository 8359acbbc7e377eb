//! Folders in which somebody else may write, while root works in them: nothing but what was named is touched.

use std::fs::{self, File, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fs::FlockOperation;

use crate::run::{Workspace, is_root};
use crate::source_tree::Tree;

const BACKUP: &str = "mod_python.so.modpython-core-stock";
const TEMPORARY: &str = ".modpython-relink-";

/// A file the command has nothing to do with.
struct Victim {
    path: PathBuf,
    before: Metadata,
}

impl Victim {
    fn new(path: PathBuf) -> Victim {
        fs::write(&path, "a secret").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        Victim { before: fs::metadata(&path).unwrap(), path }
    }

    fn assert_untouched(&self) {
        let state = |of: &Metadata| (of.ino(), of.uid(), of.gid(), of.mode(), of.mtime(), of.len(), of.ctime_nsec());
        assert_eq!(state(&fs::metadata(&self.path).unwrap()), state(&self.before));
        assert!(xattr::list(&self.path).unwrap().all(|name| !name.to_string_lossy().starts_with("user.")));
        assert_eq!(fs::read(&self.path).unwrap(), b"a secret");
    }
}

/// Ends the other thread of a test, however the test ends.
struct SetAtEnd<'test>(&'test AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// While `work` goes on, every temporary file in the folder is exchanged for a link to the victim. How many were?
fn exchanging(folder: &Path, victim: &Victim, work: impl FnOnce()) -> usize {
    let (done, exchanged) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for entry in fs::read_dir(folder).unwrap().flatten() {
                    let is_theirs = entry.file_type().is_ok_and(|kind| kind.is_file())
                        && entry.file_name().to_string_lossy().starts_with(TEMPORARY);
                    if is_theirs && fs::remove_file(entry.path()).is_ok() {
                        let _ = symlink(&victim.path, entry.path());
                        exchanged.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        });
        let _ends = SetAtEnd(&done);
        work();
    });
    exchanged.into_inner()
}

/// A module with an owner, times and an attribute of its own, in a folder of that owner.
fn module_of_a_user() -> Workspace {
    let workspace = Workspace::within(Path::new(env!("CARGO_TARGET_TMPDIR")));
    fs::create_dir(workspace.path("theirs")).unwrap();
    let module = workspace.path("theirs/mod_python.so");
    fs::rename(workspace.path("mod_python.so"), &module).unwrap();
    let _ = xattr::set(&module, "user.origin", b"distribution");
    File::options()
        .write(true)
        .open(&module)
        .unwrap()
        .set_modified(SystemTime::now() - Duration::from_secs(9))
        .unwrap();
    if is_root() {
        for path in [workspace.path("theirs"), module] {
            chown(path, Some(12345), Some(54321)).unwrap();
        }
    }
    workspace
}

/// Root's own file was the user's after the first run: owner, times and attributes were set by the name.
#[test]
fn a_link_swapped_in_for_the_temporary_file_is_not_followed() {
    let workspace = module_of_a_user();
    let victim = Victim::new(workspace.path("victim"));
    let stock = workspace.read("theirs/mod_python.so");
    let mut exchanged = 0;
    for round in 0.. {
        exchanged += exchanging(&workspace.path("theirs"), &victim, || {
            let ran = workspace.run(&["--in-place", "theirs/mod_python.so"]);
            assert!(matches!(ran.exit, Some(0 | 31)), "{}", ran.stderr);
            if ran.exit == Some(31) {
                assert_eq!(workspace.read("theirs/mod_python.so"), stock);
            }
        });
        victim.assert_untouched();
        if exchanged >= 10 {
            break;
        }
        assert!(round < 200, "only {exchanged} temporary files were exchanged");
        if workspace.path("theirs").join(BACKUP).exists() {
            workspace.run(&["--restore", "theirs/mod_python.so"]).assert_exit(0);
        }
    }
}

#[test]
fn a_link_swapped_in_while_a_tree_is_patched_is_not_followed() {
    let tree = Tree::new();
    let victim = Victim::new(tree.workspace.path("victim"));
    let before = tree.files();
    let mut exchanged = 0;
    for round in 0.. {
        exchanged += exchanging(&tree.top().join("src"), &victim, || {
            let ran = tree.patch(&["--apply"]);
            assert!(matches!(ran.exit, Some(0 | 31)), "{}", ran.stderr);
            if ran.exit == Some(31) {
                assert_eq!(tree.files(), before);
            }
        });
        victim.assert_untouched();
        if exchanged >= 10 {
            break;
        }
        assert!(round < 200, "only {exchanged} temporary files were exchanged");
        if tree.files() != before {
            tree.patch(&["--reverse"]).assert_exit(0);
        }
    }
}

/// A link in the place of the folder or of the file: what was read is what is replaced, or nothing is.
#[test]
fn a_folder_exchanged_while_the_command_works_leads_nowhere_else() {
    let workspace = module_of_a_user();
    fs::create_dir(workspace.path("precious")).unwrap();
    let stock = workspace.read("theirs/mod_python.so");
    fs::write(workspace.path("precious/mod_python.so"), &stock).unwrap();
    let victim = workspace.path("precious/mod_python.so");
    let before = fs::metadata(&victim).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                fs::rename(workspace.path("theirs"), workspace.path("aside")).unwrap();
                symlink("precious", workspace.path("theirs")).unwrap();
                fs::remove_file(workspace.path("theirs")).unwrap();
                fs::rename(workspace.path("aside"), workspace.path("theirs")).unwrap();
            }
        });
        let _ends = SetAtEnd(&done);
        for _ in 0..20 {
            let ran = workspace.run(&["--in-place", "--json", "theirs/mod_python.so"]);
            // Whatever folder it came to, module and backup are in that one.
            if ran.exit == Some(0) {
                let (module, backup) = (&ran.json()["output"], &ran.json()["backup"]);
                let of =
                    |value: &serde_json::Value| PathBuf::from(value.as_str().unwrap()).parent().unwrap().to_owned();
                assert_eq!(of(module), of(backup));
            }
        }
    });
    // The link does lead to the other module, and the user who set it could do that before the command started as well.
    let now = fs::metadata(&victim).unwrap();
    assert_eq!((now.uid(), now.gid(), now.mode()), (before.uid(), before.gid(), before.mode()));
    for folder in ["theirs", "precious"] {
        let folder = workspace.path(folder);
        let names = fs::read_dir(&folder).unwrap().count();
        let is_relinked = fs::read(folder.join("mod_python.so")).unwrap() != stock;
        assert_eq!(names, if is_relinked { 2 } else { 1 }, "{}", folder.display());
        if is_relinked {
            assert_eq!(fs::read(folder.join(BACKUP)).unwrap(), stock);
        }
    }
}

#[test]
fn rights_to_act_as_somebody_else_are_not_given_to_the_new_file() {
    let workspace = Workspace::within(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let module = workspace.path("mod_python.so");
    fs::set_permissions(&module, Permissions::from_mode(0o6755)).unwrap();
    // cap_net_bind_service, as `setcap` writes it; only a privileged user may.
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let has_capability = xattr::set(&module, "security.capability", &capability).is_ok();
    assert!(has_capability || !is_root(), "root may set capabilities on the file system of the target folder");
    workspace.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    for path in [module, workspace.path(BACKUP)] {
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o755);
        assert_eq!(xattr::get(&path, "security.capability").unwrap(), None);
    }
}

fn open_to_all(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
}

/// In place what everybody may exchange is refused to root; else it is named.
#[test]
fn a_folder_that_everybody_may_write_to_is_refused_or_named() {
    type Open = fn(&Workspace) -> PathBuf;
    let cases: [(&str, Open); 4] = [
        ("mod_python.so", |workspace| workspace.path("")),
        ("mod_python.so", |workspace| workspace.path("lib")),
        ("mod_python.so", |workspace| workspace.path("lib").join(crate::craft::LIBRARY)),
        ("links/link.so", |workspace| workspace.path("links")),
    ];
    for (module, exposed) in cases {
        let workspace = Workspace::new();
        fs::create_dir(workspace.path("links")).unwrap();
        symlink("../mod_python.so", workspace.path("links/link.so")).unwrap();
        let (names, content) = (workspace.names(), workspace.read("mod_python.so"));
        let exposed = exposed(&workspace);
        open_to_all(&exposed);
        let exposed = exposed.display().to_string();
        let exposed = exposed.trim_end_matches('/');
        let ran = workspace.run(&["--in-place", module]);
        if is_root() {
            ran.assert_exit(33);
            assert!(ran.stderr.contains(exposed) && ran.stderr.lines().count() == 1, "{exposed}: {}", ran.stderr);
            assert_eq!((workspace.names(), workspace.read("mod_python.so")), (names, content));
            assert_eq!(workspace.run(&["--in-place", "--json", module]).json()["error"], "exposed");
        }
        let ran = workspace.run(&["--output", "links/out.so", module]);
        let warning = format!("{exposed} can be written by everybody");
        assert!(ran.stderr.contains(&warning) || !is_root(), "{warning}: {}", ran.stderr);
    }
}

#[test]
fn others_than_root_and_the_caller_are_named() {
    let workspace = Workspace::new();
    let silent = workspace.run(&["mod_python.so"]);
    assert_eq!(silent.assert_exit(0).stderr, "");
    // In a folder with the sticky bit nobody can exchange what is root's: /tmp, above all this, is one. But where the
    // loader searches, anybody could put a libpython there.
    fs::set_permissions(workspace.path("lib"), Permissions::from_mode(0o1777)).unwrap();
    assert!(workspace.run(&["mod_python.so"]).assert_exit(0).stderr.contains("lib can be written by everybody"));
    if is_root() {
        fs::set_permissions(workspace.path("lib"), Permissions::from_mode(0o775)).unwrap();
        for (owner, group, says) in
            [(0, 50, "lib can be written by group 50"), (1000, 0, "lib can be written by user 1000")]
        {
            chown(workspace.path("lib"), Some(owner), Some(group)).unwrap();
            let ran = workspace.run(&["--in-place", "mod_python.so"]);
            assert!(ran.assert_exit(0).stderr.contains(says), "{}", ran.stderr);
            let ran = workspace.run_bare(&["--restore", "mod_python.so"]);
            assert!(!ran.assert_exit(0).stderr.contains("can be written"), "{}", ran.stderr);
        }
    }
}

/// Where a run was killed, the next one clears away what it left, but not what a run of now has.
#[test]
fn temporary_files_of_killed_runs_are_cleared_by_the_next() {
    let workspace = Workspace::new();
    let left = format!("{TEMPORARY}4711-0");
    let running = File::open(workspace.path("")).unwrap();
    rustix::fs::flock(&running, FlockOperation::LockShared).unwrap();
    workspace.write(&left, b"half a module");
    workspace.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    assert!(workspace.names().contains(&left));
    // Not by closing it: a process that another test is just starting has a copy for a moment.
    rustix::fs::flock(&running, FlockOperation::Unlock).unwrap();
    workspace.run(&["--restore", "mod_python.so"]).assert_exit(0);
    assert_eq!(workspace.names(), ["mod_python.so"]);
    // Where somebody holds the folder for himself, work goes on without.
    let hostile = File::open(workspace.path("")).unwrap();
    rustix::fs::flock(&hostile, FlockOperation::LockExclusive).unwrap();
    workspace.run(&["--in-place", "mod_python.so"]).assert_exit(0);
}
