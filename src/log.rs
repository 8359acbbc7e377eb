//! Lines in Apache's error log. Each begins with the name of this project, so that an administrator finds them.

use crate::abi::host;
use std::{
    ffi::{CString, c_int},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// Apache's levels are syslog's.
pub const ERROR: c_int = 3;
/// A condition that is not an error yet.
pub const WARNING: c_int = 4;
/// What an administrator wants to see once.
pub const NOTICE: c_int = 5;

/// Writes one line. Takes no GIL, and may be called with or without it.
pub fn line(level: c_int, text: &str) {
    // A name can hold any byte but NUL; Apache escapes control characters itself.
    let text = CString::new(format!("modpython-core: {text}").replace('\0', "?")).expect("no NUL is left");
    host::log(level, &text);
}

/// A kind of line of which at most one a second is written: a name that fails under load fails in each request.
pub struct Limited {
    last: Mutex<Option<Instant>>,
    left_out: AtomicU32,
}

impl Limited {
    /// How often a line is written at most.
    const PAUSE: Duration = Duration::from_secs(1);

    /// Nothing has been written yet.
    pub const fn new() -> Self {
        Self { last: Mutex::new(None), left_out: AtomicU32::new(0) }
    }

    /// Writes the line, or counts it for the next one.
    pub fn line(&self, level: c_int, text: &str) {
        // A thread that forks just now may hold the lock in the parent; its child leaves lines out rather than wait.
        let Ok(mut last) = self.last.try_lock().or_else(|error| match error {
            std::sync::TryLockError::Poisoned(poisoned) => Ok(PoisonError::into_inner(poisoned)),
            std::sync::TryLockError::WouldBlock => Err(()),
        }) else {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        };
        if last.is_some_and(|last| last.elapsed() < Self::PAUSE) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        *last = Some(Instant::now());
        drop(last);
        match self.left_out.swap(0, Ordering::Relaxed) {
            0 => self::line(level, text),
            more => self::line(level, &format!("{text} (and {more} such lines before, left out)")),
        }
    }
}

impl Default for Limited {
    fn default() -> Self {
        Self::new()
    }
}
