//! The files and folders a run relies on that somebody else than root and its user could exchange.

use std::path::Path;

use crate::failure::Failure;
use crate::files::{self, Exposure, Who};

/// The folders and files found so far.
#[derive(Debug, Default)]
pub struct Exposed {
    all: Vec<Exposure>,
}

impl Exposed {
    /// Look at every folder on the way to a path. One that leads nowhere is for others to report.
    pub fn look_at(&mut self, path: &Path) {
        let Ok(found) = files::find(path) else { return };
        for exposure in files::exposures(&found) {
            if !self.all.contains(&exposure) {
                self.all.push(exposure);
            }
        }
    }

    /// Refuses root a file that everybody may exchange: it is no part of a server's installation.
    pub fn refuse_everybody(&self) -> Result<(), Failure> {
        let me = rustix::process::geteuid();
        match self.all.iter().find(|exposure| exposure.who == Who::Everybody) {
            Some(exposure) if me.is_root() => Err(Failure::Exposed { path: exposure.path.clone() }),
            _ => Ok(()),
        }
    }

    /// A sentence for each.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        self.all.iter().map(|exposure| format!("{exposure}, who can change what Apache runs as root"))
    }
}
