//! Memory that the serving children keep.

use std::time::Duration;

use crate::observe::private_memory;

/// Growth is spoken of per so many requests.
pub const PER_100_000: f64 = 100_000.0;
/// A child is compared with itself from this part of its requests on: by then each of its threads has met each kind.
const WARM: f64 = 0.5;
/// Before and after are the medians of so many samples: a request's own memory while it runs is in few of them.
const SAMPLES: usize = 15;

/// One look at a child.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Since the run began.
    pub at: Duration,
    /// How many answers there were by then.
    pub answers: usize,
    /// Its private memory in bytes.
    pub bytes: u64,
}

/// One child and what it kept while it was the newest, and so the one that serves.
#[derive(Clone, Debug)]
pub struct Child {
    /// The process.
    pub pid: u32,
    /// In their order.
    pub samples: Vec<Sample>,
}

/// How much came with how many requests, once a child is warm.
#[derive(Clone, Copy, Debug, Default)]
pub struct Growth {
    /// May be negative.
    pub bytes: f64,
    /// Those that were answered between the two looks.
    pub requests: f64,
}

impl Growth {
    /// In MiB per 100,000 requests; none for too few to tell.
    pub fn rate(self, at_least: f64) -> Option<f64> {
        (self.requests >= at_least).then(|| self.bytes / f64::from(1 << 20) / self.requests * PER_100_000)
    }
}

impl Child {
    /// Its growth after its first half.
    pub fn growth(&self) -> Growth {
        let (Some(first), Some(last)) = (self.samples.first(), self.samples.last()) else {
            return Growth::default();
        };
        let warm = first.answers + ((last.answers - first.answers) as f64 * WARM) as usize;
        let begin = self.samples.partition_point(|sample| sample.answers < warm);
        let rest = &self.samples[begin..];
        if rest.len() < 2 * SAMPLES {
            return Growth::default();
        }
        let (before, after) = (median(&rest[..SAMPLES]), median(&rest[rest.len() - SAMPLES..]));
        Growth { bytes: after.0 - before.0, requests: after.1 - before.1 }
    }

    /// Its memory when it was first looked at, and last, in MiB.
    pub fn ends(&self) -> (f64, f64) {
        let mebibytes = |sample: Option<&Sample>| sample.map_or(0.0, |sample| sample.bytes as f64 / f64::from(1 << 20));
        (mebibytes(self.samples.first()), mebibytes(self.samples.last()))
    }
}

/// Of the child that has answered the most: in a life of one minute even the second half warms it up.
pub(crate) fn longest(children: &[Child]) -> Growth {
    let growths = children.iter().map(Child::growth);
    growths.max_by(|one, other| one.requests.total_cmp(&other.requests)).unwrap_or_default()
}

fn median(samples: &[Sample]) -> (f64, f64) {
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    (
        middle(samples.iter().map(|sample| sample.bytes as f64).collect()),
        middle(samples.iter().map(|sample| sample.answers as f64).collect()),
    )
}

/// Looks at the newest of these processes.
pub(crate) fn look(children: &mut Vec<Child>, pids: &[u32], at: Duration, answers: usize) {
    let is_known = |pid: u32, children: &[Child]| children.iter().any(|child| child.pid == pid);
    for &pid in pids {
        if !is_known(pid, children) {
            children.push(Child { pid, samples: Vec::new() });
        }
    }
    // The last one may have crashed, and an older one still ends its requests.
    if let Some(child) = children.last_mut().filter(|child| pids.contains(&child.pid)) {
        // It may be gone by now.
        if let Ok(bytes) = private_memory(child.pid) {
            child.samples.push(Sample { at, answers, bytes });
        }
    }
}
