//! The note that says who relinked a file, readable without running it (`readelf -n`).
//!
//! Why a note, and why an allocated one: the NEEDED entry names the library's ABI, not the version of this command, and
//! a changed SONAME or an odd dynamic tag would be seen by the dynamic loader. A note section is what ELF has for
//! "information about the making of this file": loaders ignore an owner they do not know, `readelf` and `eu-readelf`
//! print it, and `strip` cannot take it because it is part of a loaded segment. It holds nothing of the time, the place
//! or the user, so that equal inputs give equal outputs.

use std::collections::BTreeMap;

use object::Endianness;
use sha2::{Digest, Sha256};

use crate::generation::{Generation, Named};

/// The section's name.
pub const SECTION: &str = ".note.modpython-core";
/// The note's owner.
pub const OWNER: &str = "modpython-core";
/// The note's type. One is what `readelf -n` calls a version note where it does not know the owner.
const KIND: u32 = 1;

/// The content of the note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The version of `modpython-relink` that wrote the file.
    pub version: String,
    /// The generation it took the module for.
    pub generation: Named,
    /// The SHA-256 of the stock file, for builds that carry no build-id.
    pub source_sha256: String,
}

impl Stamp {
    /// The stamp this command puts on what it makes of `source`.
    pub fn new(generation: Generation, source: &[u8]) -> Stamp {
        Stamp {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            generation: generation.into(),
            source_sha256: sha256(source),
        }
    }

    /// The whole note: header, owner, description, each padded to four bytes as ELF has it in both classes.
    pub fn to_note(&self, endian: Endianness) -> Vec<u8> {
        let desc =
            format!("version={}\ngeneration={}\nsource-sha256={}\n", self.version, self.generation, self.source_sha256);
        let word = |value: usize| match endian {
            Endianness::Little => (value as u32).to_le_bytes(),
            Endianness::Big => (value as u32).to_be_bytes(),
        };
        let mut note = Vec::new();
        note.extend(word(OWNER.len() + 1));
        note.extend(word(desc.len()));
        note.extend(word(KIND as usize));
        for part in [OWNER.as_bytes(), &[0], desc.as_bytes()] {
            note.extend_from_slice(part);
            if part != OWNER.as_bytes() {
                note.resize(note.len().next_multiple_of(4), 0);
            }
        }
        note
    }

    /// Read the note's description. Unknown keys are left for later versions; a missing one is "unknown".
    pub fn from_desc(desc: &[u8]) -> Stamp {
        let pairs = key_values(&String::from_utf8_lossy(desc));
        let get = |key: &str| pairs.get(key).cloned().unwrap_or_else(|| "unknown".to_owned());
        Stamp {
            version: get("version"),
            generation: Named::from(get("generation").as_str()),
            source_sha256: get("source-sha256"),
        }
    }
}

/// The hexadecimal SHA-256 of a file's content.
pub fn sha256(data: &[u8]) -> String {
    hex(&Sha256::digest(data))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `key=value` lines, as the note and the library's build information have them.
pub fn key_values(text: &str) -> BTreeMap<String, String> {
    text.lines().filter_map(|line| line.split_once('=')).map(|(key, value)| (key.into(), value.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_back_as_it_was_written() {
        let stamp = Stamp::new(Generation::V35, b"abc");
        let note = stamp.to_note(Endianness::Little);
        assert_eq!(note.len() % 4, 0);
        let name_size = u32::from_le_bytes(note[0..4].try_into().unwrap()) as usize;
        let desc_size = u32::from_le_bytes(note[4..8].try_into().unwrap()) as usize;
        assert_eq!(&note[12..12 + name_size], b"modpython-core\0");
        let desc = 12 + name_size.next_multiple_of(4);
        assert_eq!(Stamp::from_desc(&note[desc..desc + desc_size]), stamp);
        assert_eq!(stamp.source_sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn big_endian_files_get_a_big_endian_note() {
        let note = Stamp::new(Generation::V31, b"").to_note(Endianness::Big);
        assert_eq!(note[0..4], 15u32.to_be_bytes());
    }
}
