//! Which mod_python is this? Recognised by what the finished file imports and exports, because nothing else of its
//! source is left in it.

use std::collections::BTreeMap;

use crate::elf::ElfFile;

/// The list of exported symbols, which is also the list of what is replaced in which generation.
const SYMBOLS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../capi/modpython_core.symbols"));

/// The marks of one generation. All of `exports` and `imports` must be there, none of the `without` ones.
struct Marks {
    name: &'static str,
    exports: &'static [&'static str],
    imports: &'static [&'static str],
    without_exports: &'static [&'static str],
    without_imports: &'static [&'static str],
}

/// 3.5 moved from the bare GIL to a thread state shared by all threads; 3.3 was the first to export the acquisition to
/// other modules; 3.2 brought the mutex that 3.1 has not.
const GENERATIONS: &[Marks] = &[
    Marks {
        name: "3.5",
        exports: &["mp_acquire_interpreter", "mp_version_string"],
        imports: &["PyEval_RestoreThread", "apr_hash_make"],
        without_exports: &[],
        without_imports: &["PyEval_AcquireLock"],
    },
    Marks {
        name: "3.3",
        exports: &["mp_acquire_interpreter"],
        imports: &["PyEval_AcquireLock"],
        without_exports: &["mp_version_string"],
        without_imports: &[],
    },
    Marks {
        name: "3.2",
        exports: &[],
        imports: &["PyEval_AcquireLock", "apr_thread_mutex_create"],
        without_exports: &["mp_acquire_interpreter"],
        without_imports: &[],
    },
    Marks {
        name: "3.1",
        exports: &[],
        imports: &["PyEval_AcquireLock", "PyDict_New"],
        without_exports: &["mp_acquire_interpreter"],
        without_imports: &["apr_thread_mutex_create"],
    },
];

/// Why a file is not taken for mod_python, or `None` when it is.
pub fn not_mod_python(facts: &ElfFile<'_>) -> Option<&'static str> {
    if !facts.is_shared_object {
        return Some("it is no shared object");
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
pub fn recognise(facts: &ElfFile<'_>) -> Option<&'static str> {
    let found = GENERATIONS.iter().find(|marks| {
        marks.exports.iter().all(|name| facts.exports(name))
            && marks.imports.iter().all(|name| facts.imports(name))
            && !marks.without_exports.iter().any(|name| facts.exports(name))
            && !marks.without_imports.iter().any(|name| facts.imports(name))
    });
    found.map(|marks| marks.name)
}

/// The generations the list of symbols has replacements for, as `3.5`.
pub fn supported() -> Vec<String> {
    let mut names: Vec<String> = replacements().map(|(generation, _)| generation).collect();
    names.sort();
    names.dedup();
    names
}

/// Import -> replacement for one generation.
pub fn replacements_of(generation: &str) -> BTreeMap<&'static str, &'static str> {
    replacements()
        .filter(|(of, _)| of == generation)
        .filter_map(|(_, symbol)| Some((import_of(symbol)?, symbol)))
        .collect()
}

/// The generation a relinked module's imports tell of.
pub fn of_relinked(facts: &ElfFile<'_>) -> Option<String> {
    facts.imports.iter().find_map(|import| generation_of(&import.name))
}

/// The stock name behind a replacement: `apr_hash_get` of `mpc35_rebind_apr_hash_get`.
pub fn import_of(symbol: &str) -> Option<&str> {
    generation_of(symbol)?;
    symbol.split_once("_rebind_").map(|(_, import)| import)
}

fn replacements() -> impl Iterator<Item = (String, &'static str)> {
    let names = SYMBOLS.lines().filter_map(|line| line.split_whitespace().next());
    names.filter_map(|symbol| Some((generation_of(symbol)?, symbol)))
}

fn generation_of(symbol: &str) -> Option<String> {
    let (prefix, _) = symbol.split_once("_rebind_")?;
    let digits = prefix.strip_prefix("mpc")?;
    let (major, minor) = digits.split_at_checked(1)?;
    let numeric = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (numeric(major) && numeric(minor)).then(|| format!("{major}.{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_symbols_yields_the_replacements() {
        assert!(supported().contains(&"3.5".to_owned()));
        let of_35 = replacements_of("3.5");
        assert_eq!(of_35.get("apr_hash_get"), Some(&"mpc35_rebind_apr_hash_get"));
        assert_eq!(of_35.get("_PyObject_CallMethod_SizeT"), Some(&"mpc35_rebind__PyObject_CallMethod_SizeT"));
        assert!(!of_35.contains_key("modpython_core_build_info"));
    }

    #[test]
    fn a_replacement_tells_its_generation_and_its_import() {
        assert_eq!(generation_of("mpc31_rebind_PyDict_New").as_deref(), Some("3.1"));
        assert_eq!(import_of("mpc31_rebind_PyDict_New"), Some("PyDict_New"));
        for other in ["mpc35_get_interpreter", "mpc_rebind_x", "mpcxy_rebind_x", "xmpc35_rebind_x", "mpc3_rebind_x"] {
            assert_eq!(generation_of(other), None, "{other}");
        }
    }
}
