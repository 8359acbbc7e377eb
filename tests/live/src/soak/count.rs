//! The requests, counted by outcome.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::clients::{self, outcome_of};
use crate::counts::Counts;
use crate::http::Response;

use super::ask::Ask;

/// So many bad answers of each kind are shown.
const EXAMPLES: usize = 2;
/// And so many characters of each.
const SHOWN: usize = 300;

/// The outcomes of all requests.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// For each kind of page.
    pub kinds: BTreeMap<&'static str, Counts>,
    /// For each outcome, whether it was wanted or not.
    pub outcomes: BTreeMap<clients::Outcome, usize>,
    /// Good and bad answers of each second.
    pub seconds: Vec<(usize, usize)>,
    /// Some bad answers.
    pub examples: Vec<String>,
}

impl Tally {
    /// All kinds together.
    pub fn all(&self) -> Counts {
        self.kinds.values().fold(Counts::default(), |mut all, counts| {
            all.add(*counts);
            all
        })
    }

    /// A client that has hung up.
    pub(crate) fn left(&mut self, ask: &Ask) {
        self.kinds.entry(ask.kind).or_default().left += 1;
    }

    /// An answer, or what came instead, and whether it is the right one.
    pub(crate) fn judge(&mut self, ask: &Ask, second: usize, response: std::io::Result<Response>, right: bool) {
        let counts = self.kinds.entry(ask.kind).or_default();
        let before = counts.bad();
        let (outcome, body) = outcome_of(response);
        match outcome {
            clients::Outcome::Status(status) if status != ask.status => counts.status += 1,
            clients::Outcome::Status(_) if right => counts.right += 1,
            clients::Outcome::Status(_) => counts.wrong += 1,
            clients::Outcome::TimedOut => counts.late += 1,
            clients::Outcome::Broken => counts.broken += 1,
        }
        let good = right && outcome == clients::Outcome::Status(ask.status);
        *self.outcomes.entry(outcome).or_default() += 1;
        if self.seconds.len() <= second {
            self.seconds.resize(second + 1, (0, 0));
        }
        self.seconds[second].0 += usize::from(good);
        self.seconds[second].1 += usize::from(!good);
        if !good && before < EXAMPLES {
            let mut example = format!("{second} s, {}: {} {}, wanted {}", ask.kind, ask.method, ask.path, ask.status);
            if format!("{:?}", ask.wanted).len() < SHOWN {
                let _ = write!(example, " {:?}", ask.wanted);
            }
            let body: String = body.chars().take(SHOWN).collect();
            let _ = write!(example, "\n      got {outcome:?} {body:?}");
            self.examples.push(example);
        }
    }
}
