//! Reads the facts of an ELF file: what it is for, what it needs, what it imports and exports, where things lie.
//!
//! This is one reader for three questions (may it be relinked? what does the library export? did the rewriting change
//! only what it should?). It shares no code with the builder that rewrites, so the third answer can fail.

pub mod guard;
mod validate;

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader, Rela as _, SectionHeader, SectionTable, Sym};
use object::{Endianness, SymbolIndex};

use self::guard::guarded;
use crate::stamp::{self, Stamp, hex};

/// The marks of a file that must be the same in all files of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    pub e_machine: elf::Machine,
    pub is_64: bool,
    pub endian: Endianness,
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bits = if self.is_64 { 64 } else { 32 };
        match self.e_machine {
            elf::EM_X86_64 => write!(f, "x86-64")?,
            elf::EM_386 => write!(f, "i386")?,
            elf::EM_AARCH64 => write!(f, "aarch64")?,
            elf::EM_ARM => write!(f, "arm")?,
            elf::EM_PPC64 => write!(f, "powerpc64")?,
            elf::EM_S390 => write!(f, "s390")?,
            elf::EM_RISCV => write!(f, "riscv")?,
            elf::EM_SPARC | elf::EM_SPARCV9 | elf::EM_SPARC32PLUS => write!(f, "sparc")?,
            other => write!(f, "machine {}", other.0)?,
        }
        let order = if self.endian == Endianness::Big { "big" } else { "little" };
        write!(f, " ({bits} bit, {order}-endian)")
    }
}

/// An undefined dynamic symbol.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    pub name: String,
    pub version: Option<String>,
    pub info: u8,
}

/// A defined dynamic symbol.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Export {
    pub name: String,
    pub version: Option<String>,
    pub info: u8,
    pub address: u64,
    pub size: u64,
}

/// A relocation of the loaded image, its symbol by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocation {
    pub offset: u64,
    pub kind: u32,
    pub addend: i64,
    pub symbol: String,
}

/// A section: where it is and what it holds.
#[derive(Debug)]
pub struct Section<'data> {
    pub name: String,
    pub kind: elf::SectionType,
    pub address: u64,
    pub size: u64,
    pub data: &'data [u8],
}

/// A loaded segment: address, offset in the file, size in the file and in memory.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub address: u64,
    pub offset: u64,
    pub file_size: u64,
    pub memory_size: u64,
    pub align: u64,
}

/// Everything the command wants to know about one file.
#[derive(Debug)]
pub struct ElfFile<'data> {
    pub machine: Machine,
    pub is_shared_object: bool,
    pub needed: Vec<String>,
    pub soname: Option<String>,
    pub rpath: Option<String>,
    pub runpath: Option<String>,
    /// Dynamic entries that are plain numbers, in order: they must survive as they are.
    pub dynamic_values: Vec<(i64, u64)>,
    pub imports: Vec<Import>,
    pub exports: Vec<Export>,
    pub relocations: Vec<Relocation>,
    pub sections: Vec<Section<'data>>,
    pub loads: Vec<Load>,
    pub build_id: Option<String>,
    pub stamp: Option<Stamp>,
}

/// Why no facts could be had.
#[derive(Debug)]
pub enum Unreadable {
    NotElf,
    Damaged(String),
}

impl From<object::read::Error> for Unreadable {
    fn from(error: object::read::Error) -> Self {
        Unreadable::Damaged(error.to_string())
    }
}

impl<'data> ElfFile<'data> {
    /// Read a file. Everything that is later relied on is checked here, so that damage ends in a sentence.
    pub fn read(data: &'data [u8]) -> Result<Self, Unreadable> {
        if !data.starts_with(&elf::ELFMAG) {
            return Err(Unreadable::NotElf);
        }
        let facts = guarded(|| match data.get(4).copied().map(elf::FileClass) {
            Some(elf::ELFCLASS32) => Self::read_class::<FileHeader32<Endianness>>(data),
            Some(elf::ELFCLASS64) => Self::read_class::<FileHeader64<Endianness>>(data),
            _ => Err(Unreadable::Damaged("the ELF header has no valid class".into())),
        });
        facts.unwrap_or_else(|| Err(Unreadable::Damaged("its tables contradict each other".into())))
    }

    fn read_class<Elf: FileHeader<Endian = Endianness>>(data: &'data [u8]) -> Result<Self, Unreadable> {
        let header = Elf::parse(data)?;
        let endian = header.endian()?;
        validate::tables(header, endian, data)?;
        let sections = header.sections(endian, data)?;
        let mut facts = ElfFile {
            machine: Machine { e_machine: header.e_machine(endian), is_64: header.is_type_64(), endian },
            is_shared_object: header.e_type(endian) == elf::ET_DYN,
            needed: Vec::new(),
            soname: None,
            rpath: None,
            runpath: None,
            dynamic_values: Vec::new(),
            imports: Vec::new(),
            exports: Vec::new(),
            relocations: Vec::new(),
            sections: Vec::new(),
            loads: Vec::new(),
            build_id: None,
            stamp: None,
        };
        for segment in header.program_headers(endian, data)? {
            if segment.p_type(endian) == elf::PT_LOAD {
                facts.loads.push(Load {
                    address: segment.p_vaddr(endian).into(),
                    offset: segment.p_offset(endian).into(),
                    file_size: segment.p_filesz(endian).into(),
                    memory_size: segment.p_memsz(endian).into(),
                    align: segment.p_align(endian).into(),
                });
            }
        }
        facts.read_sections(&sections, endian, data)?;
        facts.read_dynamic(&sections, endian, data)?;
        facts.read_symbols(&sections, endian, data)?;
        Ok(facts)
    }

    fn read_sections<Elf: FileHeader<Endian = Endianness>>(
        &mut self,
        sections: &SectionTable<'data, Elf>,
        endian: Endianness,
        data: &'data [u8],
    ) -> Result<(), Unreadable> {
        for section in sections.iter().skip(1) {
            self.sections.push(Section {
                name: text(sections.section_name(endian, section)?)?,
                kind: section.sh_type(endian),
                address: section.sh_addr(endian).into(),
                size: section.sh_size(endian).into(),
                data: section.data(endian, data)?,
            });
            let Some(mut notes) = section.notes(endian, data)? else { continue };
            while let Some(note) = notes.next()? {
                if note.name() == elf::ELF_NOTE_GNU && note.n_type(endian) == elf::NT_GNU_BUILD_ID {
                    self.build_id = Some(hex(note.desc()));
                } else if note.name() == stamp::OWNER.as_bytes() {
                    self.stamp = Some(Stamp::from_desc(note.desc()));
                }
            }
        }
        Ok(())
    }

    fn read_dynamic<Elf: FileHeader<Endian = Endianness>>(
        &mut self,
        sections: &SectionTable<'data, Elf>,
        endian: Endianness,
        data: &'data [u8],
    ) -> Result<(), Unreadable> {
        let table = sections.dynamic_table(endian, data)?;
        for entry in &table {
            if !entry.is_string() {
                self.dynamic_values.push((entry.tag.0, entry.val));
                continue;
            }
            let string = text(table.string(entry)?)?;
            match entry.tag {
                elf::DT_NEEDED => self.needed.push(string),
                elf::DT_SONAME => self.soname = Some(string),
                elf::DT_RPATH => self.rpath = Some(string),
                elf::DT_RUNPATH => self.runpath = Some(string),
                _ => {}
            }
        }
        Ok(())
    }

    fn read_symbols<Elf: FileHeader<Endian = Endianness>>(
        &mut self,
        sections: &SectionTable<'data, Elf>,
        endian: Endianness,
        data: &'data [u8],
    ) -> Result<(), Unreadable> {
        let symbols = sections.symbols(endian, data, elf::SHT_DYNSYM)?;
        let versions = sections.versions(endian, data)?;
        let mut names = vec![String::new()];
        for (index, symbol) in symbols.enumerate().skip(1) {
            let name = text(symbols.symbol_name(endian, symbol)?)?;
            names.push(name.clone());
            if symbol.is_local() || name.is_empty() {
                continue;
            }
            let version = match &versions {
                Some(table) => match table.version(table.version_index(endian, index).index())? {
                    Some(version) => Some(text(version.name())?),
                    None => None,
                },
                None => None,
            };
            let info = symbol.st_info().0;
            if symbol.is_undefined(endian) {
                self.imports.push(Import { name, version, info });
            } else {
                let (address, size) = (symbol.st_value(endian).into(), symbol.st_size(endian).into());
                self.exports.push(Export { name, version, info, address, size });
            }
        }
        for section in sections.iter() {
            if !section.sh_flags(endian).contains(elf::SHF_ALLOC) {
                continue;
            }
            let mut relocation = |symbol: Option<SymbolIndex>, offset: u64, kind: u32, addend: i64| {
                let symbol = match symbol {
                    Some(index) => names
                        .get(index.0)
                        .cloned()
                        .ok_or_else(|| Unreadable::Damaged("a relocation points outside the symbol table".into()))?,
                    None => String::new(),
                };
                self.relocations.push(Relocation { offset, kind, addend, symbol });
                Ok::<(), Unreadable>(())
            };
            if let Some((relas, _)) = section.rela(endian, data)? {
                for rela in relas {
                    let kind = rela.r_type(endian, false).0;
                    relocation(
                        rela.symbol(endian, false),
                        rela.r_offset(endian).into(),
                        kind,
                        rela.r_addend(endian).into(),
                    )?;
                }
            }
            if let Some((rels, _)) = section.rel(endian, data)? {
                use object::read::elf::Rel as _;
                for rel in rels {
                    relocation(rel.symbol(endian), rel.r_offset(endian).into(), rel.r_type(endian).0, 0)?;
                }
            }
        }
        Ok(())
    }

    /// Is this name among the undefined dynamic symbols?
    pub fn imports(&self, name: &str) -> bool {
        self.imports.iter().any(|import| import.name == name)
    }

    /// Is this name among the defined dynamic symbols?
    pub fn exports(&self, name: &str) -> bool {
        self.exports.iter().any(|export| export.name == name)
    }
}

fn text(bytes: &[u8]) -> Result<String, Unreadable> {
    let printable = std::str::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control));
    printable.map(str::to_owned).ok_or_else(|| Unreadable::Damaged("a name in it is not text".into()))
}
