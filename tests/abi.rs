//! The built shared library exports what capi/modpython_core.symbols lists, says who it is, and needs its libpython.

use object::{
    Object, ObjectSymbol, elf,
    read::elf::{Dyn, ElfFile64, FileHeader},
};
use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

/// The shared library under test: `make` names it; for `cargo test` alone it is built as `make` would.
fn library() -> Vec<u8> {
    static PATH: LazyLock<PathBuf> =
        LazyLock::new(|| env::var_os("MODPYTHON_CORE_LIBRARY").map_or_else(built, PathBuf::from));
    fs::read(&*PATH).unwrap_or_else(|error| panic!("{}: {error}", PATH.display()))
}

fn built() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = concat!("PYTHON=", env!("MODPYTHON_CORE_INTERPRETER"));
    let make = Command::new("make").args(["link", python]).current_dir(root).output().expect("make runs");
    assert!(make.status.success(), "make link {python}: {}", String::from_utf8_lossy(&make.stderr));
    root.join(format!("target/py{0}/libmodpython-core-py{0}.so.0", env!("MODPYTHON_CORE_PYTHON")))
}

/// The names that this Python's library has; after a name may stand which Pythons' have it.
fn listed() -> BTreeSet<&'static str> {
    let (major, _) = env!("MODPYTHON_CORE_PYTHON").split_once('.').expect("a version");
    include_str!("../capi/modpython_core.symbols")
        .lines()
        .filter_map(|line| {
            let (name, condition) = line.split_once('#').unwrap_or((line, ""));
            let there = condition.trim().is_empty() || condition.trim() == major;
            Some(name.trim()).filter(|name| there && !name.is_empty())
        })
        .collect()
}

#[test]
fn the_exported_symbols_are_the_listed_ones() {
    let data = library();
    let file = object::File::parse(&*data).expect("an ELF file");
    let exported: BTreeSet<_> = file
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition() && symbol.is_global())
        .map(|symbol| symbol.name().expect("a name"))
        // The node of the version script itself.
        .filter(|name| *name != "MODPYTHON_CORE_0")
        .collect();
    assert_eq!(exported, listed());
}

#[test]
fn the_library_stays_loaded_and_names_its_python() {
    let data = library();
    let file = ElfFile64::<object::Endianness>::parse(&*data).expect("a 64-bit ELF file");
    let endian = file.endian();
    let (mut sonames, mut needed, mut flags) = (vec![], vec![], 0);
    let sections = file.elf_header().sections(endian, &*data).expect("sections");
    let (entries, link) = sections.dynamic(endian, &*data).expect("readable").expect("a dynamic section");
    let strings = sections.strings(endian, &*data, link).expect("its strings");
    for entry in entries {
        let text = || String::from_utf8_lossy(entry.string(endian, strings).expect("a string")).into_owned();
        match entry.tag(endian) {
            elf::DT_SONAME => sonames.push(text()),
            elf::DT_NEEDED => needed.push(text()),
            elf::DT_FLAGS_1 => flags = entry.d_val(endian),
            _ => {}
        }
    }
    let python = env!("MODPYTHON_CORE_PYTHON");
    assert_eq!(sonames, [format!("libmodpython-core-py{python}.so.0")]);
    assert!(needed.iter().any(|name| name.starts_with(&format!("libpython{python}.so"))), "{needed:?}");
    // Apache unloads mod_python.so at each restart, and what it loads then may be the stock one, which needs a
    // libpython that is not initialised: the library keeps neither itself nor libpython.
    assert_eq!(flags & elf::DF_1_NODELETE.0, 0, "linked with -z nodelete");
}

#[test]
fn the_build_information_can_be_read_from_the_file() {
    let data = library();
    let text = String::from_utf8_lossy(&data);
    let version =
        format!("version={}\npython={}\nlibpython=", env!("CARGO_PKG_VERSION"), env!("MODPYTHON_CORE_PYTHON"));
    assert!(text.contains(&version), "{version}");
}
