//! Reads the relinked file again and compares it with its source: only the intended parts have changed.
//!
//! This is what allows to say "nothing was written" when the rewriter met a file it does not understand: no output
//! leaves the command before it has passed here.

use object::elf;

use crate::elf::{ElfFile, Import, Load, Relocation, Unreadable};
use crate::rewrite::Plan;

/// Dynamic entries that name a table the rewriter may move or resize; they are held by [`ElfFile::read`].
const REWRITTEN: &[elf::DynamicTag] = &[
    elf::DT_SYMTAB,
    elf::DT_STRTAB,
    elf::DT_STRSZ,
    elf::DT_HASH,
    elf::DT_GNU_HASH,
    elf::DT_VERSYM,
    elf::DT_VERDEF,
    elf::DT_VERDEFNUM,
    elf::DT_VERNEED,
    elf::DT_VERNEEDNUM,
];

/// Compare the relinked bytes with the source. The error says what differs.
pub fn verify(source: &ElfFile<'_>, output: &[u8], plan: &Plan) -> Result<(), String> {
    let made = ElfFile::read(output).map_err(|error| match error {
        Unreadable::NotElf => "the result is not ELF".to_owned(),
        Unreadable::Damaged(detail) => format!("the result is damaged: {detail}"),
    })?;
    ensure(made.machine == source.machine, "the machine")?;
    ensure(made.is_shared_object == source.is_shared_object, "the type of the file")?;
    ensure(made.soname == source.soname, "the SONAME")?;
    ensure(made.build_id == source.build_id, "the build-id")?;
    ensure(made.stamp.as_ref() == Some(&plan.stamp), "the note")?;
    ensure(made.rpath.is_none() && made.runpath.as_ref() == Some(&plan.runpath), "the RUNPATH")?;
    let needed: Vec<&String> = std::iter::once(&plan.needed).chain(&source.needed).collect();
    ensure(made.needed.iter().eq(needed), "the NEEDED entries")?;
    ensure(values(&made) == values(source), "the dynamic table")?;

    let imports: Vec<Import> = source.imports.iter().map(|import| renamed_import(import, plan)).collect();
    ensure(sorted(&made.imports) == sorted(&imports), "the imports")?;
    ensure(sorted(&made.exports) == sorted(&source.exports), "the exports")?;
    let relocations = source.relocations.iter().map(|relocation| renamed_relocation(relocation, plan));
    ensure(made.relocations.iter().cloned().eq(relocations), "the relocations")?;
    ensure_contents(source, &made)
}

/// Code, data and whatever else is not one of the tables written anew: same place, same bytes.
fn ensure_contents(source: &ElfFile<'_>, made: &ElfFile<'_>) -> Result<(), String> {
    let mut made_sections = made.sections.iter();
    for section in &source.sections {
        let twin = made_sections.next();
        let same_name = twin.filter(|twin| twin.name == section.name && twin.kind == section.kind);
        let Some(twin) = same_name else { return Err(differs("the list of sections")) };
        let fixed_place = matches!(
            section.kind,
            elf::SHT_PROGBITS
                | elf::SHT_NOBITS
                | elf::SHT_INIT_ARRAY
                | elf::SHT_FINI_ARRAY
                | elf::SHT_PREINIT_ARRAY
                | elf::SHT_RELR
        );
        if fixed_place || section.kind == elf::SHT_NOTE {
            let contents = twin.data == section.data && twin.size == section.size;
            ensure(contents, &format!("the contents of section {}", section.name))?;
        }
        if fixed_place || matches!(section.kind, elf::SHT_DYNAMIC | elf::SHT_REL | elf::SHT_RELA) {
            ensure(twin.address == section.address, &format!("the address of section {}", section.name))?;
        }
    }
    // The source's sections and the note, no more.
    ensure(made_sections.count() == 1, "the list of sections")?;
    for (load, twin) in source.loads.iter().zip(&made.loads) {
        let same = (load.address, load.offset, load.file_size) == (twin.address, twin.offset, twin.file_size);
        ensure(same, "a loaded segment")?;
    }
    ensure(made.loads.len() == source.loads.len() + 1, "the list of loaded segments")?;
    // The loader maps them as one stretch, in their order.
    let end = source.loads.iter().map(|load| load.address + load.memory_size).max().unwrap_or_default();
    let near =
        |new: &Load| new.address >= end && new.address - end <= 2 * new.align && new.file_size == new.memory_size;
    ensure(made.loads.last().is_some_and(near), "the place of the new segment")
}

fn renamed_import(import: &Import, plan: &Plan) -> Import {
    match plan.renames.get(&import.name) {
        Some(name) => Import { name: name.clone(), version: None, info: import.info },
        None => import.clone(),
    }
}

fn renamed_relocation(relocation: &Relocation, plan: &Plan) -> Relocation {
    // A renamed import is undefined under its old name, so no export can be meant.
    let symbol = plan.renames.get(&relocation.symbol).unwrap_or(&relocation.symbol).clone();
    Relocation { symbol, ..relocation.clone() }
}

fn values(facts: &ElfFile<'_>) -> Vec<(i64, u64)> {
    let kept = facts.dynamic_values.iter().filter(|(tag, _)| !REWRITTEN.contains(&elf::DynamicTag(*tag)));
    kept.copied().collect()
}

/// The hash table's order is the linker's own business.
fn sorted<T: Ord + Clone>(list: &[T]) -> Vec<T> {
    let mut sorted = list.to_vec();
    sorted.sort();
    sorted
}

fn ensure(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(differs(what)) }
}

fn differs(what: &str) -> String {
    format!("unexpected change: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::Generation;
    use crate::rewrite::rewrite;
    use crate::stamp::Stamp;

    /// A shared object that imports two functions and exports three things, and a plan for it.
    fn object_and_plan() -> (Vec<u8>, Plan) {
        let workspace = tempfile::tempdir().unwrap();
        let (source, object) = (workspace.path().join("m.c"), workspace.path().join("m.so"));
        let text = "extern int first(void), second(void);\nint (*table[])(void) = { first, second };\n\
                    int python_module = 7;\nint call(void) { return first() + second(); }\n";
        std::fs::write(&source, text).unwrap();
        let built =
            std::process::Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&object).arg(&source).status();
        assert!(built.expect("this test needs a C compiler: install gcc").success());
        let plan = Plan {
            renames: [("first".to_owned(), "mpc35_rebind_first".to_owned())].into(),
            needed: "libours.so.0".into(),
            runpath: "/opt/lib".into(),
            stamp: Stamp::new(Generation::V35, b"source"),
        };
        (std::fs::read(object).unwrap(), plan)
    }

    /// Where the bytes of a section lie in the file.
    fn offset_of(facts: &ElfFile<'_>, file: &[u8], name: &str) -> usize {
        let section = facts.sections.iter().find(|section| section.name == name).unwrap();
        section.data.as_ptr() as usize - file.as_ptr() as usize
    }

    #[test]
    fn what_was_planned_passes() {
        let (object, plan) = object_and_plan();
        let output = rewrite(&object, &plan).unwrap();
        assert_eq!(verify(&ElfFile::read(&object).unwrap(), &output, &plan), Ok(()));
    }

    #[test]
    fn a_plan_that_was_not_carried_out_is_told() {
        let (object, plan) = object_and_plan();
        let source = ElfFile::read(&object).unwrap();
        let output = rewrite(&object, &plan).unwrap();
        let with = |change: fn(&mut Plan)| {
            let mut other = plan.clone();
            change(&mut other);
            verify(&source, &output, &other).unwrap_err()
        };
        let second = |plan: &mut Plan| {
            plan.renames.insert("second".into(), "mpc35_rebind_second".into());
        };
        assert!(with(second).contains("the imports"));
        assert!(with(|plan| plan.needed = "libother.so.0".into()).contains("NEEDED"));
        assert!(with(|plan| plan.runpath = "/elsewhere".into()).contains("RUNPATH"));
        assert!(with(|plan| plan.stamp.generation = Generation::V31.into()).contains("note"));
        assert!(verify(&source, &object, &plan).is_err());
    }

    #[test]
    fn a_change_that_was_not_planned_is_told() {
        let (object, plan) = object_and_plan();
        let source = ElfFile::read(&object).unwrap();
        let output = rewrite(&object, &plan).unwrap();
        let made = ElfFile::read(&output).unwrap();
        for (section, at, says) in [
            (".text", 0, "contents of section .text"),
            (".data", 0, "contents of section .data"),
            (".note.gnu.build-id", 20, "build-id"),
            // The addend of the first relocation, and the size of the last symbol.
            (".rela.dyn", 16, "relocations"),
            (".dynsym", source.sections.iter().find(|s| s.name == ".dynsym").unwrap().data.len() - 8, "exports"),
        ] {
            let mut changed = output.clone();
            changed[offset_of(&made, &output, section) + at] ^= 1;
            let told = verify(&source, &changed, &plan).unwrap_err();
            assert!(told.contains(says), "{section}: {told}");
        }
    }
}
