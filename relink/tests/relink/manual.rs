//! The man page tells what `--help` tells: every option and exit code, both ways, and the version of the package.

use std::collections::BTreeSet;

use crate::run::Workspace;

const PAGE: &str = include_str!("../../../docs/modpython-relink.1");

/// The long options in a text.
fn options(text: &str) -> BTreeSet<String> {
    let starts = text.match_indices("--").map(|(at, _)| &text[at..]);
    let names = starts.map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(rest.len());
        rest[..end].trim_end_matches('-').to_owned()
    });
    names.filter(|name| name.len() > 3).collect()
}

/// (exit code, word) of the help's list.
fn endings(help: &str) -> BTreeSet<(String, String)> {
    let lines = help.lines().skip_while(|line| !line.starts_with("Exit codes"));
    let fields = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields
        .filter(|fields| fields.len() > 2 && fields[0].parse::<u8>().is_ok())
        .map(|fields| (fields[0].to_owned(), fields[1].to_owned()))
        .collect()
}

/// The page without roff's escapes.
fn page() -> String {
    PAGE.replace("\\-", "-").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "").replace("\\&", "")
}

#[test]
fn every_option_of_the_help_is_in_the_man_page_and_the_reverse() {
    let mut of_help = BTreeSet::new();
    for arguments in [&["--help"][..], &["patch", "--help"], &["doctor", "--help"]] {
        let help = Workspace::new().run_bare(arguments);
        of_help.extend(options(&help.assert_exit(0).stdout));
    }
    assert!(of_help.contains("--in-place") && of_help.contains("--json"), "{of_help:?}");
    let page = page();
    let (_, of_options) = page.split_once(".SH OPTIONS").expect("a section OPTIONS");
    let (of_options, _) = of_options.split_once(".SH").unwrap();
    let heads: String = of_options
        .lines()
        .filter(|line| line.starts_with(".BR") || line.starts_with(".B "))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(options(&heads), of_help);
    // An option that is only mentioned elsewhere must exist as well; other programs' options are named here.
    let foreign = ["--reinstall", "--divert", "--rename", "--add", "--cflags", "--libs"].map(str::to_owned);
    let strangers: Vec<String> =
        options(&page).into_iter().filter(|name| !of_help.contains(name) && !foreign.contains(name)).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}

#[test]
fn every_exit_code_of_the_help_is_in_the_man_page_and_the_reverse() {
    let help = Workspace::new().run_bare(&["--help"]).stdout;
    let of_help = endings(&help);
    assert!(of_help.contains(&("29".to_owned(), "layout".to_owned())), "{of_help:?}");
    let page = page();
    let (_, status) = page.split_once(".SH \"EXIT STATUS\"").expect("a section EXIT STATUS");
    let (status, _) = status.split_once(".SH").unwrap();
    // .TP, then `.B 22 damaged`.
    let of_page: BTreeSet<(String, String)> = status
        .lines()
        .filter_map(|line| line.strip_prefix(".B "))
        .map(|line| {
            let (code, word) = line.split_once(' ').unwrap();
            (code.to_owned(), word.to_owned())
        })
        .collect();
    assert_eq!(of_page, of_help);
}

#[test]
fn the_man_page_has_the_packages_version() {
    let title = PAGE.lines().find(|line| line.starts_with(".TH")).expect("a title line");
    assert!(title.contains(&format!("\"modpython-core {}\"", env!("CARGO_PKG_VERSION"))), "{title}");
    let version = Workspace::new().run_bare(&["--version"]).stdout;
    assert_eq!(version.trim(), format!("modpython-relink {}", env!("CARGO_PKG_VERSION")));
}
