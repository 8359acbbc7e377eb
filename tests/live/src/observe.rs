//! Notes and answers, counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Error, Result};
use std::path::Path;

use serde_json::Value;

use crate::clients::{Answer, Outcome};
use crate::site::EVENTS;

/// One note of an interpreter.
#[derive(Clone, Debug)]
pub struct Event {
    /// `start`, `slow-start`, `init`, `name` or `load`.
    pub kind: String,
    /// The process.
    pub pid: u64,
    /// Tells apart interpreters of one process.
    pub token: String,
    /// The interpreter's name, where the note has one.
    pub interpreter: String,
    /// The module that was loaded, where one was.
    pub module: String,
    /// Seconds since the epoch.
    pub time: f64,
}

/// All notes so far.
pub fn events(notes: &Path) -> Result<Vec<Event>> {
    let mut events = fs::read_to_string(notes.join(EVENTS))?.lines().map(event).collect::<Result<Vec<_>>>()?;
    name_inits(&mut events);
    Ok(events)
}

/// 3.1.x does not tell `init` for which interpreter it is called. The first request tells, by a note of its own; an
/// interpreter that never has one is the one in which requests are given back.
fn name_inits(events: &mut [Event]) {
    let names: BTreeMap<_, _> = events
        .iter()
        .filter(|event| event.kind == "name")
        .map(|event| ((event.pid, event.token.clone()), event.interpreter.clone()))
        .collect();
    for event in events.iter_mut().filter(|event| event.kind == "init" && event.interpreter.is_empty()) {
        let name = names.get(&(event.pid, event.token.clone()));
        event.interpreter = name.map_or("main_interpreter", String::as_str).to_owned();
    }
}

fn event(line: &str) -> Result<Event> {
    let fields: BTreeMap<_, _> = line.split('\t').filter_map(|field| field.split_once('=')).collect();
    let text = |name: &str| fields.get(name).copied().unwrap_or_default().to_owned();
    let incomplete = || Error::other(format!("an incomplete note: {line}"));
    Ok(Event {
        kind: text("event"),
        pid: text("pid").parse().map_err(|_| incomplete())?,
        token: text("token"),
        interpreter: text("interpreter"),
        module: text("module"),
        time: text("time").parse().map_err(|_| incomplete())?,
    })
}

/// The field of a JSON answer, as text without quotes.
pub fn field(answer: &Answer, name: &str) -> Option<String> {
    let body: Value = serde_json::from_str(&answer.body).ok()?;
    match body.get(name)? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Interpreters per process and name, as answers and notes together saw them.
///
/// An interpreter that never answers is a second one all the same, and so is one whose note was lost: both count.
pub fn interpreters(events: &[Event], answers: &[Answer]) -> BTreeMap<(u64, String), BTreeSet<String>> {
    let mut found: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind == "init") {
        let key = (event.pid, event.interpreter.clone());
        found.entry(key).or_default().insert(event.token.clone());
    }
    for answer in answers.iter().filter(|answer| answer.is_good()) {
        let pid = field(answer, "pid").and_then(|pid| pid.parse().ok());
        let seen = (pid, field(answer, "interpreter"), field(answer, "token"));
        if let (Some(pid), Some(name), Some(token)) = seen {
            found.entry((pid, name)).or_default().insert(token);
        }
    }
    found
}

/// The most interpreters that one process had under one name.
pub fn most_interpreters(events: &[Event], answers: &[Answer]) -> usize {
    interpreters(events, answers).values().map(BTreeSet::len).max().unwrap_or(0)
}

/// Calls of `mod_python.apache.init` per process and interpreter.
pub fn inits(events: &[Event]) -> BTreeMap<(u64, String), usize> {
    let mut found = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind == "init") {
        *found.entry((event.pid, event.token.clone())).or_default() += 1;
    }
    found
}

/// Loads of a module per process, the most of all processes.
pub fn most_loads(events: &[Event], module: &str) -> usize {
    let mut found: BTreeMap<u64, usize> = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind == "load" && event.module == module) {
        *found.entry(event.pid).or_default() += 1;
    }
    found.into_values().max().unwrap_or(0)
}

/// How many answers came back with which outcome.
pub fn outcomes<'a>(answers: impl IntoIterator<Item = &'a Answer>) -> BTreeMap<Outcome, usize> {
    let mut found = BTreeMap::new();
    for answer in answers {
        *found.entry(answer.outcome).or_default() += 1;
    }
    found
}

/// When the last client had its first answer, in microseconds since the load began.
pub fn last_first_answer(answers: &[Answer]) -> u64 {
    let mut first: BTreeMap<usize, u64> = BTreeMap::new();
    for answer in answers {
        let end = first.entry(answer.client).or_insert(answer.end);
        *end = answer.end.min(*end);
    }
    first.into_values().max().unwrap_or(0)
}

/// Memory of a process that is of no file, in bytes: memory shared with its children counts, too.
pub fn anonymous_memory(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.map(|kilobytes| kilobytes * 1024).ok_or_else(|| Error::other("no RssAnon"))
}

/// Memory that a process shares with no other, in bytes.
pub fn private_memory(process: u32) -> Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let kilobytes = rollup
        .lines()
        .filter(|line| line.starts_with("Private_"))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    Ok(kilobytes.sum::<u64>() * 1024)
}
