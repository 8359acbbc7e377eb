//! Where the lines go in: the places that all releases have, found anew in each file, so that a tree which a
//! distribution has changed is served too.

use super::edit::{Addition, lines, text};
use super::release_line::ReleaseLine;

/// A file that gets lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The core.
    ModPython,
    /// Its Python side.
    Apache,
    /// The options of the build: where the headers are, and the library.
    Makefile,
}

pub const BEFORE: &str = "#include <modpython-core/before.h>";
pub const AFTER: &str = "#include <modpython-core/after.h>";
/// Without the library, or with it switched off, the module is not there, and all stays as it was. `try` shares a
/// line with its body to save one.
pub const SHIM: [&str; 3] = [
    "# modpython-core: import_module with a lock per file",
    "try: import _modpython_core; _modpython_core.install(__name__)",
    "except ImportError: pass",
];
pub const INCLUDES: &str = "INCLUDES+=`pkg-config --cflags modpython-core`";
const LIBRARIES: &str = "+=`pkg-config --libs modpython-core`";
/// 3.5 has another name for its libraries.
const LIBS: [&str; 2] = ["LIBS", "LDLIBS"];

impl Target {
    /// The files of a release line. 3.3 has an importer of its own in the place of apache.py's, which stays.
    pub fn of(release_line: ReleaseLine) -> &'static [Target] {
        match release_line {
            ReleaseLine::V33 => &[Target::ModPython, Target::Makefile],
            _ => &[Target::ModPython, Target::Apache, Target::Makefile],
        }
    }

    /// The file, seen from the tree's top.
    pub fn path(self) -> &'static str {
        match self {
            Target::ModPython => "src/mod_python.c",
            Target::Apache => "lib/python/mod_python/apache.py",
            Target::Makefile => "src/Makefile.in",
        }
    }

    /// The text that any patched file of this kind has in it, wholly or partly patched.
    pub fn mark(self) -> &'static [u8] {
        match self {
            Target::ModPython => b"<modpython-core/",
            Target::Apache => b"_modpython_core",
            Target::Makefile => b" modpython-core`",
        }
    }

    /// The groups of lines that a patched file has, one after the other.
    pub fn groups(self) -> Vec<Vec<String>> {
        let one = |line: &str| vec![line.to_owned()];
        match self {
            Target::ModPython => vec![one(BEFORE), one(AFTER)],
            Target::Apache => vec![SHIM.map(str::to_owned).to_vec()],
            Target::Makefile => {
                vec![one(INCLUDES), one(&format!("LIBS{LIBRARIES}")), one(&format!("LDLIBS{LIBRARIES}"))]
            }
        }
    }

    /// The additions to a file of this content.
    ///
    /// # Errors
    /// The place that is missing or doubled, in words that follow the file's name.
    pub fn additions(self, release_line: ReleaseLine, content: &[u8]) -> Result<Vec<Addition>, String> {
        let lines: Vec<&[u8]> = lines(content).into_iter().map(text).collect();
        let is_ended = content.ends_with(b"\n");
        let additions = match self {
            Target::ModPython => mod_python(release_line, &lines),
            Target::Apache => apache(&lines, is_ended),
            Target::Makefile => makefile(&lines),
        }?;
        // An addition below the last line would become part of it.
        if !is_ended && additions.iter().any(|addition| addition.after == lines.len()) {
            return Err("the last line has no end: add a newline".to_owned());
        }
        Ok(additions)
    }
}

/// The number (from zero) of the one line that fits.
pub fn only(lines: &[&[u8]], what: &str, fits: impl Fn(&str) -> bool) -> Result<usize, String> {
    let found: Vec<usize> = (0..lines.len()).filter(|at| std::str::from_utf8(lines[*at]).is_ok_and(&fits)).collect();
    match found[..] {
        [at] => Ok(at),
        [] => Err(format!("{what} is missing")),
        [first, second, ..] => Err(format!("{what} is there more than once (lines {} and {})", first + 1, second + 1)),
    }
}

/// After the line that includes mod_python.h; and above python_cleanup, which all releases have directly below the
/// functions of the interpreter path, with a comment before it.
fn mod_python(release_line: ReleaseLine, lines: &[&[u8]]) -> Result<Vec<Addition>, String> {
    let include = only(lines, "the line that includes mod_python.h", |line| {
        let rest = line.trim_start().strip_prefix('#').map(str::trim_start);
        rest.and_then(|rest| rest.strip_prefix("include")).is_some_and(|rest| rest.trim() == "\"mod_python.h\"")
    })?;
    let cleanup = only(lines, "the definition of python_cleanup", |line| {
        line.starts_with("apr_status_t python_cleanup(") && !line.trim_end().ends_with(';')
    })?;
    let place = above_comment(lines, cleanup)?;
    for function in ["get_interpreter", "release_interpreter", "save_interpreter"] {
        let defines = |line: &str| is_definition(line, function);
        if function == "save_interpreter" && !release_line.saves() {
            // The headers go by the version, and would leave it as it is.
            if lines.iter().any(|line| std::str::from_utf8(line).is_ok_and(defines)) {
                return Err("save_interpreter is there, which this version does not have".to_owned());
            }
            continue;
        }
        let definition = only(lines, &format!("the definition of {function}"), defines)?;
        if !(include..place).contains(&definition) {
            return Err(format!(
                "{function} (line {}) is not between the line that includes mod_python.h and python_cleanup",
                definition + 1
            ));
        }
    }
    Ok(vec![Addition::new(include + 1, &[BEFORE]), Addition::new(place, &[AFTER])])
}

/// A line that begins a function's definition: static, and no declaration.
fn is_definition(line: &str, function: &str) -> bool {
    let declared = line.split_once('(').map(|(declared, _)| declared.trim_end());
    let named = declared.and_then(|declared| declared.strip_suffix(function));
    named.is_some_and(|rest| rest.starts_with("static ") && rest.ends_with([' ', '*']))
        && !line.trim_end().ends_with(';')
}

/// The first line of the comment directly above a line, or that line itself.
fn above_comment(lines: &[&[u8]], at: usize) -> Result<usize, String> {
    let trimmed = |line: &[u8]| line.trim_ascii().to_owned();
    let Some(last) = (0..at).rev().find(|above| !trimmed(lines[*above]).is_empty()) else {
        return Ok(at);
    };
    if !trimmed(lines[last]).ends_with(b"*/") {
        return Ok(at);
    }
    let first = (0..=last).rev().find(|above| trimmed(lines[*above]).starts_with(b"/*"));
    first.ok_or_else(|| "the comment above python_cleanup has no beginning".to_owned())
}

/// At the end: what calls import_module looks it up when it does so.
fn apache(lines: &[&[u8]], is_ended: bool) -> Result<Vec<Addition>, String> {
    only(lines, "the function import_module", |line| line.starts_with("def import_module("))?;
    let end = match lines.last() {
        Some(last) if !is_ended && last.trim_ascii().is_empty() => lines.len() - 1,
        _ => lines.len(),
    };
    Ok(vec![Addition::new(end, &SHIM)])
}

/// Behind the variables that hold the include paths and the libraries.
fn makefile(lines: &[&[u8]]) -> Result<Vec<Addition>, String> {
    let assigns =
        |line: &str, name: &str| line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='));
    let includes = only(lines, "the line that sets INCLUDES", |line| assigns(line, "INCLUDES"))?;
    let libraries =
        only(lines, "the line that sets LIBS or LDLIBS", |line| LIBS.iter().any(|name| assigns(line, name)))?;
    let name = LIBS.into_iter().find(|name| lines[libraries].starts_with(name.as_bytes())).unwrap_or(LIBS[1]);
    let mut additions =
        vec![Addition::new(includes + 1, &[INCLUDES]), Addition::new(libraries + 1, &[&format!("{name}{LIBRARIES}")])];
    additions.sort_by_key(|addition| addition.after);
    Ok(additions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(target: Target, text: &str) -> Result<Vec<usize>, String> {
        let found = target.additions(ReleaseLine::V31, text.as_bytes());
        found.map(|additions| additions.iter().map(|addition| addition.after).collect())
    }

    const CORE: &str = "#include \"mod_python.h\"\nstatic data *get_interpreter(void)\n{\n}\n\
                        static void release_interpreter(void) \n{\n}\n";

    #[test]
    fn the_second_place_is_above_the_comment_or_else_above_the_function() {
        let function = "apr_status_t python_cleanup(void *data)\n{\n}\n";
        for (between, line) in [("", 7), ("\n", 8), ("/* one */\n", 7), ("\n/**\n ** many\n */\n\n", 8)] {
            assert_eq!(
                find(Target::ModPython, &format!("{CORE}{between}{function}")),
                Ok(vec![1, line]),
                "{between:?}"
            );
        }
    }

    #[test]
    fn a_place_that_is_missing_or_doubled_is_refused_in_words() {
        let cleanup = "apr_status_t python_cleanup(void *data)\n";
        for (text, says) in [
            (format!("{CORE}apr_status_t python_cleanup(void *data);\n"), "python_cleanup is missing"),
            (format!("{CORE}{cleanup}{cleanup}"), "more than once (lines 8 and 9)"),
            (cleanup.to_owned(), "the line that includes mod_python.h is missing"),
            (format!("#include \"mod_python.h\"\n{cleanup}"), "get_interpreter is missing"),
            (format!("{cleanup}{CORE}"), "is not between"),
        ] {
            let refused = find(Target::ModPython, &text).expect_err(&text);
            assert!(refused.contains(says), "{refused}");
        }
    }

    #[test]
    fn a_declaration_is_no_definition() {
        assert!(is_definition("static void release_interpreter(void) ", "release_interpreter"));
        assert!(is_definition("static interpreterdata *get_interpreter(const char *name)", "get_interpreter"));
        assert!(!is_definition("static void release_interpreter(interpreterdata *idata);", "release_interpreter"));
        assert!(!is_definition("    idata = get_interpreter(name);", "get_interpreter"));
        assert!(!is_definition("static void mpc_stock_get_interpreter(void)", "get_interpreter"));
    }

    #[test]
    fn the_last_line_of_apache_py() {
        let text = "def import_module(name):\n    pass\n";
        assert_eq!(find(Target::Apache, text), Ok(vec![2]));
        assert_eq!(find(Target::Apache, &format!("{text}  ")), Ok(vec![2]));
        assert!(find(Target::Apache, &format!("{text}x = 1")).unwrap_err().contains("newline"));
        assert!(find(Target::Apache, "").unwrap_err().contains("missing"));
    }

    #[test]
    fn the_makefile_of_either_naming() {
        for name in LIBS {
            let text = format!("INCLUDES=@INCLUDES@\n{name}=@{name}@\nX={name}\n");
            let additions = Target::Makefile.additions(ReleaseLine::V35, text.as_bytes()).unwrap();
            assert_eq!(additions[1], Addition::new(2, &[&format!("{name}{LIBRARIES}")]));
        }
    }

    /// Found by the fuzzer: the added line stood at the end of the file's last one.
    #[test]
    fn a_last_line_without_an_end_gets_nothing_below_it() {
        let text = "INCLUDES=@INCLUDES@\nLIBS=@LIBS@";
        assert!(find(Target::Makefile, text).unwrap_err().contains("newline"));
        assert_eq!(find(Target::Makefile, &format!("{text}\n#")), Ok(vec![1, 2]));
    }

    /// A makefile with one of the two lines was patched again, which added the other one twice.
    #[test]
    fn each_line_that_is_added_has_the_mark_of_a_patched_file() {
        for (target, shim) in [(Target::ModPython, 0), (Target::Makefile, 0), (Target::Apache, 1)] {
            for group in target.groups() {
                let mark = std::str::from_utf8(target.mark()).expect("a mark is text");
                assert!(group[shim].contains(mark), "{}", group[shim]);
            }
        }
    }
}
