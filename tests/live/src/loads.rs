//! Runs of handlers' module code, from the notes they take.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Error, Result};
use std::path::Path;

use crate::site::EVENTS;

/// One run of a module's code.
#[derive(Clone, Debug)]
pub struct ModuleLoad {
    /// The process.
    pub pid: u64,
    /// The interpreter, told apart from others of that process.
    pub token: String,
    /// The file that ran, as the module itself names it.
    pub file: String,
    /// The version of the handler.
    pub version: u32,
    /// When its first lines ran, in seconds since the epoch.
    pub begin: f64,
    /// When its last lines ran; none if they have not, or have not yet.
    pub end: Option<f64>,
}

impl ModuleLoad {
    /// Whether it is a load of this file below the document root.
    pub fn is_of(&self, file: &str) -> bool {
        self.file.ends_with(&format!("/{file}"))
    }

    /// Whether the code was running at some moment between these two.
    pub fn touches(&self, from: f64, to: f64) -> bool {
        self.begin <= to && self.end.is_none_or(|end| end >= from)
    }
}

/// All loads that have left notes so far, in the order of their beginnings.
pub fn loads(notes: &Path) -> Result<Vec<ModuleLoad>> {
    let mut loads: Vec<ModuleLoad> = Vec::new();
    let mut runs = BTreeMap::new();
    for line in fs::read_to_string(notes.join(EVENTS))?.lines() {
        let fields: BTreeMap<_, _> = line.split('\t').filter_map(|field| field.split_once('=')).collect();
        let (Some(event), Some(run)) = (fields.get("event"), fields.get("run")) else {
            continue;
        };
        let text = |name: &str| fields.get(name).copied().unwrap_or_default();
        let time: f64 = text("time").parse().map_err(|_| incomplete(line))?;
        if *event == "load" {
            runs.insert((*run).to_owned(), loads.len());
            loads.push(ModuleLoad {
                pid: text("pid").parse().map_err(|_| incomplete(line))?,
                token: text("token").to_owned(),
                file: text("file").to_owned(),
                version: text("version").parse().map_err(|_| incomplete(line))?,
                begin: time,
                end: None,
            });
        } else if let Some(load) = runs.get(*run).and_then(|index| loads.get_mut(*index)) {
            load.end = Some(time);
        }
    }
    Ok(loads)
}

/// The loads of one file.
pub fn loads_of(notes: &Path, file: &str) -> Result<Vec<ModuleLoad>> {
    Ok(loads(notes)?.into_iter().filter(|load| load.is_of(file)).collect())
}

/// Whether there is a moment at which all of them were running.
pub fn all_at_once(loads: &[ModuleLoad]) -> bool {
    let last_begin = loads.iter().map(|load| load.begin).fold(f64::NEG_INFINITY, f64::max);
    let first_end = loads.iter().filter_map(|load| load.end).fold(f64::INFINITY, f64::min);
    last_begin < first_end
}

fn incomplete(line: &str) -> Error {
    Error::other(format!("an incomplete note: {line}"))
}
