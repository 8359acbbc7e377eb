//! Writes the relinked file: other names for some imports, one NEEDED entry, a RUNPATH and the stamp; nothing else.
//!
//! Longer strings and one more program header need space that a finished file does not have. Parts in the way that may
//! move (string and symbol tables, hash tables, versions, notes: nothing refers to them but by the dynamic table, which
//! is written anew) go into one read-only segment behind all others. Code and data never move.

use std::collections::BTreeMap;

use object::build::elf::{Builder, Dynamic, Section, SectionData, SectionId, VersionId};
use object::elf;

use crate::elf::guard::guarded;
use crate::stamp::{self, Stamp};

/// The changes that make a module relinked.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Import -> the name put in its place.
    pub renames: BTreeMap<String, String>,
    /// The SONAME of the library that exports the new names.
    pub needed: String,
    /// The whole RUNPATH, including the file's former one.
    pub runpath: String,
    /// The program that relinked it, and its version.
    pub stamp: Stamp,
}

/// The relinked file's bytes, or why this file cannot be rewritten.
pub fn rewrite(input: &[u8], plan: &Plan) -> Result<Vec<u8>, String> {
    let contradiction = || Err("its tables contradict each other".into());
    guarded(|| rewrite_unguarded(input, plan)).unwrap_or_else(contradiction)
}

fn rewrite_unguarded(input: &[u8], plan: &Plan) -> Result<Vec<u8>, String> {
    let mut builder = Builder::read(input).map_err(|error| error.to_string())?;
    rename_imports(&mut builder, plan)?;
    edit_dynamic(&mut builder, plan)?;
    builder.delete_orphans();
    let had_versions = builder.version_files.count() > 0;
    builder.delete_unused_versions();
    if had_versions && builder.version_files.count() == 0 {
        // The loader takes an empty table of needed versions for a broken one.
        return Err("none but the replaced imports have a version".into());
    }
    builder.set_section_sizes();
    let note = add_note(&mut builder, plan);
    let mut moving = crowded(&builder)?;
    moving.push(note);
    move_to_new_segment(&mut builder, &moving)?;
    let mut output = Vec::new();
    builder.write(&mut output).map_err(|error| error.to_string())?;
    Ok(output)
}

fn rename_imports(builder: &mut Builder<'_>, plan: &Plan) -> Result<(), String> {
    let mut renamed = 0;
    for symbol in &mut builder.dynamic_symbols {
        if symbol.st_shndx != elf::SHN_UNDEF {
            continue;
        }
        let Some(name) = std::str::from_utf8(&symbol.name).ok().and_then(|name| plan.renames.get(name)) else {
            continue;
        };
        symbol.name = name.clone().into_bytes().into();
        // A version bound the import to the library that had it; ours has none.
        symbol.version = VersionId::global();
        symbol.version_hidden = false;
        renamed += 1;
    }
    if renamed != plan.renames.len() {
        return Err("an import occurs more than once".into());
    }
    Ok(())
}

fn edit_dynamic(builder: &mut Builder<'_>, plan: &Plan) -> Result<(), String> {
    let dynamic = builder.dynamic_data_mut().ok_or("it has no dynamic section")?;
    dynamic.retain(|entry| entry.tag() != elf::DT_RPATH && entry.tag() != elf::DT_RUNPATH);
    // In front of libpython, so that a name both might ever define is ours.
    let needed = Dynamic::String { tag: elf::DT_NEEDED, val: plan.needed.clone().into_bytes().into() };
    dynamic.insert(0, needed);
    dynamic.push(Dynamic::String { tag: elf::DT_RUNPATH, val: plan.runpath.clone().into_bytes().into() });
    Ok(())
}

fn add_note(builder: &mut Builder<'_>, plan: &Plan) -> SectionId {
    let note = plan.stamp.to_note(builder.endian);
    let section = builder.sections.add();
    section.name = stamp::SECTION.as_bytes().into();
    section.sh_type = elf::SHT_NOTE;
    section.sh_flags = elf::SHF_ALLOC;
    section.sh_addralign = 4;
    section.sh_size = note.len() as u64;
    section.data = SectionData::Note(note.into());
    section.id()
}

/// May this section lie elsewhere? Only if everything that refers to it is written anew.
fn is_movable(section: &Section<'_>) -> bool {
    let by_kind = matches!(
        section.data,
        SectionData::Note(_)
            | SectionData::DynamicSymbol
            | SectionData::DynamicString
            | SectionData::Hash
            | SectionData::GnuHash
            | SectionData::GnuVersym
            | SectionData::GnuVerdef
            | SectionData::GnuVerneed
    );
    by_kind && section.p_flags() == elf::PF_R
}

/// The sections that no longer fit where they are: under the longer program header table, or grown into a neighbour.
fn crowded(builder: &Builder<'_>) -> Result<Vec<SectionId>, String> {
    let header_size = if builder.is_64 { 56 } else { 32 };
    let headers_end = builder.header.e_phoff + builder.program_headers_size() + header_size;
    let mut placed: Vec<&Section<'_>> = builder
        .sections
        .iter()
        .filter(|section| section.is_alloc() && section.sh_offset != 0 && section.sh_size != 0)
        // Thread-local zeroes take no space among the others.
        .filter(|section| !(section.sh_type == elf::SHT_NOBITS && section.sh_flags.contains(elf::SHF_TLS)))
        .collect();
    placed.sort_by_key(|section| section.sh_addr);

    let mut moving = Vec::new();
    let mut last: Option<&Section<'_>> = None;
    for section in placed {
        let under_headers = section.sh_type != elf::SHT_NOBITS && section.sh_offset < headers_end;
        if under_headers {
            must_move(section, &mut moving)?;
            continue;
        }
        if let Some(before) = last.filter(|before| before.sh_addr + before.sh_size > section.sh_addr) {
            // The one that grew is the reason; its neighbour goes only when that one is bound to its place.
            if is_movable(before) {
                must_move(before, &mut moving)?;
            } else if is_movable(section) {
                must_move(section, &mut moving)?;
                continue;
            } else {
                return Err(no_room(before));
            }
        }
        last = Some(section);
    }
    // A segment such as PT_NOTE describes one contiguous range: its sections go together or not at all.
    loop {
        let before = moving.len();
        for segment in builder.segments.iter().filter(|segment| !segment.is_load()) {
            if segment.sections.iter().any(|id| moving.contains(id)) {
                for id in &segment.sections {
                    must_move(builder.sections.get(*id), &mut moving)?;
                }
            }
        }
        if moving.len() == before {
            return Ok(moving);
        }
    }
}

fn must_move(section: &Section<'_>, moving: &mut Vec<SectionId>) -> Result<(), String> {
    if !is_movable(section) {
        return Err(no_room(section));
    }
    if !moving.contains(&section.id()) {
        moving.push(section.id());
    }
    Ok(())
}

fn no_room(section: &Section<'_>) -> String {
    format!("there is no space at section {}", String::from_utf8_lossy(&section.name))
}

fn move_to_new_segment(builder: &mut Builder<'_>, moving: &[SectionId]) -> Result<(), String> {
    let align = builder.segments.iter().filter(|segment| segment.is_load()).map(|segment| segment.p_align).max();
    let align = align.ok_or("it has no loaded segment")?.max(1);
    let mut order: Vec<SectionId> = moving.to_vec();
    // The old order; the new note has no address yet and goes last.
    order.sort_by_key(|id| {
        let section = builder.sections.get(*id);
        (section.sh_offset == 0, section.sh_addr)
    });
    // Behind the loaded ones: what another segment has for an address (a stack's size, or damage) is not mapped.
    let loaded = builder.segments.iter().filter(|segment| segment.is_load());
    let loaded = loaded.map(|segment| segment.p_vaddr + segment.p_memsz).max().unwrap_or_default();
    let segment = builder.segments.add_load_segment(elf::PF_R, align);
    segment.p_vaddr = loaded.next_multiple_of(align) + segment.p_offset % align;
    segment.p_paddr = segment.p_vaddr;
    for id in order {
        let section = builder.sections.get_mut(id);
        section.sh_addralign = section.sh_addralign.max(1);
        segment.append_section(section);
    }
    let sections = &builder.sections;
    for segment in &mut builder.segments {
        if !segment.is_load() && segment.sections.iter().any(|id| moving.contains(id)) {
            segment.recalculate_ranges(sections);
        }
    }
    let size = builder.program_headers_size();
    for segment in &mut builder.segments {
        if segment.p_type == elf::PT_PHDR {
            segment.p_filesz = size;
            segment.p_memsz = size;
        }
    }
    Ok(())
}
