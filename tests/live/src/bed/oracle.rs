//! Stock's answers in one process to one client.

use std::io::{Error, Result};
use std::time::Duration;

use super::ground::{Ground, Kind};
use super::visit::{Seen, Visit};
use crate::config::{Module, Mpm};
use crate::http::Client;

/// The answers to every step of every visit, in their order.
pub type Answers = Vec<Vec<Seen>>;

/// Each visit is asked for so often, and has to be answered in one way; twice where each request costs a process.
const TIMES: usize = 3;
const LONELY_TIMES: usize = 2;
const PATIENCE: Duration = Duration::from_secs(20);

/// Stock's answers in one process, the visits one after the other. A lonely visit has a process for each request, since
/// its pages show the traces of others.
///
/// # Errors
///
/// If one request has two answers, or an answer does not come.
pub fn ask(ground: &Ground, visits: &[Visit]) -> Result<Answers> {
    let mut first = Answers::new();
    for time in 0..TIMES {
        // Another order shows whether one visit changes what the next one sees.
        let mut order: Vec<usize> = (0..visits.len()).collect();
        match time {
            0 => {}
            1 => order.reverse(),
            _ => order.rotate_left(visits.len() / 2),
        }
        let mut answers = vec![Vec::new(); visits.len()];
        for lonely in [false, true].into_iter().take(if time < LONELY_TIMES { 2 } else { 1 }) {
            let here = order.iter().copied().filter(|index| visits[*index].is_lonely() == lonely).collect::<Vec<_>>();
            ask_one_server(ground, visits, &here, lonely, &mut answers)?;
        }
        if time == 0 {
            first = answers;
        } else {
            compare(visits, &first, &answers)?;
        }
    }
    Ok(first)
}

fn ask_one_server(
    ground: &Ground,
    visits: &[Visit],
    order: &[usize],
    lonely: bool,
    answers: &mut Answers,
) -> Result<()> {
    // All the processes start at once: prefork replaces those that have ended by one in a second.
    let processes = if lonely { order.iter().map(|index| visits[*index].length()).sum() } else { 1 };
    let processes = u32::try_from(processes).map_err(Error::other)?;
    let mut setup = ground.setup(Module::Stock, Mpm::Prefork, processes, Kind::Named);
    if lonely {
        setup = setup.directives("MaxConnectionsPerChild 1");
    }
    let mut server = setup.start()?;
    let mut client = Client::new(server.port(), !lonely, PATIENCE);
    for &index in order {
        let visit = &visits[index];
        let mut failure = None;
        visit.walk(&mut client, |step, seen| match seen {
            Ok(seen) => {
                answers[index].push(seen);
                true
            }
            Err(error) => {
                failure = Some(format!("stock, {}: {error}", visit.describe(step)));
                false
            }
        });
        if let Some(failure) = failure {
            return Err(Error::other(format!("{failure}\n{}", server.error_log())));
        }
    }
    drop(client);
    // Stock's processes may crash at their end, when all has been answered: each of the lonely ones has ended by then.
    let crashes = if lonely { Vec::new() } else { server.crashes() };
    server.stop()?;
    let (_, changed) = ground.take_notes()?;
    if crashes.is_empty() && changed.is_empty() {
        return Ok(());
    }
    Err(Error::other(format!("stock, alone: {crashes:?}, {changed:?}")))
}

fn compare(visits: &[Visit], first: &Answers, other: &Answers) -> Result<()> {
    for ((visit, first), other) in visits.iter().zip(first).zip(other) {
        for (step, (first, other)) in first.iter().zip(other).enumerate() {
            if first != other {
                let what = visit.describe(step);
                return Err(Error::other(format!("stock, alone, has two answers to {what}:\n{first:?}\n{other:?}")));
            }
        }
    }
    Ok(())
}
