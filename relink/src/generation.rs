//! Which mod_python is this? Recognised by what the finished file imports and exports, because nothing else of its
//! source is left in it.

use std::collections::BTreeMap;
use std::fmt;

use crate::elf::ElfFile;

/// The list of exported symbols, which is also the list of what is replaced in which generation.
const SYMBOLS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../capi/modpython_core.symbols"));

/// A line of mod_python releases whose modules make one sequence of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generation {
    V31,
    V32,
    V33,
    V35,
}

impl Generation {
    const ALL: [Generation; 4] = [Generation::V31, Generation::V32, Generation::V33, Generation::V35];

    /// As text and JSON have it.
    pub fn name(self) -> &'static str {
        match self {
            Generation::V31 => "3.1",
            Generation::V32 => "3.2",
            Generation::V33 => "3.3",
            Generation::V35 => "3.5",
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The generation that a relinked module, or the server's log, names. A newer version of this project may have written
/// it, which knows more of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    Known(Generation),
    Other(String),
}

impl From<Generation> for Named {
    fn from(generation: Generation) -> Named {
        Named::Known(generation)
    }
}

impl From<&str> for Named {
    fn from(name: &str) -> Named {
        match Generation::ALL.into_iter().find(|generation| generation.name() == name) {
            Some(generation) => Named::Known(generation),
            None => Named::Other(name.to_owned()),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Named::Known(generation) => generation.fmt(f),
            Named::Other(name) => f.write_str(name),
        }
    }
}

/// The marks of one generation. All of `exports` and `imports` must be there, none of the `without` ones.
struct Marks {
    of: Generation,
    exports: &'static [&'static str],
    imports: &'static [&'static str],
    without_exports: &'static [&'static str],
    without_imports: &'static [&'static str],
}

/// 3.5 moved from the bare GIL to a thread state shared by all threads; 3.3 was the first to export the acquisition to
/// other modules; 3.2 brought a mutex that 3.1 does not have.
const MARKS: &[Marks] = &[
    Marks {
        of: Generation::V35,
        exports: &["mp_acquire_interpreter", "mp_version_string"],
        imports: &["PyEval_RestoreThread", "apr_hash_make"],
        without_exports: &[],
        without_imports: &["PyEval_AcquireLock"],
    },
    Marks {
        of: Generation::V33,
        exports: &["mp_acquire_interpreter"],
        imports: &["PyEval_AcquireLock"],
        without_exports: &["mp_version_string"],
        without_imports: &[],
    },
    Marks {
        of: Generation::V32,
        exports: &[],
        imports: &["PyEval_AcquireLock", "apr_thread_mutex_create"],
        without_exports: &["mp_acquire_interpreter"],
        without_imports: &[],
    },
    Marks {
        of: Generation::V31,
        exports: &[],
        imports: &["PyEval_AcquireLock", "PyDict_New"],
        without_exports: &["mp_acquire_interpreter"],
        without_imports: &["apr_thread_mutex_create"],
    },
];

/// Why a file is not taken for mod_python, or `None` when it is.
pub fn not_mod_python(facts: &ElfFile<'_>) -> Option<&'static str> {
    if !facts.is_shared_object {
        return Some("it is not a shared object");
    }
    if !facts.exports("python_module") {
        return Some("it does not export python_module");
    }
    // A relinked file's imports of this name carry our prefix, so it is asked for by its end.
    // One with a static libpython has the function itself.
    let starts = |name: &str| name.ends_with("Py_NewInterpreter");
    let imported = facts.imports.iter().any(|import| starts(&import.name));
    if !imported && !facts.exports.iter().any(|export| starts(&export.name)) {
        return Some("it starts no Python interpreters");
    }
    None
}

/// The generation of a stock module, or `None` when it shows the marks of none.
pub fn recognise(facts: &ElfFile<'_>) -> Option<Generation> {
    let found = MARKS.iter().find(|marks| {
        marks.exports.iter().all(|name| facts.exports(name))
            && marks.imports.iter().all(|name| facts.imports(name))
            && !marks.without_exports.iter().any(|name| facts.exports(name))
            && !marks.without_imports.iter().any(|name| facts.imports(name))
    });
    found.map(|marks| marks.of)
}

/// The generations the list of symbols has replacements for.
pub fn supported() -> Vec<Generation> {
    let has_replacements = |generation: &Generation| !replacements_of(*generation).is_empty();
    Generation::ALL.into_iter().filter(has_replacements).collect()
}

/// Import -> replacement for one generation.
pub fn replacements_of(generation: Generation) -> BTreeMap<&'static str, &'static str> {
    let wanted = Named::Known(generation);
    let symbols = replacements().filter(|symbol| generation_of(symbol).as_ref() == Some(&wanted));
    symbols.filter_map(|symbol| Some((import_of(symbol)?, symbol))).collect()
}

/// The generation a relinked module's imports tell of.
pub fn of_relinked(facts: &ElfFile<'_>) -> Option<Named> {
    facts.imports.iter().find_map(|import| generation_of(&import.name))
}

/// The stock name behind a replacement: `apr_hash_get` of `mpc35_rebind_apr_hash_get`.
pub fn import_of(symbol: &str) -> Option<&str> {
    generation_of(symbol)?;
    symbol.split_once("_rebind_").map(|(_, import)| import)
}

/// The replacements in the list of symbols.
fn replacements() -> impl Iterator<Item = &'static str> {
    let names = SYMBOLS.lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|symbol| generation_of(symbol).is_some())
}

fn generation_of(symbol: &str) -> Option<Named> {
    let (prefix, _) = symbol.split_once("_rebind_")?;
    let digits = prefix.strip_prefix("mpc")?;
    let (major, minor) = digits.split_at_checked(1)?;
    let numeric = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (numeric(major) && numeric(minor)).then(|| Named::from(format!("{major}.{minor}").as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_symbols_yields_the_replacements() {
        assert!(supported().contains(&Generation::V35));
        let of_35 = replacements_of(Generation::V35);
        assert_eq!(of_35.get("apr_hash_get"), Some(&"mpc35_rebind_apr_hash_get"));
        assert_eq!(of_35.get("_PyObject_CallMethod_SizeT"), Some(&"mpc35_rebind__PyObject_CallMethod_SizeT"));
        assert!(!of_35.contains_key("modpython_core_build_info"));
    }

    #[test]
    fn no_symbol_of_the_list_is_of_a_generation_that_this_command_does_not_know() {
        let all: usize = Generation::ALL.into_iter().map(|generation| replacements_of(generation).len()).sum();
        assert_eq!(replacements().count(), all);
    }

    #[test]
    fn a_replacement_tells_its_generation_and_its_import() {
        assert_eq!(generation_of("mpc31_rebind_PyDict_New"), Some(Generation::V31.into()));
        assert_eq!(import_of("mpc31_rebind_PyDict_New"), Some("PyDict_New"));
        for other in ["mpc35_get_interpreter", "mpc_rebind_x", "mpcxy_rebind_x", "xmpc35_rebind_x", "mpc3_rebind_x"] {
            assert_eq!(generation_of(other), None, "{other}");
        }
    }

    /// A newer version of this command may have relinked the file.
    #[test]
    fn a_generation_of_a_newer_version_keeps_its_name() {
        let newer = generation_of("mpc39_rebind_PyDict_New").unwrap();
        assert_eq!((&newer, newer.to_string().as_str()), (&Named::Other("3.9".into()), "3.9"));
        assert_eq!(import_of("mpc39_rebind_PyDict_New"), Some("PyDict_New"));
        for generation in Generation::ALL {
            assert_eq!(Named::from(generation.name()), Named::Known(generation));
        }
    }
}
