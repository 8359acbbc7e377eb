//! SECURITY.md names a test for each of its claims; the tests are there.

use std::fs;
use std::path::Path;

const PAGE: &str = include_str!("../../../SECURITY.md");

#[test]
fn each_claim_names_tests_that_there_are() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/relink");
    let rows = PAGE.lines().filter(|line| line.starts_with("| ")).skip(1);
    let (mut claims, mut named) = (0, 0);
    for row in rows {
        claims += 1;
        let columns: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(columns.len(), 4, "{row}");
        for test in columns[3].split(", ").filter(|test| !test.is_empty()) {
            let (module, function) = test.trim_matches('`').split_once("::").unwrap_or_else(|| panic!("{test}"));
            let source = fs::read_to_string(tests.join(format!("{module}.rs"))).unwrap();
            assert!(source.contains(&format!("#[test]\nfn {function}()")), "{test} is no test");
            named += 1;
        }
        assert!(!columns[3].is_empty(), "{row}");
    }
    assert!(claims >= 10 && named >= claims, "{claims} claims, {named} tests");
}

#[test]
fn the_environment_is_not_read() {
    fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
    }
    let all = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(all.len() > 20);
    for path in all {
        let source = fs::read_to_string(&path).unwrap();
        assert!(!source.contains("env::var") && !source.contains("env::home"), "{}", path.display());
    }
}

/// Every input in fuzz/corpus: findings stay found.
#[test]
fn every_input_of_the_fuzz_targets_is_taken() {
    use modpython_relink::probe;
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let inputs = |target: &str| -> Vec<Vec<u8>> {
        let entries = fs::read_dir(corpus.join(target)).unwrap();
        entries.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
    };
    let mut relinked = 0;
    for input in inputs("elf") {
        probe::read(&input);
        relinked += usize::from(probe::relink(&input, crate::craft::LIBRARY, "/opt/lib").is_ok());
    }
    assert!(relinked >= 2, "the modules in the corpus are none any more");
    for input in inputs("anchors") {
        probe::patch(input[0], input[1], &input[2..]);
    }
    inputs("names").iter().for_each(|input| probe::names(input));
}
