//! The report of soak runs, as text.

use std::fmt::Write as _;

use super::run::{ENOUGH, Outcome, Soak};
use crate::report::name;

/// Children of which the memory is shown.
const CHILDREN: usize = 12;

/// One block for all runs, a column each, and below it what was bad.
pub fn terminal(runs: &[(Soak, Outcome)]) -> String {
    let mut rows: Vec<(String, Vec<String>)> = vec![
        row("module", runs, |soak, _| soak.module.to_string()),
        row("MPM", runs, |soak, _| soak.mpm.to_string()),
        row("time", runs, |_, outcome| format!("{:.0} s", outcome.took.as_secs_f64())),
        row("requests", runs, |_, outcome| outcome.tally.all().requests().to_string()),
        row("right answers", runs, |_, outcome| outcome.tally.all().right.to_string()),
        row("wrong content", runs, |_, outcome| outcome.tally.all().wrong.to_string()),
        row("unexpected status", runs, |_, outcome| outcome.tally.all().status.to_string()),
        row("broken connections", runs, |_, outcome| outcome.tally.all().broken.to_string()),
        row("too late", runs, |_, outcome| outcome.tally.all().late.to_string()),
        row("clients that hung up", runs, |_, outcome| outcome.tally.all().left.to_string()),
        row("crashes", runs, |_, outcome| outcome.crashes.len().to_string()),
        row("hangs", runs, |_, outcome| outcome.hangs.len().to_string()),
        row("graceful restarts", runs, |_, outcome| outcome.restarts.to_string()),
        row("SIGKILLs", runs, |_, outcome| outcome.kills.to_string()),
        row("longest stop", runs, |_, outcome| format!("{:.2} s", outcome.stop.as_secs_f64())),
        row("MiB per 100,000", runs, |_, outcome| {
            let growth = outcome.growth();
            let of = format!("of {:.0} requests", growth.requests);
            growth
                .rate(ENOUGH)
                .map_or(format!("too few requests, {:.0}", growth.requests), |rate| format!("{rate:+.2} {of}"))
        }),
    ];
    let mut statuses: Vec<_> = runs.iter().flat_map(|(_, outcome)| outcome.tally.outcomes.keys().copied()).collect();
    statuses.sort_unstable();
    statuses.dedup();
    for status in statuses {
        rows.push(row(&format!("answers: {}", name(status)), runs, |_, outcome| {
            outcome.tally.outcomes.get(&status).copied().unwrap_or_default().to_string()
        }));
    }
    let mut kinds: Vec<_> = runs.iter().flat_map(|(_, outcome)| outcome.tally.kinds.keys().copied()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        rows.push(row(&format!("bad: {kind}"), runs, |_, outcome| {
            let counts = outcome.tally.kinds.get(kind).copied().unwrap_or_default();
            format!("{} of {}", counts.bad(), counts.requests())
        }));
    }
    let mut text = aligned(&rows);
    for (soak, outcome) in runs {
        details(&mut text, soak, outcome);
    }
    text
}

fn row(label: &str, runs: &[(Soak, Outcome)], cell: impl Fn(&Soak, &Outcome) -> String) -> (String, Vec<String>) {
    (label.to_owned(), runs.iter().map(|(soak, outcome)| cell(soak, outcome)).collect())
}

fn aligned(rows: &[(String, Vec<String>)]) -> String {
    let columns = rows.first().map_or(0, |(_, cells)| cells.len());
    let label = rows.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    let widths: Vec<_> =
        (0..columns).map(|index| rows.iter().map(|(_, cells)| cells[index].len()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for (index, (name, cells)) in rows.iter().enumerate() {
        let _ = write!(text, "{name:label$}");
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(text, " | {cell:>width$}");
        }
        text.push('\n');
        if index == 1 {
            let _ = writeln!(text, "{}", "-".repeat(label + widths.iter().map(|width| width + 3).sum::<usize>()));
        }
    }
    text
}

fn details(text: &mut String, soak: &Soak, outcome: &Outcome) {
    let _ = writeln!(text, "\n{}, {}:", soak.module, soak.mpm);
    let children: Vec<_> = outcome.children.iter().filter(|child| !child.samples.is_empty()).collect();
    let shown: Vec<_> = children
        .iter()
        .take(CHILDREN)
        .map(|child| {
            let (first, last) = child.ends();
            format!("{first:.1} to {last:.1}")
        })
        .collect();
    let more =
        if children.len() > CHILDREN { format!(" and {} more", children.len() - CHILDREN) } else { String::new() };
    let _ = writeln!(text, "  children, private memory in MiB: {}{more}", shown.join(", "));
    for (line, count) in &outcome.lines {
        let _ = writeln!(text, "  logged {count} times: {line}");
    }
    for hang in &outcome.hangs {
        let _ = writeln!(text, "  hang: {hang}");
    }
    for crash in outcome.crashes.iter().take(3) {
        let _ = writeln!(text, "  crash: {crash}");
    }
    for example in &outcome.tally.examples {
        let _ = writeln!(text, "  bad: {example}");
    }
}
