//! The picture of a cold start: a row for each client, time from left to right, stock above and relinked below.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::clients::{self, Answer};
use crate::coldstart::{CLIENTS, Outcome};
use crate::config::Module;
use crate::observe;
use crate::report::name;

const WIDTH: f64 = 1080.0;
/// Room for the names of the rows.
const LEFT: f64 = 118.0;
const RIGHT: f64 = 16.0;
const ROW: f64 = 7.0;
const LEGEND: f64 = 28.0;
/// Headline, and the two rows of events.
const HEAD: f64 = 80.0;
const AXIS: f64 = 40.0;
/// Answers of one row that end on the same half pixel are one mark.
const MARK: f64 = 1.0;

const INTERPRETER: &str = "#e07b00";
const LOAD: &str = "#7b3fb5";
const WAITING: &str = "#cfd6de";

fn colour(outcome: clients::Outcome) -> &'static str {
    match outcome {
        clients::Outcome::Status(200) => "#2c9a52",
        clients::Outcome::Status(_) => "#d02030",
        clients::Outcome::TimedOut => "#444444",
        clients::Outcome::Broken => "#1f5fbf",
    }
}

/// The panels, one below the other, on one time axis.
pub fn svg(panels: &[(Module, &Outcome)]) -> String {
    let height = HEAD + ROW * CLIENTS as f64 + AXIS;
    let total = LEGEND + height * panels.len() as f64;
    let span = panels
        .iter()
        .flat_map(|(_, outcome)| &outcome.answers)
        .map(|answer| answer.end as f64 / 1e6)
        .fold(0.1, f64::max);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {total}\" font-family=\"system-ui,sans-serif\" \
         font-size=\"13\" role=\"img\" aria-label=\"Answers over time by status, stock above, relinked below\">\n"
    );
    legend(&mut svg, panels);
    for (index, (module, outcome)) in panels.iter().enumerate() {
        let top = LEGEND + height * index as f64;
        let scale = (WIDTH - LEFT - RIGHT) / span;
        Panel { svg: &mut svg, top, scale, span }.draw(*module, outcome);
    }
    svg.push_str("</svg>");
    svg
}

fn legend(svg: &mut String, panels: &[(Module, &Outcome)]) {
    let outcomes: BTreeSet<_> =
        panels.iter().flat_map(|(_, outcome)| &outcome.answers).map(|answer| answer.outcome).collect();
    let mut entries = vec![
        (INTERPRETER, "an interpreter is made".to_owned()),
        (LOAD, "the module is loaded".to_owned()),
        (WAITING, "waiting for the first answer".to_owned()),
    ];
    entries.extend(outcomes.into_iter().map(|outcome| {
        let text = match outcome {
            clients::Outcome::Status(200) => "answer: 200".to_owned(),
            clients::Outcome::Status(status) => format!("answer: {status} (an error)"),
            other => name(other),
        };
        (colour(outcome), text)
    }));
    let mut x = LEFT;
    for (colour, text) in entries {
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"5\" width=\"14\" height=\"11\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"15\" fill=\"#222\">{text}</text>",
            x + 20.0,
        );
        x += 44.0 + 6.8 * text.len() as f64;
    }
}

struct Panel<'a> {
    svg: &'a mut String,
    top: f64,
    /// Pixels per second.
    scale: f64,
    span: f64,
}

impl Panel<'_> {
    fn draw(&mut self, module: Module, outcome: &Outcome) {
        self.headline(module, outcome);
        self.grid();
        let since = |time: f64| (time - outcome.began).max(0.0);
        let kind = |kind: &'static str| outcome.events.iter().filter(move |event| event.kind == kind);
        // Of the process that answers: the main interpreter has started before it, in httpd's parent process.
        let made: Vec<f64> =
            kind("start").filter(|event| event.time >= outcome.began).map(|event| since(event.time)).collect();
        let loaded: Vec<f64> = kind("load").map(|event| since(event.time)).collect();
        self.events(42.0, "interpreter", INTERPRETER, &made);
        self.events(60.0, "load", LOAD, &loaded);
        for client in 0..CLIENTS {
            let answers: Vec<_> = outcome.answers.iter().filter(|answer| answer.client == client).collect();
            self.client(client, &answers);
        }
        let middle = self.top + HEAD + ROW * CLIENTS as f64 / 2.0;
        self.text(LEFT - 10.0, middle, "end", 13, &format!("{CLIENTS} clients"));
    }

    fn headline(&mut self, module: Module, outcome: &Outcome) {
        let who = match module {
            Module::Stock => "Stock",
            Module::Relinked => "Relinked",
        };
        let (interpreters, loads, bad) = (outcome.interpreters(), outcome.loads(), outcome.bad());
        let wait = observe::last_first_answer(&outcome.answers) as f64 / 1e6;
        let facts = format!(
            "{} for one name, {} of the module, {bad} bad of {} answers; every client had an answer after {wait:.2} s",
            plural(interpreters, "interpreter"),
            plural(loads, "load"),
            outcome.answers.len(),
        );
        let y = self.top + 20.0;
        let _ = writeln!(
            self.svg,
            "<text x=\"0\" y=\"{y:.1}\" font-size=\"15\" fill=\"#111\"><tspan font-size=\"17\" \
             font-weight=\"600\">{who}:</tspan> {facts}</text>"
        );
    }

    fn grid(&mut self) {
        let bottom = self.top + HEAD + ROW * CLIENTS as f64;
        let step = if self.span > 4.0 { 1.0 } else { 0.5 };
        let mut time = 0.0;
        while time <= self.span {
            let x = LEFT + time * self.scale;
            let _ = writeln!(
                self.svg,
                "<path d=\"M{x:.1} {:.1}V{:.1}\" stroke=\"#e3e6ea\"/>",
                self.top + 32.0,
                bottom + 4.0
            );
            self.text(x, bottom + 18.0, "middle", 12, &format!("{time} s"));
            time += step;
        }
    }

    fn events(&mut self, offset: f64, name: &str, colour: &str, times: &[f64]) {
        let y = self.top + offset;
        self.text(LEFT - 10.0, y + 4.0, "end", 13, &plural(times.len(), name));
        for time in times {
            let x = LEFT + time * self.scale;
            let _ = writeln!(
                self.svg,
                "<path d=\"M{x:.1} {:.1}l4.5 7l-4.5 7l-4.5 -7z\" fill=\"{colour}\" fill-opacity=\".8\"/>",
                y - 7.0
            );
        }
    }

    fn client(&mut self, client: usize, answers: &[&Answer]) {
        let y = self.top + HEAD + ROW * client as f64;
        let at = |time: u64| time as f64 / 1e6 * self.scale;
        let Some(first) = answers.first() else {
            return;
        };
        let _ = writeln!(
            self.svg,
            "<rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{WAITING}\"/>",
            y + 1.0,
            at(first.end),
            ROW - 2.0
        );
        // Good answers first, so that no bad one is painted over.
        let mut outcomes: Vec<_> =
            answers.iter().map(|answer| answer.outcome).collect::<BTreeSet<_>>().into_iter().collect();
        outcomes.sort_by_key(|outcome| *outcome != clients::Outcome::Status(200));
        for outcome in outcomes {
            let marks: BTreeSet<u64> = answers
                .iter()
                .filter(|answer| answer.outcome == outcome)
                .map(|answer| (at(answer.end) / MARK).round() as u64)
                .collect();
            // A bad answer is rare and must be seen: its mark is as wide as three good ones.
            let width = if outcome == clients::Outcome::Status(200) { 1.4 } else { 4.0 };
            let path: String =
                marks.iter().map(|mark| format!("M{:.1} {y:.1}v{ROW}", LEFT + *mark as f64 * MARK)).collect();
            let _ = writeln!(self.svg, "<path d=\"{path}\" stroke=\"{}\" stroke-width=\"{width}\"/>", colour(outcome));
        }
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, size: u32, text: &str) {
        let _ = writeln!(
            self.svg,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\" fill=\"#555\">{text}</text>"
        );
    }
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
