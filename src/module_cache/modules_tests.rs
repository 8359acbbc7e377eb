//! The transitions one by one, and any order of them against a table that is as plain as can be.

use super::{Content, EntryId, FileSystemKind, Modules, Verdict, Version};
use std::collections::HashMap;
use std::ffi::CStr;

const FIRST: Version = Version { seconds: 1, nanoseconds: 0, changed: (1, 0), size: 10, inode: 3, device: 4 };
const SECOND: Version = Version { size: 11, ..FIRST };

fn table_with(version: Option<Version>) -> (Modules<&'static str>, EntryId) {
    let mut table = Modules::new();
    assert_eq!(table.start(c"/srv/a.py", "a"), None);
    let (id, before) = table.publish(c"/srv/a.py", "a", version, None, FileSystemKind::Local);
    assert_eq!(before, [None, Some("a")]);
    (table, id)
}

#[test]
fn verdicts_on_a_loaded_file() {
    let (table, id) = table_with(Some(FIRST));
    let entry = table.get(id).expect("published");
    assert_eq!(entry.verdict(true, Some(FIRST)), Verdict::Hit);
    assert_eq!(entry.verdict(true, Some(SECOND)), Verdict::Reload);
    assert_eq!(entry.verdict(true, None), Verdict::Hit);
    assert_eq!(entry.verdict(false, Some(FIRST)), Verdict::Load);
}

#[test]
fn autoreload_off_and_modules_without_version_are_not_watched() {
    let (table, id) = table_with(Some(FIRST));
    assert!(table.get(id).expect("published").is_watched(true));
    assert!(!table.get(id).expect("published").is_watched(false));
    let (table, id) = table_with(None);
    assert!(!table.get(id).expect("published").is_watched(true));
    assert_eq!(table.get(id).expect("published").verdict(true, Some(SECOND)), Verdict::Hit);
}

#[test]
fn while_its_code_runs_everybody_waits_and_nobody_stats() {
    let (mut table, id) = table_with(Some(FIRST));
    table.start(c"/srv/a.py", "a");
    assert!(!table.get(id).expect("published").is_watched(true));
    assert_eq!(table.get(id).expect("published").verdict(true, None), Verdict::Wait);
    assert_eq!(table.fail(c"/srv/a.py"), Some("a"));
    assert_eq!(table.get(id).expect("published").verdict(true, Some(SECOND)), Verdict::Reload);
}

#[test]
fn a_first_run_that_fails_leaves_nothing_to_hand_out() {
    let mut table = Modules::new();
    table.start(c"/srv/a.py", "a");
    assert_eq!(table.of(c"/srv/a.py").and_then(|entry| entry.running()), Some(&"a"));
    table.fail(c"/srv/a.py");
    let entry = table.of(c"/srv/a.py").expect("known");
    assert_eq!((entry.ready(), entry.running(), entry.verdict(true, None)), (None, None, Verdict::Load));
}

#[test]
fn a_version_that_cannot_be_read_is_no_reason_to_reload_until_it_is_another() {
    let (mut table, id) = table_with(Some(FIRST));
    assert!(table.refuse(id, Some(SECOND)));
    assert!(!table.refuse(id, Some(SECOND)), "it is known");
    assert_eq!(table.get(id).expect("known").verdict(true, Some(SECOND)), Verdict::Hit);
    let third = Version { changed: (2, 0), ..SECOND };
    assert_eq!(table.get(id).expect("known").verdict(true, Some(third)), Verdict::Reload);
}

#[test]
fn publishing_again_keeps_the_id_and_gives_the_old_handle_back() {
    let (mut table, id) = table_with(Some(FIRST));
    table.start(c"/srv/a.py", "new");
    let (again, before) = table.publish(c"/srv/a.py", "new", Some(SECOND), None, FileSystemKind::Local);
    assert_eq!((again, before), (id, [Some("a"), Some("new")]));
    assert_eq!(table.get(id).expect("published").verdict(true, Some(SECOND)), Verdict::Hit);
    assert_eq!(table.len(), 1);
    assert_eq!(table.take_all(), ["new"]);
    assert!(table.is_empty());
}

#[test]
fn two_paths_are_two_entries() {
    let (mut table, id) = table_with(Some(FIRST));
    let (other, _) = table.publish(c"/srv/link.py", "b", Some(FIRST), None, FileSystemKind::Local);
    assert_ne!(other, id);
    assert_eq!(table.find(c"/srv/link.py"), Some(other));
    assert_eq!(table.handles().copied().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_name_is_one_files_until_its_load_is_over() {
    let mut table = Modules::<()>::new();
    assert!(table.claim(b"index", c"/srv/a/index.py"));
    assert!(table.claim(b"index", c"/srv/a/index.py"), "again, by the same");
    assert!(!table.claim(b"index", c"/srv/b/index.py"));
    table.give_back(c"/srv/b/index.py");
    assert!(!table.claim(b"index", c"/srv/b/index.py"), "only the owner gives it back");
    table.give_back(c"/srv/a/index.py");
    assert!(table.claim(b"index", c"/srv/b/index.py"));
}

#[test]
fn freshness_is_remembered_for_one_tick() {
    let (mut table, id) = table_with(Some(FIRST));
    table.get(id).expect("published").fresh_in(7);
    assert!(table.get(id).expect("published").was_fresh_in(7));
    assert!(!table.get(id).expect("published").was_fresh_in(8));
    assert!(!table.get(id).expect("published").was_fresh_in(0));
    table.publish(c"/srv/a.py", "new", Some(SECOND), None, FileSystemKind::Local);
    assert!(!table.get(id).expect("published").was_fresh_in(7));
}

fn content(text: &str) -> Content {
    Content::read(&mut text.as_bytes(), 100).expect("readable").expect("short")
}

#[test]
fn a_change_of_the_inode_alone_is_for_the_content_to_decide() {
    let (mut table, _) = table_with(Some(FIRST));
    let (id, _) = table.publish(c"/srv/a.py", "a", Some(FIRST), Some(content("a = 1")), FileSystemKind::Local);
    let verdict = |table: &Modules<_>, now| table.get(id).expect("published").verdict(true, Some(now));
    let touched = Version { changed: (2, 0), ..FIRST };
    assert_eq!(verdict(&table, touched), Verdict::Compare);
    assert_eq!(table.get(id).expect("published").verdict(false, Some(touched)), Verdict::Load);
    assert_eq!(verdict(&table, Version { seconds: 2, ..touched }), Verdict::Reload);
    assert_eq!(verdict(&table, Version { inode: 4, ..touched }), Verdict::Reload);
    // The same: from now on it is a hit, and the next change is compared again.
    table.same(id, (FIRST, content("a = 1")), touched);
    assert_eq!(verdict(&table, touched), Verdict::Hit);
    assert_eq!(verdict(&table, Version { changed: (3, 0), ..FIRST }), Verdict::Compare);
    assert_eq!(verdict(&table, FIRST), Verdict::Compare, "backwards in time too");
    // One that could not be read is not compared at each request.
    table.refuse(id, Some(FIRST));
    assert_eq!(verdict(&table, FIRST), Verdict::Hit);
    table.same(id, (touched, content("a = 1")), Version { changed: (4, 0), ..FIRST });
    assert_eq!(verdict(&table, FIRST), Verdict::Compare);
}

#[test]
fn without_a_content_any_difference_reloads() {
    let (table, id) = table_with(Some(FIRST));
    let touched = Version { changed: (2, 0), ..FIRST };
    assert_eq!(table.get(id).expect("published").verdict(true, Some(touched)), Verdict::Reload);
}

#[test]
fn a_comparison_that_comes_too_late_says_nothing() {
    let (mut table, id) = table_with(Some(FIRST));
    let (ran, touched) = ((FIRST, content("a = 1")), Version { changed: (2, 0), ..FIRST });
    // Another thread has run the file meanwhile.
    table.publish(c"/srv/a.py", "a", Some(SECOND), Some(content("a = 22")), FileSystemKind::Local);
    table.same(id, ran, touched);
    assert_eq!(table.get(id).expect("published").ran(), Some((SECOND, content("a = 22"))));
    // Or has compared a later version.
    table.publish(c"/srv/a.py", "a", Some(FIRST), Some(ran.1), FileSystemKind::Local);
    let later = Version { changed: (3, 0), ..FIRST };
    table.same(id, ran, later);
    table.same(id, ran, touched);
    assert_eq!(table.get(id).expect("published").ran(), Some((later, ran.1)));
}

/// One file as the promises describe it, without a thought for speed.
#[derive(Clone, Default)]
struct Plain {
    ready: Option<(u32, i64)>,
    running: Option<u32>,
    refused: Option<i64>,
}

#[test]
fn any_order_of_transitions_gives_what_the_promises_say() {
    const FILES: [&CStr; 3] = [c"/a", c"/b", c"/c"];
    let version = |size| Version { size, ..FIRST };
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    let mut roll = |sides: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice % sides
    };
    for _ in 0..400 {
        let (mut table, mut plain) = (Modules::<u32>::new(), HashMap::<&CStr, Plain>::new());
        for step in 0..60_u32 {
            let file = FILES[roll(3) as usize];
            let (size, known) = (roll(3) as i64, plain.entry(file).or_default());
            match roll(4) {
                0 => {
                    assert_eq!(table.start(file, step), known.running);
                    known.running = Some(step);
                }
                1 => {
                    let (_, before) = table.publish(file, step, Some(version(size)), None, FileSystemKind::Local);
                    assert_eq!(before, [known.ready.map(|(handle, _)| handle), known.running]);
                    *known = Plain { ready: Some((step, size)), ..Plain::default() };
                }
                2 => {
                    assert_eq!(table.fail(file), known.running.take());
                }
                _ => {
                    if let Some(id) = table.find(file) {
                        assert_eq!(table.refuse(id, Some(version(size))), known.refused != Some(size));
                        known.refused = Some(size);
                    }
                }
            }
            for (file, known) in &plain {
                let Some(entry) = table.of(file) else { continue };
                for size in 0..3 {
                    let wanted = match known {
                        Plain { running: Some(_), .. } => Verdict::Wait,
                        Plain { ready: None, .. } => Verdict::Load,
                        Plain { ready: Some((_, ran)), .. } if *ran == size => Verdict::Hit,
                        Plain { refused, .. } if *refused == Some(size) => Verdict::Hit,
                        Plain { .. } => Verdict::Reload,
                    };
                    assert_eq!(entry.verdict(true, Some(version(size))), wanted);
                }
                assert_eq!(entry.ready().copied(), known.ready.map(|(handle, _)| handle));
            }
        }
    }
}
