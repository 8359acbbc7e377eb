//! `--in-place` and `--restore`: what the old file had stays, and whatever fails leaves things as they were.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use crate::craft::Recipe;
use crate::run::{Workspace, is_root, stock};

const BACKUP: &str = "mod_python.so.modpython-core-stock";

#[test]
fn mode_owner_and_extended_attributes_are_kept() {
    // Not in /tmp, which on older kernels is a tmpfs without user attributes.
    let workspace = Workspace::within(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let module = workspace.path("mod_python.so");
    let content = workspace.read("mod_python.so");
    if is_root() {
        chown(&module, Some(12345), Some(54321)).unwrap();
    }
    fs::set_permissions(&module, fs::Permissions::from_mode(0o640)).unwrap();
    xattr::set(&module, "user.origin", b"distribution")
        .expect("this test needs a target directory on a file system with user extended attributes");
    // Only a privileged user may set a label where SELinux is off.
    let label = b"system_u:object_r:httpd_modules_t:s0\0";
    let labelled = xattr::set(&module, "security.selinux", label).is_ok();
    let before = fs::metadata(&module).unwrap();

    let assert_kept = |path: &Path| {
        let after = fs::metadata(path).unwrap();
        assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
        assert_eq!(xattr::get(path, "user.origin").unwrap().as_deref(), Some(&b"distribution"[..]));
        if labelled {
            assert_eq!(xattr::get(path, "security.selinux").unwrap().as_deref(), Some(&label[..]));
        }
    };
    let ran = workspace.run(&["--in-place", "mod_python.so"]);
    ran.assert_exit(0);
    assert!(ran.stderr.contains("package manager") && ran.stderr.contains("stop it and start it"), "{}", ran.stderr);
    assert!(ran.stdout.contains(&format!("modpython-relink --restore {}", module.display())), "{}", ran.stdout);
    assert_kept(&module);
    assert_kept(&workspace.path(BACKUP));
    assert_ne!(workspace.read("mod_python.so"), content);
    assert_eq!(workspace.read(BACKUP), content);
    workspace.run(&["--check", "mod_python.so"]).assert_exit(0);

    workspace.run(&["--restore", "--dry-run", "mod_python.so"]).assert_exit(0);
    workspace.run(&["--restore", "mod_python.so"]).assert_exit(0);
    assert_kept(&module);
    assert_eq!(workspace.read("mod_python.so"), content);
    assert_eq!(fs::metadata(&module).unwrap().modified().unwrap(), before.modified().unwrap());
    assert_eq!(workspace.names(), ["mod_python.so"]);
    workspace.run(&["--check", "mod_python.so"]).assert_exit(10);
}

#[test]
fn debians_module_goes_there_and_back() {
    let workspace = Workspace::for_debian();
    fs::copy(stock(), workspace.path("mod_python.so")).unwrap();
    workspace.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    workspace.run(&["--output", "fresh.so", stock().to_str().unwrap()]).assert_exit(0);
    assert_eq!(workspace.read("mod_python.so"), workspace.read("fresh.so"));
    workspace.run(&["--restore", "mod_python.so"]).assert_exit(0);
    assert_eq!(workspace.read("mod_python.so"), fs::read(stock()).unwrap());
}

/// A system's module is often reached through a link (`/etc/httpd/modules`): the link stays, its file is replaced.
#[test]
fn a_link_is_followed() {
    let workspace = Workspace::new();
    symlink("mod_python.so", workspace.path("link.so")).unwrap();
    workspace.run(&["--in-place", "link.so"]).assert_exit(0);
    assert!(fs::symlink_metadata(workspace.path("link.so")).unwrap().is_symlink());
    assert_eq!(workspace.names(), ["link.so", "mod_python.so", BACKUP]);
    workspace.run(&["--restore", "link.so"]).assert_exit(0);
    assert_eq!(workspace.names(), ["link.so", "mod_python.so"]);
}

/// As Debian's `sites-enabled` and `current` folders have them: a chain of links, and links to folders.
#[test]
fn a_chain_of_links_across_folders_is_followed_and_stays() {
    let workspace = Workspace::new();
    for folder in ["real", "etc"] {
        fs::create_dir(workspace.path(folder)).unwrap();
    }
    fs::rename(workspace.path("mod_python.so"), workspace.path("real/mod_python.so")).unwrap();
    symlink("real", workspace.path("current")).unwrap();
    symlink("../current/mod_python.so", workspace.path("etc/second.so")).unwrap();
    symlink("etc/second.so", workspace.path("first.so")).unwrap();
    let content = workspace.read("real/mod_python.so");
    let links = || ["first.so", "etc/second.so", "current"].map(|name| fs::read_link(workspace.path(name)).unwrap());
    let (before, beside) = (links(), format!("real/{BACKUP}"));
    workspace.run(&["--in-place", "first.so"]).assert_exit(0);
    assert_ne!(workspace.read("real/mod_python.so"), content);
    assert_eq!((workspace.read(&beside), links()), (content.clone(), before.clone()));
    assert_eq!(fs::read_dir(workspace.path("etc")).unwrap().count(), 1);
    workspace.run_bare(&["--check", "etc/second.so"]).assert_exit(0);
    workspace.run(&["--restore", "current/mod_python.so"]).assert_exit(0);
    assert_eq!((workspace.read("first.so"), links()), (content, before));
    assert!(!workspace.path(&beside).exists());
}

#[test]
fn a_link_that_leads_nowhere_is_refused_and_stays() {
    let workspace = Workspace::new();
    symlink("absent.so", workspace.path("dangling.so")).unwrap();
    symlink("loop.so", workspace.path("loop.so")).unwrap();
    for link in ["dangling.so", "loop.so"] {
        for action in ["--in-place", "--restore"] {
            workspace.run(&[action, link]).assert_exit(20);
        }
        assert!(fs::symlink_metadata(workspace.path(link)).unwrap().is_symlink());
    }
    assert_eq!(workspace.names(), ["dangling.so", "loop.so", "mod_python.so"]);
}

/// `make relink` on a server whose module is relinked already: it stopped with 28.
#[test]
fn a_module_relinked_in_place_is_relinked_again_from_its_stock_file() {
    let workspace = Workspace::new();
    workspace.run(&["--output", "fresh.so", "mod_python.so"]).assert_exit(0);
    workspace.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    symlink("mod_python.so", workspace.path("link.so")).unwrap();
    for module in ["mod_python.so", "link.so"] {
        let ran = workspace.run(&["--output", "again.so", "--json", module]);
        let json = ran.assert_exit(0).json();
        assert_eq!(json["source"].as_str(), workspace.path(BACKUP).to_str());
        assert_eq!(json["way_back"], format!("LoadModule python_module {}", workspace.path(BACKUP).display()));
        assert_eq!(workspace.read("again.so"), workspace.read("fresh.so"));
    }
    // The backup is no place for the output either.
    workspace.run(&["--output", BACKUP, "mod_python.so"]).assert_exit(31);
    workspace.write(BACKUP, b"not a stock module");
    workspace.run(&["--output", "again.so", "mod_python.so"]).assert_exit(28);
}

/// With `dpkg-divert` an upgrade goes to the backup's name. It said 28 and gave advice made of dpkg's words.
#[test]
fn in_place_again_takes_a_newer_stock_file_from_the_backup() {
    let workspace = Workspace::new();
    workspace.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    let (relinked, inode) = (workspace.read("mod_python.so"), inode(&workspace.path("mod_python.so")));
    let current = workspace.run(&["--in-place", "--json", "mod_python.so"]);
    assert_eq!(current.assert_exit(0).json()["changed"], false);
    assert_eq!(self::inode(&workspace.path("mod_python.so")), inode);

    let upgraded = workspace.craft("upgraded.so", &Recipe { build: 2, ..Recipe::generation_35() });
    fs::rename(&upgraded, workspace.path(BACKUP)).unwrap();
    let stock = workspace.read(BACKUP);
    workspace.run_bare(&["--check", "mod_python.so"]).assert_exit(11);
    let again = workspace.run(&["--in-place", "--json", "mod_python.so"]);
    assert_eq!(again.assert_exit(0).json()["changed"], true);
    assert_ne!(workspace.read("mod_python.so"), relinked);
    assert_eq!(workspace.read(BACKUP), stock);
    workspace.run_bare(&["--check", "mod_python.so"]).assert_exit(0);
    workspace.run(&["--restore", "mod_python.so"]).assert_exit(0);
    assert_eq!((workspace.read("mod_python.so"), workspace.names()), (stock, vec!["mod_python.so".to_owned()]));
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

/// The package was upgraded over a module relinked in place: the older backup gives way to the newer stock file.
#[test]
fn an_upgrade_over_a_relinked_module_is_relinked_again() {
    let workspace = Workspace::new();
    workspace.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    let upgraded = workspace.craft("mod_python.so", &Recipe { build: 2, ..Recipe::generation_35() });
    let upgraded = fs::read(upgraded).unwrap();
    let check = workspace.run(&["--check", "mod_python.so"]);
    check.assert_exit(10);
    assert!(check.stdout.contains("--in-place again"), "{}", check.stdout);
    workspace.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    assert_eq!(workspace.read(BACKUP), upgraded);
    workspace.run(&["--restore", "mod_python.so"]).assert_exit(0);
    assert_eq!(workspace.read("mod_python.so"), upgraded);
}

#[test]
fn a_strangers_file_in_the_backups_place_is_not_overwritten() {
    let workspace = Workspace::new();
    workspace.write(BACKUP, b"somebody's notes");
    let content = workspace.read("mod_python.so");
    let ran = workspace.run(&["--in-place", "mod_python.so"]);
    ran.assert_exit(31);
    assert!(ran.stderr.contains(BACKUP), "{}", ran.stderr);
    assert_eq!(workspace.read("mod_python.so"), content);
    assert_eq!(workspace.read(BACKUP), b"somebody's notes");
    fs::remove_file(workspace.path(BACKUP)).unwrap();
    fs::create_dir(workspace.path(BACKUP)).unwrap();
    assert_ne!(workspace.run(&["--in-place", "mod_python.so"]).exit, Some(0));
    assert_eq!(workspace.read("mod_python.so"), content);
    assert_eq!(workspace.names(), ["mod_python.so", BACKUP]);
}

#[test]
fn restore_refuses_what_it_cannot_do_right() {
    let workspace = Workspace::new();
    let refuse = |says: &str| {
        let (names, content) = (workspace.names(), workspace.read("mod_python.so"));
        let ran = workspace.run(&["--restore", "mod_python.so"]);
        ran.assert_exit(32);
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
        assert_eq!((workspace.names(), workspace.read("mod_python.so")), (names, content));
    };
    refuse("stock module already");
    workspace.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    let kept = workspace.read(BACKUP);
    // A copy of the relinked one, and a damaged one, are no stock files.
    workspace.write(BACKUP, &workspace.read("mod_python.so"));
    refuse("relinked, not stock");
    workspace.write(BACKUP, &kept[..kept.len() / 2]);
    refuse("truncated or damaged");
    fs::remove_file(workspace.path(BACKUP)).unwrap();
    refuse("no backup");
    workspace.write("mod_python.so", b"not ELF at all");
    workspace.run(&["--restore", "mod_python.so"]).assert_exit(21);
}

#[test]
fn the_backups_name_is_for_stock_files() {
    let workspace = Workspace::new();
    let ran = workspace.run(&["--output", BACKUP, "mod_python.so"]);
    ran.assert_exit(31);
    assert!(ran.stderr.contains("choose another"), "{}", ran.stderr);
    assert_eq!(workspace.names(), ["mod_python.so"]);

    workspace.write(BACKUP, b"junk");
    let said = workspace.run(&["--check", "mod_python.so"]);
    said.assert_exit(10);
    assert!(said.stdout.contains("is not a stock mod_python): move that away"), "{}", said.stdout);
    workspace.run(&["--in-place", "mod_python.so"]).assert_exit(31);
}

#[test]
fn a_relinked_module_without_its_backup_is_told_the_way_out() {
    let workspace = Workspace::new();
    workspace.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    fs::remove_file(workspace.path(BACKUP)).unwrap();
    for arguments in [&["--in-place", "mod_python.so"][..], &["--output", "other.so", "mod_python.so"]] {
        let ran = workspace.run(arguments);
        ran.assert_exit(28);
        assert!(ran.stderr.contains("install mod_python again"), "{}", ran.stderr);
    }
}

#[test]
fn another_name_of_the_file_stays_stock_and_that_is_said() {
    let workspace = Workspace::new();
    let content = workspace.read("mod_python.so");
    fs::hard_link(workspace.path("mod_python.so"), workspace.path("other.so")).unwrap();
    let ran = workspace.run(&["--in-place", "mod_python.so"]);
    ran.assert_exit(0);
    assert!(ran.stderr.contains("1 more name (hard links)"), "{}", ran.stderr);
    assert_eq!(workspace.read("other.so"), content);
}
