//! The release lines of mod_python that a source tree can be of.

/// The release lines of the source, as `modpython-core/before.h` and the places in a tree tell them apart: finer than
/// the [generations](crate::generation::Generation) of finished modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseLine {
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

impl ReleaseLine {
    /// The release line of a version, if it is supported.
    pub fn of(version: &str) -> Option<ReleaseLine> {
        let mut parts = version.split('.');
        match (parts.next()?, parts.next()?, parts.next()) {
            ("3", "0" | "1", _) => Some(ReleaseLine::V31),
            ("3", "2", Some(patch)) if patch.parse::<u32>().is_ok_and(|patch| patch < 9) => Some(ReleaseLine::V32Early),
            ("3", "2", _) => Some(ReleaseLine::V32),
            ("3", "3", _) => Some(ReleaseLine::V33),
            ("3", "4", _) => Some(ReleaseLine::V34),
            ("3", "5", _) => Some(ReleaseLine::V35),
            _ => None,
        }
    }

    /// Its number, as `--json` has it in `generation`. The library serves 3.4 with the functions of 3.3.
    pub fn name(self) -> &'static str {
        match self {
            ReleaseLine::V31 => "3.1",
            ReleaseLine::V32Early | ReleaseLine::V32 => "3.2",
            ReleaseLine::V33 => "3.3",
            ReleaseLine::V34 => "3.4",
            ReleaseLine::V35 => "3.5",
        }
    }

    /// Whether the child's start saves the main interpreter.
    pub fn saves(self) -> bool {
        !matches!(self, ReleaseLine::V31 | ReleaseLine::V32Early)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_lines_are_those_of_the_headers() {
        for (version, line) in [
            ("3.0.4", ReleaseLine::V31),
            ("3.1.4", ReleaseLine::V31),
            ("3.2.0", ReleaseLine::V32Early),
            ("3.2.8", ReleaseLine::V32Early),
            ("3.2.9", ReleaseLine::V32),
            ("3.2.10", ReleaseLine::V32),
            ("3.3.1", ReleaseLine::V33),
            ("3.4.1", ReleaseLine::V34),
            ("3.5.0", ReleaseLine::V35),
        ] {
            assert_eq!(ReleaseLine::of(version), Some(line), "{version}");
        }
        assert_eq!(ReleaseLine::of("3.6.0"), None);
        assert_eq!(ReleaseLine::of("2.7.10"), None);
    }
}
