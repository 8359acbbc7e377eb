//! The generations of mod_python, as a source tree tells them.

/// The generations of the source, as `modpython-core/before.h` and the places in a tree tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// 3.0 and 3.1, which have one interpreter path.
    V31,
    /// 3.2.0 to 3.2.8, without save_interpreter.
    V32Early,
    V32,
    V33,
    /// 3.3's interpreter path, without its importer.
    V34,
    V35,
}

impl Generation {
    /// The generation of a release, if it is one that is supported.
    pub fn of(version: &str) -> Option<Generation> {
        let mut parts = version.split('.');
        match (parts.next()?, parts.next()?, parts.next()) {
            ("3", "0" | "1", _) => Some(Generation::V31),
            ("3", "2", Some(patch)) if patch.parse::<u32>().is_ok_and(|patch| patch < 9) => Some(Generation::V32Early),
            ("3", "2", _) => Some(Generation::V32),
            ("3", "3", _) => Some(Generation::V33),
            ("3", "4", _) => Some(Generation::V34),
            ("3", "5", _) => Some(Generation::V35),
            _ => None,
        }
    }

    /// The release line, whose number the library's functions for it have in their names; those of 3.4 are 3.3's.
    pub fn name(self) -> &'static str {
        match self {
            Generation::V31 => "3.1",
            Generation::V32Early | Generation::V32 => "3.2",
            Generation::V33 => "3.3",
            Generation::V34 => "3.4",
            Generation::V35 => "3.5",
        }
    }

    /// Whether the child's start saves the main interpreter.
    pub fn saves(self) -> bool {
        !matches!(self, Generation::V31 | Generation::V32Early)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_those_of_the_headers() {
        for (version, generation) in [
            ("3.0.4", Generation::V31),
            ("3.1.4", Generation::V31),
            ("3.2.0", Generation::V32Early),
            ("3.2.8", Generation::V32Early),
            ("3.2.9", Generation::V32),
            ("3.2.10", Generation::V32),
            ("3.3.1", Generation::V33),
            ("3.4.1", Generation::V34),
            ("3.5.0", Generation::V35),
        ] {
            assert_eq!(Generation::of(version), Some(generation), "{version}");
        }
        assert_eq!(Generation::of("3.6.0"), None);
        assert_eq!(Generation::of("2.7.10"), None);
    }
}
