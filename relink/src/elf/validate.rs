//! Bounds and agreement of a file's tables, checked before anything relies on them.
//!
//! The parser answers most damage with an error by itself. It does not promise that a wild count or alignment costs no
//! memory or time, nor that the section headers (which are rewritten) tell of the same tables as the dynamic segment
//! (which the loader reads). Both are held here.

use object::elf;
use object::read::elf::{Dyn, FileHeader, ProgramHeader, Rel as _, Rela as _, SectionHeader, SectionTable, Sym};
use object::{Endianness, read};

use crate::elf::Unreadable;

/// The largest alignment any supported architecture asks of a segment is 2 MiB; the rest is damage, and would make the
/// writer pad for as long as the disk lasts.
const MAX_ALIGN: u64 = 1 << 24;

/// User space ends below this on every supported architecture, and sums of such numbers cannot overflow.
const MAX_ADDRESS: u64 = 1 << 56;

/// Check the header's tables against the file's length and against each other.
pub fn tables<Elf: FileHeader<Endian = Endianness>>(
    header: &Elf,
    endian: Endianness,
    data: &[u8],
) -> Result<(), Unreadable> {
    let file_end = data.len() as u64;
    let segments = header.program_headers(endian, data)?;
    if segments.is_empty() {
        return damaged("it has no program headers");
    }
    for segment in segments {
        let (offset, size) = segment.file_range(endian);
        let (address, memory) = (segment.p_vaddr(endian).into(), segment.p_memsz(endian).into());
        let align: u64 = segment.p_align(endian).into();
        if end(offset, size).is_none_or(|end| end > file_end) {
            return damaged("a segment lies outside the file");
        }
        if end(address, memory).is_none_or(|end| end > MAX_ADDRESS) {
            return damaged("a segment's address is out of range");
        }
        if align > MAX_ALIGN || (align > 1 && !align.is_power_of_two()) {
            return damaged("a segment's alignment is impossible");
        }
        if segment.p_type(endian) == elf::PT_LOAD {
            if memory < size {
                return damaged("a segment is larger in the file than in memory");
            }
            if align > 1 && address % align != offset % align {
                return damaged("a segment's address and offset disagree");
            }
        }
    }
    let sections = header.sections(endian, data)?;
    if sections.is_empty() {
        return damaged("its section headers are missing");
    }
    let mut total = 0;
    for section in sections.iter().skip(1) {
        let address = section.sh_addr(endian).into();
        if end(address, section.sh_size(endian).into()).is_none_or(|end| end > MAX_ADDRESS) {
            return damaged("a section's address is out of range");
        }
        let align: u64 = section.sh_addralign(endian).into();
        if align > MAX_ALIGN || (align > 1 && !align.is_power_of_two()) {
            return damaged("a section's alignment is impossible");
        }
        let Some((offset, size)) = section.file_range(endian) else { continue };
        if end(offset, size).is_none_or(|end| end > file_end) {
            return damaged("a section lies outside the file");
        }
        // Sections do not overlap. A table of thousands that each claim the whole file would be copied thousands of
        // times into the output.
        total += size;
        if total > file_end {
            return damaged("its sections overlap");
        }
        if section.sh_flags(endian).contains(elf::SHF_ALLOC) && size > 0 {
            let loaded = segments.iter().any(|segment| {
                let (start, length) = segment.file_range(endian);
                let base: u64 = segment.p_vaddr(endian).into();
                segment.p_type(endian) == elf::PT_LOAD
                    && offset >= start
                    && offset + size <= start + length
                    && address == base + (offset - start)
            });
            if !loaded {
                return damaged("a section and its segment disagree");
            }
        }
    }
    hash_tables(&sections, endian, data)?;
    relocations(segments, &sections, endian, data)?;
    dynamic_agrees::<Elf>(segments, &sections, endian, data)?;
    exports_are_found(&sections, endian, data)
}

/// The loader finds `python_module` by hash. The rewriter makes the hash tables anew, so this holds for its output too.
fn exports_are_found<Elf: FileHeader<Endian = Endianness>>(
    sections: &SectionTable<'_, Elf>,
    endian: Endianness,
    data: &[u8],
) -> Result<(), Unreadable> {
    let symbols = sections.symbols(endian, data, elf::SHT_DYNSYM)?;
    let versions = sections.versions(endian, data)?.unwrap_or_default();
    let gnu = sections.gnu_hash(endian, data)?.map(|(table, _)| table);
    let sysv = sections.hash(endian, data)?.map(|(table, _)| table);
    for (index, symbol) in symbols.enumerate().skip(1) {
        let name = symbols.symbol_name(endian, symbol)?;
        if symbol.is_local() || symbol.is_undefined(endian) || versions.version_index(endian, index).is_hidden() {
            continue;
        }
        let in_gnu = gnu
            .as_ref()
            .is_none_or(|table| table.find(endian, name, elf::gnu_hash(name), None, &symbols, &versions).is_some());
        let in_sysv = sysv
            .as_ref()
            .is_none_or(|table| table.find(endian, name, elf::hash(name), None, &symbols, &versions).is_some());
        if !in_gnu || !in_sysv {
            return damaged("its hash table does not lead to its symbols");
        }
    }
    Ok(())
}

/// The loader writes where a relocation says. Outside of the image that is somebody else's memory, or, once there is
/// one more segment, that one, which is read-only.
fn relocations<Elf: FileHeader<Endian = Endianness>>(
    segments: &[Elf::ProgramHeader],
    sections: &SectionTable<'_, Elf>,
    endian: Endianness,
    data: &[u8],
) -> Result<(), Unreadable> {
    let word = size_of::<Elf::Word>() as u64;
    let is_loaded = |address: u64| {
        segments.iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD).any(|segment| {
            let (start, size): (u64, u64) = (segment.p_vaddr(endian).into(), segment.p_memsz(endian).into());
            address >= start && size >= word && address - start <= size - word
        })
    };
    for section in sections.iter().filter(|section| section.sh_flags(endian).contains(elf::SHF_ALLOC)) {
        let mut addresses: Vec<u64> = Vec::new();
        if let Some((relas, _)) = section.rela(endian, data)? {
            // Type 0 means "no relocation" on every machine.
            let real = relas.iter().filter(|rela| rela.r_type(endian, false).0 != 0);
            addresses.extend(real.map(|rela| -> u64 { rela.r_offset(endian).into() }));
        }
        if let Some((rels, _)) = section.rel(endian, data)? {
            let real = rels.iter().filter(|rel| rel.r_type(endian).0 != 0);
            addresses.extend(real.map(|rel| -> u64 { rel.r_offset(endian).into() }));
        }
        if let Some(relrs) = section.relr(endian, data)? {
            addresses.extend(relrs.map(|address| -> u64 { address.into() }));
        }
        if !addresses.into_iter().all(is_loaded) {
            return damaged("a relocation lies outside of what is loaded");
        }
    }
    Ok(())
}

/// The counts in the hash tables decide how much the writer reserves, so they must fit their sections.
fn hash_tables<Elf: FileHeader<Endian = Endianness>>(
    sections: &SectionTable<'_, Elf>,
    endian: Endianness,
    data: &[u8],
) -> Result<(), Unreadable> {
    let word = size_of::<Elf::Word>() as u64;
    for section in sections.iter() {
        let size: u64 = section.sh_size(endian).into();
        if let Some(hash) = section.hash_header(endian, data)? {
            let count = u64::from(hash.bucket_count.get(endian)) + u64::from(hash.chain_count.get(endian));
            if hash.bucket_count.get(endian) == 0 || count.saturating_mul(4) > size {
                return damaged("its hash table's counts are impossible");
            }
        }
        if let Some(hash) = section.gnu_hash_header(endian, data)? {
            let buckets = u64::from(hash.bucket_count.get(endian));
            let bloom = u64::from(hash.bloom_count.get(endian));
            // The shift is applied to a word of 32 bits, whatever the class.
            let shift = hash.bloom_shift.get(endian);
            if buckets == 0 || !bloom.is_power_of_two() || shift >= 32 || buckets * 4 + bloom * word > size {
                return damaged("its GNU hash table's counts are impossible");
            }
        }
    }
    Ok(())
}

/// The loader finds its tables by the dynamic segment, the rewriter by the section headers: they must be the same.
fn dynamic_agrees<Elf: FileHeader<Endian = Endianness>>(
    segments: &[Elf::ProgramHeader],
    sections: &SectionTable<'_, Elf>,
    endian: Endianness,
    data: &[u8],
) -> Result<(), Unreadable> {
    let Some(dynamic) = segments.iter().find(|segment| segment.p_type(endian) == elf::PT_DYNAMIC) else {
        return Ok(());
    };
    let starts: u64 = dynamic.p_vaddr(endian).into();
    let same = sections.iter().any(|section| {
        section.sh_type(endian) == elf::SHT_DYNAMIC && Into::<u64>::into(section.sh_addr(endian)) == starts
    });
    if !same {
        return damaged("its dynamic segment is not its dynamic section");
    }
    // A section that ends before the segment's last entry would lose the rest.
    let entries = dynamic.dynamic(endian, data)?.unwrap_or_default();
    let last = entries.iter().take_while(|entry| entry.tag(endian) != elf::DT_NULL).count();
    if (&sections.dynamic_table(endian, data)?).into_iter().count() < last {
        return damaged("its dynamic section is shorter than its dynamic segment");
    }
    let symbols = sections.symbols(endian, data, elf::SHT_DYNSYM)?;
    let address_of =
        |index: read::SectionIndex| -> Result<u64, Unreadable> { Ok(sections.section(index)?.sh_addr(endian).into()) };
    for entry in &sections.dynamic_table(endian, data)? {
        let expected = match entry.tag {
            elf::DT_SYMTAB => address_of(symbols.section())?,
            elf::DT_STRTAB => address_of(symbols.string_section())?,
            elf::DT_STRSZ => sections.section(symbols.string_section())?.sh_size(endian).into(),
            _ => continue,
        };
        if entry.val != expected {
            return damaged("its dynamic table and its section headers disagree");
        }
    }
    relocation_tables(sections, endian, data)
}

/// The loader's relocations are those of the sections: each table begins with one, and ends with or before the last.
fn relocation_tables<Elf: FileHeader<Endian = Endianness>>(
    sections: &SectionTable<'_, Elf>,
    endian: Endianness,
    data: &[u8],
) -> Result<(), Unreadable> {
    let is_table = |kind| matches!(kind, elf::SHT_REL | elf::SHT_RELA | elf::SHT_RELR);
    let tables = sections.iter().filter(|section| is_table(section.sh_type(endian)));
    let tables: Vec<(u64, u64)> =
        tables.map(|section| (section.sh_addr(endian).into(), section.sh_size(endian).into())).collect();
    let last = tables.iter().map(|(start, size)| start + size).max().unwrap_or_default();
    let dynamic = sections.dynamic_table(endian, data)?;
    let value = |tag| (&dynamic).into_iter().find(|entry| entry.tag == tag).map(|entry| entry.val);
    for (start, size) in [
        (elf::DT_REL, elf::DT_RELSZ),
        (elf::DT_RELA, elf::DT_RELASZ),
        (elf::DT_RELR, elf::DT_RELRSZ),
        (elf::DT_JMPREL, elf::DT_PLTRELSZ),
    ] {
        let (Some(start), Some(size)) = (value(start), value(size)) else { continue };
        let is_one = tables.iter().any(|(table, _)| *table == start) && end(start, size).is_some_and(|end| end <= last);
        if size > 0 && !is_one {
            return damaged("its dynamic table and its relocations disagree");
        }
    }
    Ok(())
}

fn end(start: u64, length: u64) -> Option<u64> {
    start.checked_add(length)
}

fn damaged<T>(detail: &str) -> Result<T, Unreadable> {
    Err(Unreadable::Damaged(detail.to_owned()))
}
