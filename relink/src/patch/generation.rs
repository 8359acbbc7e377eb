//! The generations of mod_python, as a source tree tells them.

/// The generations of the interpreter path, as `modpython-core/before.h` tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    V31,
    V32,
    V33,
    V35,
}

impl Generation {
    /// The generation of a release, if it is one that is supported.
    pub fn of(version: &str) -> Option<Generation> {
        let mut parts = version.split('.');
        match (parts.next()?, parts.next()?) {
            ("3", "1") => Some(Generation::V31),
            ("3", "2") => Some(Generation::V32),
            ("3", "3") => Some(Generation::V33),
            ("3", "5") => Some(Generation::V35),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Generation::V31 => "3.1",
            Generation::V32 => "3.2",
            Generation::V33 => "3.3",
            Generation::V35 => "3.5",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_those_of_the_headers() {
        assert_eq!(Generation::of("3.1.4"), Some(Generation::V31));
        assert_eq!(Generation::of("3.5.0"), Some(Generation::V35));
        assert_eq!(Generation::of("3.4.1"), None);
        assert_eq!(Generation::of("2.7.10"), None);
    }
}
