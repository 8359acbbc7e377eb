//! The experiment that shows the defect: a server that has just started, and many first requests at once.

use std::io::Result;
use std::time::Duration;

use crate::clients::{Answer, Load};
use crate::config::{Module, Mpm};
use crate::observe::{self, Event};
use crate::server::Stop;
use crate::setup::Setup;

/// How many clients ask at once, and how many threads answer.
pub const CLIENTS: usize = 32;

/// One cold start, as asked for.
#[derive(Clone, Copy, Debug)]
pub struct ColdStart {
    /// Which mod_python.
    pub module: Module,
    /// Under which MPM.
    pub mpm: Mpm,
    /// Whether PythonAutoReload is on.
    pub autoreload: bool,
    /// How long the clients go on.
    pub load: Duration,
}

/// One cold start, as it went.
pub struct Outcome {
    /// Notes of the interpreters.
    pub events: Vec<Event>,
    /// All answers.
    pub answers: Vec<Answer>,
    /// When the load began, on the clock of the notes.
    pub began: f64,
    /// Lines of the error log that speak of a crash.
    pub crashes: Vec<String>,
    /// How the server stopped.
    pub stop: Stop,
}

impl ColdStart {
    /// Starts a server, asks for the slow handler from all clients at one moment, and stops it.
    pub fn run(&self) -> Result<Outcome> {
        let switch = if self.autoreload { "On" } else { "Off" };
        let mut server = Setup::new(self.module)
            .mpm(self.mpm, CLIENTS as u32)
            .file("app/slow.py", include_str!("../python/slow.py"))
            .directives(&format!(
                "<Directory \"${{HTDOCS}}/app\">\nSetHandler mod_python\nPythonHandler slow\n\
                 PythonAutoReload {switch}\n</Directory>"
            ))
            .start()?;
        let record = Load::new(server.port(), CLIENTS).run_for(self.load, |_, _| "/app/x".to_owned());
        server.settle()?;
        let stop = server.stop()?;
        Ok(Outcome {
            events: observe::events(&server.notes())?,
            answers: record.answers,
            began: record.began,
            crashes: server.crashes(),
            stop,
        })
    }
}

impl Outcome {
    /// The most interpreters that one process had under one name.
    pub fn interpreters(&self) -> usize {
        observe::most_interpreters(&self.events, &self.answers)
    }

    /// The most calls of `init` that one interpreter saw.
    pub fn inits(&self) -> usize {
        observe::inits(&self.events).into_values().max().unwrap_or(0)
    }

    /// How often one process loaded the handler's module.
    pub fn loads(&self) -> usize {
        observe::most_loads(&self.events, "slow")
    }

    /// Answers other than 200.
    pub fn bad(&self) -> usize {
        self.answers.iter().filter(|answer| !answer.is_good()).count()
    }
}
