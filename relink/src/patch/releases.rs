//! The patch set: for each release, the diffs of the folder `patches`, which say for exactly which files they are.

use super::edit::Addition;

/// One diff of the set: added lines alone, and no line of the file around them.
#[derive(Debug)]
pub struct Shipped {
    /// The file, seen from the tree's top.
    pub path: String,
    /// The SHA-256 of the file that it is for.
    pub before: String,
    /// The SHA-256 of what comes out.
    pub after: String,
    pub additions: Vec<Addition>,
}

/// The diffs of one release.
#[derive(Debug)]
pub struct Release {
    pub version: &'static str,
    pub diffs: &'static [&'static str],
}

macro_rules! releases {
    ($($version:literal: $($file:literal),+;)+) => {
        &[$(Release {
            version: $version,
            diffs: &[$(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../patches/", $version, "/", $file, ".diff"))),+],
        }),+]
    };
}

/// 3.1.4 is not among them, since nobody here has its source. Releases with the same three files are there once: 3.0.2
/// to 3.0.4, 3.2.6 to 3.2.8, 3.2.9 and 3.2.10, 3.3.0b and 3.3.1, 3.5.0.5 and the newest master.
pub const RELEASES: &[Release] = releases! {
    "3.0.1": "mod_python.c", "apache.py", "Makefile.in";
    "3.0.4": "mod_python.c", "apache.py", "Makefile.in";
    "3.1.3": "mod_python.c", "apache.py", "Makefile.in";
    "3.2.8": "mod_python.c", "apache.py", "Makefile.in";
    "3.2.10": "mod_python.c", "apache.py", "Makefile.in";
    "3.3.1": "mod_python.c", "Makefile.in";
    "3.4.1": "mod_python.c", "apache.py", "Makefile.in";
    "3.5.0": "mod_python.c", "apache.py", "Makefile.in";
    "3.5.0.1": "mod_python.c", "apache.py", "Makefile.in";
    "3.5.0.2": "mod_python.c", "apache.py", "Makefile.in";
    "3.5.0.3": "mod_python.c", "apache.py", "Makefile.in";
    "3.5.0.4": "mod_python.c", "apache.py", "Makefile.in";
    "3.5.0.5": "mod_python.c", "apache.py", "Makefile.in";
};

impl Release {
    /// Its diffs. None of them if one is damaged, which a test of the set rules out.
    pub fn parsed(&self) -> Option<Vec<Shipped>> {
        self.diffs.iter().map(|text| Shipped::parse(text)).collect()
    }
}

/// The words before a sum in the head of a diff.
pub const SUM_BEFORE: &str = "sha256 before: ";
pub const SUM_AFTER: &str = "sha256 after:  ";

impl Shipped {
    fn parse(text: &str) -> Option<Shipped> {
        let value = |head: &str| text.lines().find_map(|line| line.strip_prefix(head)).map(str::to_owned);
        let mut additions: Vec<Addition> = Vec::new();
        for line in text.lines().skip_while(|line| !line.starts_with("+++ ")).skip(1) {
            if let Some(head) = line.strip_prefix("@@ -") {
                let (after, _) = head.split_once(",0 +")?;
                additions.push(Addition { after: after.parse().ok()?, lines: Vec::new() });
            } else {
                additions.last_mut()?.lines.push(line.strip_prefix('+')?.to_owned());
            }
        }
        Some(Shipped { path: value("+++ b/")?, before: value(SUM_BEFORE)?, after: value(SUM_AFTER)?, additions })
    }
}

#[cfg(test)]
mod tests {
    use super::super::anchors::Target;
    use super::*;

    #[test]
    fn every_diff_of_the_set_adds_the_lines_of_the_generator_and_no_more() {
        for release in RELEASES {
            for diff in release.parsed().expect(release.version) {
                let targets = [Target::ModPython, Target::Apache, Target::Makefile];
                let target = targets.into_iter().find(|target| target.path() == diff.path).expect(&diff.path);
                let at_most = if target == Target::Apache { 3 } else { 2 };
                let lines: Vec<_> = diff.additions.iter().map(|addition| addition.lines.clone()).collect();
                assert!(lines.concat().len() <= at_most, "{}: {lines:?}", release.version);
                assert!(lines.iter().all(|group| target.groups().contains(group)), "{}: {lines:?}", release.version);
                for sum in [&diff.before, &diff.after] {
                    assert!(sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()), "{sum}");
                }
            }
        }
    }

    #[test]
    fn a_diff_with_a_removed_line_or_a_line_of_the_file_is_none_of_the_set() {
        let head = "sha256 before: 0\nsha256 after:  1\n--- a/f\n+++ b/f\n@@ -1,0 +2 @@\n";
        assert!(Shipped::parse(&format!("{head}+x\n")).is_some());
        assert!(Shipped::parse(&format!("{head}+x\n-y\n")).is_none());
        assert!(Shipped::parse(&format!("{head}+x\n y\n")).is_none());
        assert!(Shipped::parse(&format!("{}+x\n", head.replace(",0", ""))).is_none());
    }
}
