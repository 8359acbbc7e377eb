//! The code of mod_python.c that the macros of after.h rely on, besides the functions of the interpreter path: a macro
//! that changes a call in a way that the code around it does not expect crashes each request, and no compiler says so.
//!
//! `patches/grounds` has the table; a tree in which a macro's ground is missing is refused.

use super::release_line::ReleaseLine;

/// One line of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Ground {
    /// The release lines whose macro it is, each as the table has it.
    release_lines: Vec<ReleaseLine>,
    /// The number of times the code may have the text.
    count: Count,
    /// The macro, by the call that it changes.
    pub call: &'static str,
    /// The text to look for in the code, blanks aside.
    text: &'static str,
    /// The consequence if the count is another.
    reason: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    Never,
    Once,
    AtLeastOnce,
    /// Its lines are recorded, however many they are.
    Any,
}

/// One ground as it was found: the call, and the lines (from one) that have its text.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    pub call: &'static str,
    pub lines: Vec<usize>,
}

const TABLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../patches/grounds"));

/// Their lines in the releases of the patch set.
const PLACES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../patches/places"));

/// The grounds of all release lines. A line of the table that cannot be read is left out, which a test rules out.
fn table() -> Vec<Ground> {
    rows(TABLE).filter_map(Ground::parse).collect()
}

fn rows(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The grounds as they were found in a release of the patch set.
pub fn recorded(release: &str) -> Vec<Found> {
    let of_release = rows(PLACES).filter_map(|line| {
        let mut columns = line.split('|').map(str::trim);
        let (version, call, lines) = (columns.next()?, columns.next()?, columns.next()?);
        let lines = lines.split(' ').filter_map(|line| line.parse().ok()).collect();
        (version == release).then_some(Found { call, lines })
    });
    of_release.collect()
}

impl Ground {
    fn parse(line: &'static str) -> Option<Ground> {
        let mut columns = line.split('|').map(str::trim);
        let release_lines = columns.next()?.split(' ').map(release_line).collect::<Option<_>>()?;
        let count = match columns.next()? {
            "never" => Count::Never,
            "once" => Count::Once,
            "at least once" => Count::AtLeastOnce,
            "any" => Count::Any,
            _ => return None,
        };
        let (call, text, reason) = (columns.next()?, columns.next()?, columns.next()?);
        (columns.next().is_none() && !text.is_empty()).then_some(Ground { release_lines, count, call, text, reason })
    }

    /// The numbers of the lines that have the text.
    fn find(&self, code: &[String]) -> Vec<usize> {
        let wanted = squeezed(self.text);
        (1..).zip(code).filter(|(_, line)| line.contains(&wanted)).map(|(number, _)| number).collect()
    }
}

/// As the table names them.
fn release_line(name: &str) -> Option<ReleaseLine> {
    Some(match name {
        "3.1" => ReleaseLine::V31,
        "3.2.0-8" => ReleaseLine::V32Early,
        "3.2" => ReleaseLine::V32,
        "3.3" => ReleaseLine::V33,
        "3.4" => ReleaseLine::V34,
        "3.5" => ReleaseLine::V35,
        _ => return None,
    })
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

/// The lines of a file without blanks, and without what is commented out.
fn code(content: &[u8]) -> Vec<String> {
    let mut inside = false;
    let text = String::from_utf8_lossy(content);
    let line = |line: &str| {
        let (mut rest, mut kept) = (line, String::new());
        loop {
            let (before, after) = match rest.split_once(if inside { "*/" } else { "/*" }) {
                Some((before, after)) => (before, Some(after)),
                None => (rest, None),
            };
            if !inside {
                kept.push_str(before);
            }
            match after {
                Some(after) => (rest, inside) = (after, !inside),
                None => return squeezed(&kept),
            }
        }
    };
    text.lines().map(line).collect()
}

/// Looks for every ground of a release line in a mod_python.c.
///
/// # Errors
/// The first that is missing, to be read after the file's name.
pub fn find(release_line: ReleaseLine, content: &[u8]) -> Result<Vec<Found>, String> {
    let code = code(content);
    let mut found = Vec::new();
    for ground in table().into_iter().filter(|ground| ground.release_lines.contains(&release_line)) {
        let lines = ground.find(&code);
        let holds = match ground.count {
            Count::Never => lines.is_empty(),
            Count::Once => lines.len() == 1,
            Count::AtLeastOnce => !lines.is_empty(),
            Count::Any => true,
        };
        if !holds {
            let Ground { call, text, reason, .. } = ground;
            let places: Vec<String> = lines.iter().map(usize::to_string).collect();
            let lines = match &places[..] {
                [] => "is nowhere in it".to_owned(),
                _ => format!("is at line {}", places.join(" and ")),
            };
            return Err(format!("not what the macro for {call} is made for: {reason} (\"{text}\" {lines})"));
        }
        found.push(Found { call: ground.call, lines });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [ReleaseLine; 6] = [
        ReleaseLine::V31,
        ReleaseLine::V32Early,
        ReleaseLine::V32,
        ReleaseLine::V33,
        ReleaseLine::V34,
        ReleaseLine::V35,
    ];

    #[test]
    fn every_line_of_the_table_can_be_read() {
        assert_eq!(table().len(), rows(TABLE).count());
        for release_line in ALL {
            assert!(table().iter().any(|ground| ground.release_lines.contains(&release_line)), "{release_line:?}");
        }
    }

    /// A macro that nobody has looked for in the sources is one that nobody has checked.
    #[test]
    fn every_call_that_the_header_changes_has_a_ground() {
        let header = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../capi/include/modpython-core/after.h"));
        let path =
            ["get_interpreter", "release_interpreter", "save_interpreter", "make_interpreter", "make_obcallback"];
        let table = table();
        let mut seen = 0;
        for name in header.lines().filter_map(|line| line.strip_prefix("#define ")) {
            let name = name.split(['(', ' ']).next().expect("a name");
            if name.starts_with("MPC_") || name.starts_with("MODPYTHON_") || path.contains(&name) {
                continue;
            }
            seen += 1;
            let name = if name == "PyOS_AfterFork_Child" { "PyOS_AfterFork" } else { name };
            assert!(table.iter().any(|ground| ground.call == name), "{name} has no ground in patches/grounds");
        }
        assert!(seen >= 8, "{seen}");
    }

    #[test]
    fn every_release_of_the_set_has_its_places() {
        for release in super::super::releases::RELEASES {
            let release_line = ReleaseLine::of(release.version).expect(release.version);
            let recorded: Vec<_> = recorded(release.version).iter().map(|found| found.call).collect();
            let table = table();
            let wanted: Vec<_> = table
                .iter()
                .filter(|ground| ground.release_lines.contains(&release_line))
                .map(|ground| ground.call)
                .collect();
            assert_eq!(recorded, wanted, "{}", release.version);
        }
    }

    #[test]
    fn what_is_commented_out_is_no_code() {
        let lines = code(b"a /* b\n c */ d /* e */ f\ng");
        assert_eq!(lines, ["a", "df", "g"]);
    }

    #[test]
    fn a_ground_that_is_missing_or_forbidden_is_said() {
        let core = "Py_Initialize();\n";
        let refused = find(ReleaseLine::V31, core.as_bytes()).expect_err("there is more to it");
        assert!(refused.contains("not what the macro for") && refused.contains("is nowhere in it"), "{refused}");
    }
}
