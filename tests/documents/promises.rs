//! The promises of docs/promises.md: numbered without a gap, each with tests that exist; every cited code is in it.

use crate::sources;
use std::{collections::BTreeSet, fs, path::Path};

const PAGE: &str = "docs/promises.md";

/// A row of the page: its number, what it says, and its tests.
struct Promise {
    code: String,
    says: String,
    tests: Vec<String>,
}

fn promises() -> Vec<Promise> {
    let page = fs::read_to_string(sources::root().join(PAGE)).expect("the promises");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = rows.map(|row| row.split(" | ").collect::<Vec<_>>()).filter(|columns| is_code(columns[0]));
    rows.map(|columns| {
        let [code, says, tests] = columns[..] else { panic!("{PAGE}: {columns:?} are not three columns") };
        let tests = tests.split(", ").map(|test| test.trim_matches('`').to_owned()).collect();
        Promise { code: code.to_owned(), says: says.to_owned(), tests }
    })
    .collect()
}

/// Is this word the number of a promise, as R1 or I16?
fn is_code(word: &str) -> bool {
    let number = word.strip_prefix(['R', 'I']).unwrap_or_default();
    (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Does the file have a test of that name? In Rust a function or a word in a list of scenarios, in Python a function.
fn has_test(file: &Path, name: &str) -> bool {
    let Ok(text) = fs::read_to_string(file) else { return false };
    text.lines().map(str::trim).any(|line| {
        let function = line.strip_prefix("fn ").or_else(|| line.strip_prefix("def "));
        line == name || function.and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| rest.starts_with('('))
    })
}

#[test]
fn no_number_is_missing_or_double() {
    let promises = promises();
    for letter in ["R", "I"] {
        let codes: Vec<&str> =
            promises.iter().map(|promise| &*promise.code).filter(|code| code.starts_with(letter)).collect();
        let wanted: Vec<String> = (1..=codes.len()).map(|number| format!("{letter}{number}")).collect();
        assert_eq!(codes, wanted, "{PAGE}");
        assert!(codes.len() >= 13, "{PAGE} has only {} of {letter}", codes.len());
    }
}

#[test]
fn each_promise_names_tests_that_there_are() {
    for Promise { code, says, tests } in promises() {
        assert!(says.split_whitespace().count() > 5, "{code} says nothing: {says}");
        for test in tests {
            let (file, name) = test.rsplit_once("::").unwrap_or_else(|| panic!("{code}: {test} is not FILE::TEST"));
            assert!(has_test(&sources::root().join(file), name), "{code}: {test} is no test");
        }
    }
}

#[test]
fn what_the_sources_cite_is_promised() {
    let promised: BTreeSet<String> = promises().into_iter().map(|promise| promise.code).collect();
    let mut cited = 0;
    for (folder, extension) in [("src", "rs"), ("tests", "rs"), ("tests", "py"), ("python", "py")] {
        for (path, text) in sources::with_extension(folder, extension) {
            // In brackets, as (R1) or (R1, R2) or (R1-R5): registers and the like have such names too.
            for cite in text.split('(').skip(1).filter_map(|rest| rest.split(')').next()) {
                let words: Vec<&str> = cite.split([',', '-']).map(str::trim).collect();
                if words.iter().all(|word| is_code(word)) {
                    for word in words {
                        assert!(promised.contains(word), "{word} in {} is not in {PAGE}", path.display());
                        cited += 1;
                    }
                }
            }
        }
    }
    assert!(cited > 40, "only {cited} citations were found");
}
