//! The parts that read files of others, without the files around them: for fuzzers and the tests of mutations. Each
//! holds its own invariants, and says which one does not hold.

use std::path::Path;

use crate::elf::ElfFile;
use crate::generation;
use crate::patch::probe as source;
use crate::rewrite::{Plan, rewrite};
use crate::stamp::Stamp;
use crate::verify::verify;
use crate::{library, module, search_path, text};

/// Relink these bytes, if they can be: with a library of this name, looked for in this folder.
///
/// # Errors
/// Why they cannot be, in words.
pub fn relink(bytes: &[u8], library: &str, folder: &str) -> Result<Vec<u8>, String> {
    let facts = ElfFile::read(bytes).map_err(|error| format!("{error:?}"))?;
    if let Some(reason) = generation::not_mod_python(&facts) {
        return Err(reason.to_owned());
    }
    if module::relinked_by(&facts).is_some() {
        return Err("it is relinked".to_owned());
    }
    let generation = generation::recognise(&facts).ok_or("it is of no generation")?;
    let all = generation::replacements_of(generation).into_iter();
    let renames = all.filter(|(import, _)| facts.imports(import));
    let plan = Plan {
        renames: renames.map(|(import, symbol)| (import.to_owned(), symbol.to_owned())).collect(),
        needed: library.to_owned(),
        runpath: folder.to_owned(),
        stamp: Stamp::new(generation, bytes),
    };
    let output = rewrite(bytes, &plan)?;
    verify(&facts, &output, &plan)?;
    Ok(output)
}

/// Read these bytes as a library and as a module; what they are does not matter.
pub fn read(bytes: &[u8]) {
    if let Ok(facts) = ElfFile::read(bytes) {
        let _ = library::build_info(&facts, bytes);
        let _ = library::Libpython::among(&facts.needed).map(|python| python.library_name());
        let _ = module::our_library(&facts);
    }
}

/// Add the lines to these bytes as one of a tree's files, if the places are there, and take them out again.
///
/// # Panics
/// If they do not come out as they went in, or the diff has a line removed.
pub fn patch(generation: u8, target: u8, content: &[u8]) {
    source(generation, target, content);
}

/// Write a path in each way there is, and use text as a search path.
///
/// # Panics
/// If JSON does not give the path back, a line has a second line in it, or the loader would read a folder without fault
/// as something else.
pub fn names(bytes: &[u8]) {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let path = Path::new(OsStr::from_bytes(bytes));
    let json = text::path(path);
    assert_eq!(unescaped(json.as_str().unwrap_or_default()), bytes, "{json}");
    for line in [text::load_module(path), text::shell_word(path)].into_iter().flatten() {
        assert_eq!(line.lines().count(), usize::from(!line.is_empty()), "{line:?}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    let Ok(folder) = std::str::from_utf8(bytes) else { return };
    let origin = Path::new("/origin");
    let folders = search_path::folders(folder, origin);
    if search_path::fault(folder).is_none() {
        assert_eq!(folders.len(), 1, "{folder:?}");
        assert!(folders[0].is_absolute(), "{folder:?}");
        assert!(!folders[0].as_os_str().as_bytes().contains(&b'$'), "{folder:?}");
    }
}

/// The bytes of a path, from its string in JSON.
fn unescaped(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    loop {
        rest = match rest {
            [] => return bytes,
            [b'\\', b'\\', rest @ ..] => {
                bytes.push(b'\\');
                rest
            }
            [b'\\', b'x', high, low, rest @ ..] => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).unwrap_or_default();
                bytes.push(u8::from_str_radix(digits, 16).unwrap_or_default());
                rest
            }
            [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
        };
    }
}
