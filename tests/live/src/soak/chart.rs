//! Answers and memory over time, as a picture.

use std::fmt::Write as _;
use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};

use super::run::{Outcome, Soak};

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const HEIGHT: f64 = 130.0;
const GAP: f64 = 50.0;
const TOP: f64 = 40.0;

const GOOD: &str = "#2c9a52";
const BAD: &str = "#d02030";
const MEMORY: &str = "#1f5fbf";

/// Writes one picture for each MPM, stock above and relinked below, and the error log of each run; says where the
/// pictures are.
pub fn write(directory: &Path, subject: &str, runs: &[(Soak, Outcome)]) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(directory)?;
    let mut written = Vec::new();
    for (soak, outcome) in runs {
        fs::write(directory.join(format!("{subject}-{}-{}.log", soak.mpm, soak.module)), &outcome.log)?;
        let path = directory.join(format!("{subject}-{}.svg", soak.mpm));
        if !written.contains(&path) {
            let these: Vec<_> = runs.iter().filter(|(other, _)| other.mpm == soak.mpm).collect();
            fs::write(&path, svg(&these))?;
            written.push(path);
        }
    }
    Ok(written)
}

fn svg(runs: &[&(Soak, Outcome)]) -> String {
    let total = TOP + runs.len() as f64 * 2.0 * (HEIGHT + GAP);
    let span = runs.iter().map(|(_, outcome)| outcome.took.as_secs_f64()).fold(1.0, f64::max);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {total}\" \
         font-family=\"system-ui,sans-serif\" font-size=\"13\" role=\"img\" \
         aria-label=\"Answers and memory over time\">\n"
    );
    for (index, (soak, outcome)) in runs.iter().enumerate() {
        let top = TOP + index as f64 * 2.0 * (HEIGHT + GAP);
        let seconds = &outcome.tally.seconds;
        let points = |value: fn(&(usize, usize)) -> usize| {
            seconds.iter().enumerate().map(|(second, counts)| (second as f64, value(counts) as f64)).collect::<Vec<_>>()
        };
        let title = format!("{}, {}: answers per second, bad ones red", soak.module, soak.mpm);
        let most = points(|counts| counts.0.max(counts.1)).iter().map(|point| point.1).fold(1.0, f64::max);
        let mut panel = Panel { svg: &mut svg, top, span, most };
        panel.frame(&title);
        panel.line(&points(|counts| counts.0), GOOD);
        panel.line(&points(|counts| counts.1), BAD);
        memory(&mut svg, top + HEIGHT + GAP, span, outcome);
    }
    svg.push_str("</svg>\n");
    svg
}

fn memory(svg: &mut String, top: f64, span: f64, outcome: &Outcome) {
    let lines: Vec<Vec<_>> = outcome
        .children
        .iter()
        .map(|child| {
            let of =
                |sample: &super::memory::Sample| (sample.at.as_secs_f64(), sample.bytes as f64 / f64::from(1 << 20));
            child.samples.iter().map(of).collect()
        })
        .collect();
    let most = lines.iter().flatten().map(|point: &(f64, f64)| point.1).fold(1.0, f64::max);
    let mut panel = Panel { svg, top, span, most };
    panel.frame("private memory of the serving child in MiB, a line for each child");
    for line in &lines {
        panel.line(line, MEMORY);
    }
}

struct Panel<'a> {
    svg: &'a mut String,
    top: f64,
    /// Seconds from left to right.
    span: f64,
    /// The value at the top.
    most: f64,
}

impl Panel<'_> {
    fn frame(&mut self, title: &str) {
        let (top, bottom, right) = (self.top, self.top + HEIGHT, WIDTH - RIGHT);
        let _ = writeln!(
            self.svg,
            "<text x=\"{LEFT}\" y=\"{:.0}\" fill=\"#111\">{title}</text>\
             <path d=\"M{LEFT} {top}V{bottom}H{right}\" stroke=\"#888\" fill=\"none\"/>\
             <text x=\"{x}\" y=\"{:.0}\" text-anchor=\"end\" fill=\"#555\">{:.0}</text>\
             <text x=\"{x}\" y=\"{bottom}\" text-anchor=\"end\" fill=\"#555\">0</text>\
             <text x=\"{right}\" y=\"{:.0}\" text-anchor=\"end\" fill=\"#555\">{:.0} s</text>",
            top - 8.0,
            top + 10.0,
            self.most,
            bottom + 16.0,
            self.span,
            x = LEFT - 6.0,
        );
    }

    fn line(&mut self, points: &[(f64, f64)], colour: &str) {
        let mut path = String::new();
        for (index, (at, value)) in points.iter().enumerate() {
            let x = LEFT + at / self.span * (WIDTH - LEFT - RIGHT);
            let y = self.top + HEIGHT * (1.0 - value / self.most);
            let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
        }
        let _ = writeln!(self.svg, "<path d=\"{path}\" stroke=\"{colour}\" fill=\"none\"/>");
    }
}
