//! Waiting for something to become true, with a deadline.

use std::io::{Error, ErrorKind, Result};
use std::thread;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(5);

/// Asks `probe` again and again until it answers, or fails with a sentence that names `what` once `limit` is over.
pub fn wait_until<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let begin = Instant::now();
    loop {
        if let Some(found) = probe()? {
            return Ok(found);
        }
        if begin.elapsed() >= limit {
            return Err(Error::new(ErrorKind::TimedOut, format!("waited {limit:?} in vain for: {what}")));
        }
        thread::sleep(INTERVAL);
    }
}
