//! Memory that a child keeps of many requests.

use std::fmt;
use std::io::{Error, Result};

use super::ground::{Ground, Kind};
use super::run::CLIENTS;
use crate::clients::Load;
use crate::config::{Module, Mpm};
use crate::server::Server;

/// So many requests fill every cache, in every thread.
pub const FIRST: usize = 10_000;

/// Memory kept of requests comes in every round, but noise (pages, arenas, caches of a quiet thread) in some alone:
/// the round with the least counts.
const ROUNDS: usize = 6;

/// Private memory of the one child, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// Which mod_python.
    pub module: Module,
    /// How many requests a round has.
    pub requests: usize,
    /// Its size before the round that has added the least.
    pub before: u64,
    /// Its size after that round.
    pub after: u64,
}

impl Growth {
    /// How many bytes have come.
    pub fn bytes(&self) -> u64 {
        self.after.saturating_sub(self.before)
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { module, requests, before, after } = self;
        let (grown, before) = ((*after as f64 - *before as f64) / 1024.0, before >> 10);
        write!(f, "{module}: {grown:+.0} KiB in {requests} requests, from {before} KiB")
    }
}

/// Asks one child of the worker MPM again and again for what `path(turn)` says, on all of its threads, until a round of
/// `requests` has added less than `limit` bytes, or there were enough rounds.
///
/// # Errors
///
/// If the relinked module's answers are not all 200s: stock's may be others.
pub fn growth(
    ground: &Ground,
    module: Module,
    requests: usize,
    limit: u64,
    path: fn(usize) -> String,
) -> Result<Growth> {
    let mut server = ground.setup(module, Mpm::Worker, CLIENTS, Kind::Named).start()?;
    let clients = CLIENTS as usize;
    let ask = |requests: usize| -> Result<()> {
        let record = Load::new(server.port(), clients).run_times(requests.div_ceil(clients), |_, turn| path(turn));
        match record.answers.iter().find(|answer| !answer.is_good()) {
            Some(bad) if module == Module::Relinked => Err(Error::other(format!("{bad:?}"))),
            _ => Ok(()),
        }
    };
    ask(FIRST)?;
    let mut least: Option<Growth> = None;
    for _ in 0..ROUNDS {
        let before = private(&server)?;
        ask(requests)?;
        let growth = Growth { module, requests, before, after: private(&server)? };
        least = Some(least.filter(|least| least.bytes() <= growth.bytes()).unwrap_or(growth));
        if growth.bytes() < limit {
            break;
        }
    }
    server.settle()?;
    server.stop()?;
    least.ok_or_else(|| Error::other("no round"))
}

fn private(server: &Server) -> Result<u64> {
    let children = server.children()?;
    let [child] = children[..] else {
        return Err(Error::other(format!("not one child: {children:?}")));
    };
    crate::observe::private_memory(child)
}
