//! Lines added to a file, and the unified diff that says so. Nothing here can remove a line.

use std::ops::Range;

/// The lines of a file, each with its end.
pub fn lines(content: &[u8]) -> Vec<&[u8]> {
    content.split_inclusive(|byte| *byte == b'\n').collect()
}

/// A line without its end.
pub fn text(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Lines that go in at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// The number of the file's lines before them.
    pub after: usize,
    /// The lines, without their ends.
    pub lines: Vec<String>,
}

impl Addition {
    pub fn new(after: usize, lines: &[&str]) -> Addition {
        Addition { after, lines: lines.iter().map(|line| (*line).to_owned()).collect() }
    }
}

/// The additions to one file of a tree.
#[derive(Debug)]
pub struct Edit {
    /// The file, seen from the tree's top.
    pub path: &'static str,
    /// Its content before.
    pub before: Vec<u8>,
    /// In the order of their places, one for a place.
    pub additions: Vec<Addition>,
}

impl Edit {
    /// The number of added lines.
    pub fn added(&self) -> usize {
        self.additions.iter().map(|addition| addition.lines.len()).sum()
    }

    /// The end that lines have at a place: a file from Windows keeps its own.
    fn end(lines: &[&[u8]], after: usize) -> &'static str {
        let neighbour = lines.get(after.saturating_sub(1)).copied().unwrap_or_default();
        if neighbour.ends_with(b"\r\n") { "\r\n" } else { "\n" }
    }

    /// The content with the lines in it.
    pub fn after(&self) -> Vec<u8> {
        let lines = lines(&self.before);
        let mut content = Vec::with_capacity(self.before.len() + 256);
        let mut copied = 0;
        for addition in &self.additions {
            content.extend(lines[copied..addition.after].concat());
            copied = addition.after;
            for line in &addition.lines {
                content.extend_from_slice(line.as_bytes());
                content.extend_from_slice(Self::end(&lines, addition.after).as_bytes());
            }
        }
        content.extend(lines[copied..].concat());
        content
    }

    /// The unified diff, with so many lines of the file around what is added.
    pub fn diff(&self, context: usize) -> Vec<u8> {
        let lines = lines(&self.before);
        let mut diff = format!("--- a/{0}\n+++ b/{0}\n", self.path).into_bytes();
        let (mut next, mut added) = (0, 0);
        while next < self.additions.len() {
            let around = |at: usize| at.saturating_sub(context)..(at + context).min(lines.len());
            let mut old = around(self.additions[next].after);
            let first = next;
            next += 1;
            // Additions close to each other make one hunk: patch(1) and git refuse hunks that overlap.
            while self.additions.get(next).is_some_and(|more| around(more.after).start <= old.end) {
                old.end = around(self.additions[next].after).end;
                next += 1;
            }
            let hunk = &self.additions[first..next];
            let more: usize = hunk.iter().map(|addition| addition.lines.len()).sum();
            diff.extend(
                format!("@@ -{} +{} @@\n", range(&old), range(&(old.start + added..old.end + added + more)))
                    .into_bytes(),
            );
            added += more;
            Self::body(&mut diff, &lines, old, hunk);
        }
        diff
    }

    fn body(diff: &mut Vec<u8>, lines: &[&[u8]], old: Range<usize>, hunk: &[Addition]) {
        let mut additions = hunk.iter().peekable();
        for at in old.start..=old.end {
            while let Some(addition) = additions.next_if(|addition| addition.after == at) {
                for line in &addition.lines {
                    diff.extend(format!("+{line}{}", Self::end(lines, at)).into_bytes());
                }
            }
            if at < old.end {
                diff.push(b' ');
                diff.extend_from_slice(lines[at]);
                if !lines[at].ends_with(b"\n") {
                    diff.extend_from_slice(b"\n\\ No newline at end of file\n");
                }
            }
        }
    }
}

/// Lines as a hunk's head has them: the first, counted from one, and how many; of none, the one before.
fn range(lines: &Range<usize>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => (lines.start + 1).to_string(),
        count => format!("{},{count}", lines.start + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(before: &str, additions: &[(usize, &[&str])]) -> Edit {
        let additions = additions.iter().map(|(after, lines)| Addition::new(*after, lines)).collect();
        Edit { path: "f", before: before.into(), additions }
    }

    fn diff(edit: &Edit, context: usize) -> String {
        String::from_utf8(edit.diff(context)).unwrap()
    }

    #[test]
    fn a_diff_without_context_has_added_lines_alone() {
        let edit = edit("a\nb\nc\n", &[(1, &["x"]), (3, &["y", "z"])]);
        assert_eq!(edit.after(), b"a\nx\nb\nc\ny\nz\n");
        assert_eq!(diff(&edit, 0), "--- a/f\n+++ b/f\n@@ -1,0 +2 @@\n+x\n@@ -3,0 +5,2 @@\n+y\n+z\n");
    }

    #[test]
    fn places_whose_context_meets_are_one_hunk() {
        let edit = edit("a\nb\nc\nd\n", &[(1, &["x"]), (3, &["y"])]);
        assert_eq!(diff(&edit, 1), "--- a/f\n+++ b/f\n@@ -1,4 +1,6 @@\n a\n+x\n b\n c\n+y\n d\n");
    }

    #[test]
    fn lines_before_the_first_and_after_the_last() {
        let edit = edit("a\n", &[(0, &["x"]), (1, &["y"])]);
        assert_eq!(edit.after(), b"x\na\ny\n");
        assert_eq!(diff(&edit, 3), "--- a/f\n+++ b/f\n@@ -1 +1,3 @@\n+x\n a\n+y\n");
    }

    #[test]
    fn a_file_of_windows_gets_lines_of_windows() {
        let edit = edit("a\r\nb\r\n", &[(1, &["x"])]);
        assert_eq!(edit.after(), b"a\r\nx\r\nb\r\n");
    }

    #[test]
    fn a_last_line_without_an_end_is_told_as_diff_tells_it() {
        let edit = edit("a\nb", &[(1, &["x"])]);
        assert_eq!(diff(&edit, 3), "--- a/f\n+++ b/f\n@@ -1,2 +1,3 @@\n a\n+x\n b\n\\ No newline at end of file\n");
    }
}
