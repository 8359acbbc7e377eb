//! `--in-place` and `--restore`: what the old file had stays, and whatever fails leaves things as they were.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use crate::craft::Recipe;
use crate::run::{Place, is_root, stock};

const BACKUP: &str = "mod_python.so.modpython-core-stock";

#[test]
fn mode_owner_and_extended_attributes_are_kept() {
    // Not in /tmp, which on older kernels is a tmpfs without user attributes.
    let place = Place::within(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let module = place.path("mod_python.so");
    let content = place.read("mod_python.so");
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
    let ran = place.run(&["--in-place", "mod_python.so"]);
    ran.assert_exit(0);
    assert!(ran.stderr.contains("package manager") && ran.stderr.contains("stop it and start it"), "{}", ran.stderr);
    assert!(ran.stdout.contains(&format!("modpython-relink --restore {}", module.display())), "{}", ran.stdout);
    assert_kept(&module);
    assert_kept(&place.path(BACKUP));
    assert_ne!(place.read("mod_python.so"), content);
    assert_eq!(place.read(BACKUP), content);
    place.run(&["--check", "mod_python.so"]).assert_exit(0);

    place.run(&["--restore", "--dry-run", "mod_python.so"]).assert_exit(0);
    place.run(&["--restore", "mod_python.so"]).assert_exit(0);
    assert_kept(&module);
    assert_eq!(place.read("mod_python.so"), content);
    assert_eq!(fs::metadata(&module).unwrap().modified().unwrap(), before.modified().unwrap());
    assert_eq!(place.names(), ["mod_python.so"]);
    place.run(&["--check", "mod_python.so"]).assert_exit(10);
}

#[test]
fn debians_module_goes_there_and_back() {
    let place = Place::for_debian();
    fs::copy(stock(), place.path("mod_python.so")).unwrap();
    place.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    place.run(&["--output", "fresh.so", stock().to_str().unwrap()]).assert_exit(0);
    assert_eq!(place.read("mod_python.so"), place.read("fresh.so"));
    place.run(&["--restore", "mod_python.so"]).assert_exit(0);
    assert_eq!(place.read("mod_python.so"), fs::read(stock()).unwrap());
}

/// A system's module is often reached through a link (`/etc/httpd/modules`): the link stays, its file is replaced.
#[test]
fn a_link_is_followed() {
    let place = Place::new();
    symlink("mod_python.so", place.path("link.so")).unwrap();
    place.run(&["--in-place", "link.so"]).assert_exit(0);
    assert!(fs::symlink_metadata(place.path("link.so")).unwrap().is_symlink());
    assert_eq!(place.names(), ["link.so", "mod_python.so", BACKUP]);
    place.run(&["--restore", "link.so"]).assert_exit(0);
    assert_eq!(place.names(), ["link.so", "mod_python.so"]);
}

/// As Debian's `sites-enabled` and `current` folders have them: a chain of links, and links to folders.
#[test]
fn a_chain_of_links_across_folders_is_followed_and_stays() {
    let place = Place::new();
    for folder in ["real", "etc"] {
        fs::create_dir(place.path(folder)).unwrap();
    }
    fs::rename(place.path("mod_python.so"), place.path("real/mod_python.so")).unwrap();
    symlink("real", place.path("current")).unwrap();
    symlink("../current/mod_python.so", place.path("etc/second.so")).unwrap();
    symlink("etc/second.so", place.path("first.so")).unwrap();
    let content = place.read("real/mod_python.so");
    let links = || ["first.so", "etc/second.so", "current"].map(|name| fs::read_link(place.path(name)).unwrap());
    let (before, beside) = (links(), format!("real/{BACKUP}"));
    place.run(&["--in-place", "first.so"]).assert_exit(0);
    assert_ne!(place.read("real/mod_python.so"), content);
    assert_eq!((place.read(&beside), links()), (content.clone(), before.clone()));
    assert_eq!(fs::read_dir(place.path("etc")).unwrap().count(), 1);
    place.run_bare(&["--check", "etc/second.so"]).assert_exit(0);
    place.run(&["--restore", "current/mod_python.so"]).assert_exit(0);
    assert_eq!((place.read("first.so"), links()), (content, before));
    assert!(!place.path(&beside).exists());
}

#[test]
fn a_link_that_leads_nowhere_is_refused_and_stays() {
    let place = Place::new();
    symlink("absent.so", place.path("dangling.so")).unwrap();
    symlink("loop.so", place.path("loop.so")).unwrap();
    for link in ["dangling.so", "loop.so"] {
        for action in ["--in-place", "--restore"] {
            place.run(&[action, link]).assert_exit(20);
        }
        assert!(fs::symlink_metadata(place.path(link)).unwrap().is_symlink());
    }
    assert_eq!(place.names(), ["dangling.so", "loop.so", "mod_python.so"]);
}

/// `make relink` on a server whose module is relinked already: it stopped with 28.
#[test]
fn a_module_relinked_in_place_is_relinked_again_from_its_stock_file() {
    let place = Place::new();
    place.run(&["--output", "fresh.so", "mod_python.so"]).assert_exit(0);
    place.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    symlink("mod_python.so", place.path("link.so")).unwrap();
    for module in ["mod_python.so", "link.so"] {
        let ran = place.run(&["--output", "again.so", "--json", module]);
        let json = ran.assert_exit(0).json();
        assert_eq!(json["source"].as_str(), place.path(BACKUP).to_str());
        assert_eq!(json["way_back"], format!("LoadModule python_module {}", place.path(BACKUP).display()));
        assert_eq!(place.read("again.so"), place.read("fresh.so"));
    }
    // The backup is no place for the output either.
    place.run(&["--output", BACKUP, "mod_python.so"]).assert_exit(31);
    place.write(BACKUP, b"not a stock module");
    place.run(&["--output", "again.so", "mod_python.so"]).assert_exit(28);
}

/// With `dpkg-divert` an upgrade goes to the backup's name. It said 28 and gave advice made of dpkg's words.
#[test]
fn in_place_again_takes_a_newer_stock_file_from_the_backup() {
    let place = Place::new();
    place.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    let (relinked, inode) = (place.read("mod_python.so"), inode(&place.path("mod_python.so")));
    let current = place.run(&["--in-place", "--json", "mod_python.so"]);
    assert_eq!(current.assert_exit(0).json()["changed"], false);
    assert_eq!(self::inode(&place.path("mod_python.so")), inode);

    let upgraded = place.craft("upgraded.so", &Recipe { build: 2, ..Recipe::generation_35() });
    fs::rename(&upgraded, place.path(BACKUP)).unwrap();
    let stock = place.read(BACKUP);
    place.run_bare(&["--check", "mod_python.so"]).assert_exit(11);
    let again = place.run(&["--in-place", "--json", "mod_python.so"]);
    assert_eq!(again.assert_exit(0).json()["changed"], true);
    assert_ne!(place.read("mod_python.so"), relinked);
    assert_eq!(place.read(BACKUP), stock);
    place.run_bare(&["--check", "mod_python.so"]).assert_exit(0);
    place.run(&["--restore", "mod_python.so"]).assert_exit(0);
    assert_eq!((place.read("mod_python.so"), place.names()), (stock, vec!["mod_python.so".to_owned()]));
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

/// The package was upgraded over a module relinked in place: the older backup gives way to the newer stock file.
#[test]
fn an_upgrade_over_a_relinked_module_is_relinked_again() {
    let place = Place::new();
    place.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    let upgraded = place.craft("mod_python.so", &Recipe { build: 2, ..Recipe::generation_35() });
    let upgraded = fs::read(upgraded).unwrap();
    let check = place.run(&["--check", "mod_python.so"]);
    check.assert_exit(10);
    assert!(check.stdout.contains("--in-place again"), "{}", check.stdout);
    place.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    assert_eq!(place.read(BACKUP), upgraded);
    place.run(&["--restore", "mod_python.so"]).assert_exit(0);
    assert_eq!(place.read("mod_python.so"), upgraded);
}

#[test]
fn a_strangers_file_in_the_backups_place_is_not_overwritten() {
    let place = Place::new();
    place.write(BACKUP, b"somebody's notes");
    let content = place.read("mod_python.so");
    let ran = place.run(&["--in-place", "mod_python.so"]);
    ran.assert_exit(31);
    assert!(ran.stderr.contains(BACKUP), "{}", ran.stderr);
    assert_eq!(place.read("mod_python.so"), content);
    assert_eq!(place.read(BACKUP), b"somebody's notes");
    fs::remove_file(place.path(BACKUP)).unwrap();
    fs::create_dir(place.path(BACKUP)).unwrap();
    assert_ne!(place.run(&["--in-place", "mod_python.so"]).exit, Some(0));
    assert_eq!(place.read("mod_python.so"), content);
    assert_eq!(place.names(), ["mod_python.so", BACKUP]);
}

#[test]
fn restore_refuses_what_it_cannot_do_right() {
    let place = Place::new();
    let refuse = |says: &str| {
        let (names, content) = (place.names(), place.read("mod_python.so"));
        let ran = place.run(&["--restore", "mod_python.so"]);
        ran.assert_exit(32);
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
        assert_eq!((place.names(), place.read("mod_python.so")), (names, content));
    };
    refuse("stock module already");
    place.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    let kept = place.read(BACKUP);
    // A copy of the relinked one, and a damaged one, are no stock files.
    place.write(BACKUP, &place.read("mod_python.so"));
    refuse("relinked, not stock");
    place.write(BACKUP, &kept[..kept.len() / 2]);
    refuse("truncated or damaged");
    fs::remove_file(place.path(BACKUP)).unwrap();
    refuse("no backup");
    place.write("mod_python.so", b"not ELF at all");
    place.run(&["--restore", "mod_python.so"]).assert_exit(21);
}

#[test]
fn the_backups_name_is_for_stock_files() {
    let place = Place::new();
    let ran = place.run(&["--output", BACKUP, "mod_python.so"]);
    ran.assert_exit(31);
    assert!(ran.stderr.contains("choose another"), "{}", ran.stderr);
    assert_eq!(place.names(), ["mod_python.so"]);

    place.write(BACKUP, b"junk");
    let said = place.run(&["--check", "mod_python.so"]);
    said.assert_exit(10);
    assert!(said.stdout.contains("is no stock mod_python): move that away"), "{}", said.stdout);
    place.run(&["--in-place", "mod_python.so"]).assert_exit(31);
}

#[test]
fn a_relinked_module_without_its_backup_is_told_the_way_out() {
    let place = Place::new();
    place.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    fs::remove_file(place.path(BACKUP)).unwrap();
    for arguments in [&["--in-place", "mod_python.so"][..], &["--output", "other.so", "mod_python.so"]] {
        let ran = place.run(arguments);
        ran.assert_exit(28);
        assert!(ran.stderr.contains("install mod_python again"), "{}", ran.stderr);
    }
}

#[test]
fn another_name_of_the_file_stays_stock_and_that_is_said() {
    let place = Place::new();
    let content = place.read("mod_python.so");
    fs::hard_link(place.path("mod_python.so"), place.path("other.so")).unwrap();
    let ran = place.run(&["--in-place", "mod_python.so"]);
    ran.assert_exit(0);
    assert!(ran.stderr.contains("1 more name (hard links)"), "{}", ran.stderr);
    assert_eq!(place.read("other.so"), content);
}
