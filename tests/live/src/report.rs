//! The report of a series of cold starts: a table in the terminal, and a page with the same and a picture.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};

use crate::clients;
use crate::coldstart::{CLIENTS, Outcome};
use crate::config::Module;
use crate::observe;
use crate::picture;

/// Cold starts of one module with one setting.
pub struct Series {
    /// Which mod_python.
    pub module: Module,
    /// Whether PythonAutoReload was on.
    pub autoreload: bool,
    /// The runs.
    pub runs: Vec<Outcome>,
}

const COLUMNS: [&str; 7] = [
    "module",
    "PythonAutoReload",
    "interpreters per name and process",
    "calls of init per interpreter",
    "loads of the module",
    "answers by status",
    "last client's first answer",
];

impl Series {
    fn cells(&self) -> [String; 7] {
        let answers = observe::outcomes(self.runs.iter().flat_map(|run| &run.answers));
        let crashes: usize = self.runs.iter().map(|run| run.crashes.len()).sum();
        let mut statuses = by_status(&answers);
        if crashes > 0 {
            let _ = write!(statuses, ", crashed children: {crashes}");
        }
        [
            self.module.to_string(),
            if self.autoreload { "on" } else { "off" }.to_owned(),
            self.each(Outcome::interpreters),
            self.each(Outcome::inits),
            self.each(Outcome::loads),
            statuses,
            self.waits(),
        ]
    }

    fn each(&self, count: impl Fn(&Outcome) -> usize) -> String {
        self.runs.iter().map(|run| count(run).to_string()).collect::<Vec<_>>().join(" ")
    }

    fn waits(&self) -> String {
        let mut waits: Vec<f64> =
            self.runs.iter().map(|run| observe::last_first_answer(&run.answers) as f64 / 1e6).collect();
        waits.sort_by(f64::total_cmp);
        match (waits.get(waits.len() / 2), waits.last()) {
            (Some(median), Some(most)) => format!("{median:.2} s (at most {most:.2} s)"),
            _ => String::new(),
        }
    }

    /// The run that represents the others: the median one by its longest wait.
    fn typical(&self) -> Option<&Outcome> {
        let mut runs: Vec<&Outcome> = self.runs.iter().collect();
        runs.sort_by_key(|run| observe::last_first_answer(&run.answers));
        runs.get(runs.len() / 2).copied()
    }
}

fn by_status(answers: &BTreeMap<clients::Outcome, usize>) -> String {
    answers.iter().map(|(outcome, count)| format!("{}: {count}", name(*outcome))).collect::<Vec<_>>().join(", ")
}

/// An outcome's name in tables and legends.
pub fn name(outcome: clients::Outcome) -> String {
    match outcome {
        clients::Outcome::Status(status) => status.to_string(),
        clients::Outcome::TimedOut => "no answer in time".to_owned(),
        clients::Outcome::Broken => "connection broken".to_owned(),
    }
}

/// The table, for a terminal: one block a series, since its lines would be too long for one row.
pub fn terminal(series: &[Series]) -> String {
    let mut text = String::new();
    let width = COLUMNS.iter().map(|column| column.len()).max().unwrap_or(0);
    let rows: Vec<_> = series.iter().map(Series::cells).collect();
    let widths: Vec<usize> = rows.iter().map(|cells| cells.iter().map(String::len).max().unwrap_or(0)).collect();
    for (index, column) in COLUMNS.iter().enumerate() {
        let _ = write!(text, "{column:width$}");
        for (cells, width) in rows.iter().zip(&widths) {
            let _ = write!(text, " | {:width$}", cells[index]);
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        if index == 1 {
            let _ = writeln!(text, "{}", "-".repeat(width + widths.iter().map(|width| width + 3).sum::<usize>()));
        }
    }
    text
}

/// Writes the page, and says where it is.
pub fn write_page(directory: &Path, series: &[Series]) -> Result<PathBuf> {
    fs::create_dir_all(directory)?;
    let path = directory.join("index.html");
    fs::write(&path, page(series))?;
    Ok(path)
}

fn page(series: &[Series]) -> String {
    let with_reload =
        |module| series.iter().find(|series| series.module == module && series.autoreload).and_then(Series::typical);
    let panels: Vec<_> = [Module::Stock, Module::Relinked]
        .into_iter()
        .filter_map(|module| Some((module, with_reload(module)?)))
        .collect();
    let runs = series.first().map_or(0, |series| series.runs.len());
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <title>mod_python, stock and relinked: a cold start</title>\n<style>{STYLE}</style>\n\
         <h1>The first seconds of an Apache with mod_python</h1>\n\
         <p>The server has just started, and {CLIENTS} clients ask at the same moment for a page whose handler takes \
         0.2&nbsp;s to import. One row is one client. The pale bar is its wait for the first answer; every mark after \
         that is an answer.</p>\n{picture}\n\
         <h2>All cold starts</h2>\n\
         <p>{runs} of each kind, in Apache 2.4 with the worker MPM, one process of {CLIENTS} threads. Where a cell has \
         several numbers, each is one cold start.</p>\n{table}\n</html>\n",
        picture = picture::svg(&panels),
        table = table(series),
    )
}

fn table(series: &[Series]) -> String {
    let mut html = String::from("<table>\n<tr>");
    for column in COLUMNS {
        let _ = write!(html, "<th>{column}</th>");
    }
    html.push_str("</tr>\n");
    for series in series {
        let _ = write!(html, "<tr class=\"{}\">", series.module);
        for cell in series.cells() {
            let _ = write!(html, "<td>{cell}</td>");
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table>");
    html
}

const STYLE: &str = "body{font:16px/1.45 system-ui,sans-serif;color:#222;background:#fff;max-width:1120px;\
margin:24px auto;padding:0 16px}h1{font-size:24px;margin:0 0 8px}h2{font-size:19px;margin:28px 0 4px}\
p{margin:0 0 12px}svg{display:block;width:100%;height:auto}table{border-collapse:collapse;font-size:14px}\
th,td{border-bottom:1px solid #ddd;padding:6px 12px 6px 0;text-align:left;vertical-align:top}th{font-weight:600}\
tr.relinked td{background:#f1f8f3}";
