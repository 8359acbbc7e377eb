//! A corpus of damaged files: every run ends with a documented exit code, in bounded time and memory, and leaves a
//! whole output or none.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::run::{Ran, Workspace, command, stock};

/// The exit codes of a relinking run of a damaged file: done, or a refusal that is about the file.
const DOCUMENTED: &[i32] = &[0, 21, 22, 23, 24, 25, 26, 27, 29];

/// One damaged file: a name for the failure message, and its bytes.
type Case = (String, Vec<u8>);

/// Run every case, two at a time, and count the exit codes.
fn run_all(workspace: &Workspace, cases: &[Case]) -> BTreeMap<i32, usize> {
    let next = AtomicUsize::new(0);
    let exits = Mutex::new(BTreeMap::new());
    let work = |worker: usize| {
        let folder = workspace.path(&format!("worker{worker}"));
        fs::create_dir_all(&folder).unwrap();
        while let Some((name, bytes)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            fs::write(folder.join("in.so"), bytes).unwrap();
            // Five seconds and a gigabyte are far more than any honest file of this size takes.
            let ran: Ran = Command::new("prlimit")
                .args(["--cpu=5", "--as=1073741824", "--core=0", command(), "--library"])
                .arg(workspace.path("lib"))
                .args(["--output", "out.so", "in.so"])
                .current_dir(&folder)
                .output()
                .unwrap()
                .into();
            let exit = ran.exit.unwrap_or(-1);
            assert!(DOCUMENTED.contains(&exit), "{name}: exit {exit}: {}", ran.stderr);
            let mut left: Vec<String> =
                fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            left.sort();
            if exit == 0 {
                assert_eq!(left, ["in.so", "out.so"], "{name}");
                fs::remove_file(folder.join("out.so")).unwrap();
            } else {
                assert_eq!(ran.stderr.lines().count(), 1, "{name}: {}", ran.stderr);
                assert_eq!(left, ["in.so"], "{name}");
            }
            *exits.lock().unwrap().entry(exit).or_insert(0) += 1;
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|worker| scope.spawn(move || work(worker))).collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    exits.into_inner().unwrap()
}

fn number(bytes: &[u8], at: usize, size: usize) -> usize {
    bytes[at..at + size].iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// (offset, size) of the tables of a 64-bit little-endian file: both header tables and the sections by type.
pub fn tables(bytes: &[u8]) -> Vec<(&'static str, usize, usize)> {
    let (phoff, shoff) = (number(bytes, 32, 8), number(bytes, 40, 8));
    let (phnum, shnum) = (number(bytes, 56, 2), number(bytes, 60, 2));
    let mut tables =
        vec![("ELF header", 0, 64), ("program headers", phoff, phnum * 56), ("section headers", shoff, shnum * 64)];
    for index in 1..shnum {
        let header = shoff + index * 64;
        let name = match number(bytes, header + 4, 4) {
            3 => "string table",
            4 => "relocations",
            5 => "hash table",
            6 => "dynamic table",
            7 => "notes",
            11 => "dynamic symbols",
            0x6fff_fff6 => "GNU hash table",
            0x6fff_fffe => "version needs",
            0x6fff_ffff => "version symbols",
            _ => continue,
        };
        tables.push((name, number(bytes, header + 24, 8), number(bytes, header + 32, 8)));
    }
    tables
}

#[test]
fn a_truncated_file_is_always_told_as_damaged() {
    let workspace = Workspace::new();
    let crafted = workspace.read("mod_python.so");
    let real = fs::read(stock()).unwrap();
    let mut cases = Vec::new();
    for (name, bytes, step) in [("crafted", &crafted, crafted.len() / 120), ("Debian's", &real, real.len() / 60)] {
        let lengths = (0..80).step_by(7).chain((80..bytes.len()).step_by(step)).chain([bytes.len() - 1]);
        cases.extend(lengths.map(|length| (format!("{name} cut to {length}"), bytes[..length].to_vec())));
    }
    let exits = run_all(&workspace, &cases);
    // Shorter than its magic it is not ELF; longer it is ELF, and the section headers at the end are missing.
    assert_eq!(exits.keys().copied().collect::<Vec<_>>(), [21, 22], "{exits:?}");
    assert_eq!(exits[&21], 2, "{exits:?}");
}

#[test]
fn flipped_bytes_in_any_table_end_in_a_documented_exit() {
    let workspace = Workspace::new();
    let bytes = workspace.read("mod_python.so");
    let mut cases = Vec::new();
    for (name, offset, size) in tables(&bytes) {
        let step = match name {
            "ELF header" => 1,
            _ => (size / 40).max(1) | 1,
        };
        for at in (offset..offset + size).step_by(step) {
            // One bit, the sign bit, and all of it: small, huge and negative numbers.
            for mask in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= mask;
                cases.push((format!("{name}: byte {at} ^ {mask:#x}"), damaged));
            }
        }
    }
    assert!(cases.len() > 1000, "the corpus has shrunk to {}", cases.len());
    let exits = run_all(&workspace, &cases);
    assert!(exits[&22] > cases.len() / 4, "damage goes unseen: {exits:?}");
}

#[test]
fn overwritten_stretches_of_debians_module_end_in_a_documented_exit() {
    let workspace = Workspace::for_debian();
    let bytes = fs::read(stock()).unwrap();
    let mut cases = Vec::new();
    for (name, offset, size) in tables(&bytes) {
        for part in 0..4 {
            for fill in [0x00, 0xff, 0x41] {
                let mut damaged = bytes.clone();
                let start = offset + size * part / 4;
                damaged[start..(start + 16).min(offset + size)].fill(fill);
                cases.push((format!("{name}: 16 bytes at {start} = {fill:#x}"), damaged));
            }
        }
    }
    run_all(&workspace, &cases);
}
