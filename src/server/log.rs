//! Lines in Apache's error log. Each begins with its code and the name of this project, as httpd's own begin with a
//! code and a name, so that an administrator finds them.

use super::{apache, messages::Message};
use std::{
    any::Any,
    ffi::{CString, c_int},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    time::{Duration, Instant},
};

/// Writes one line. Takes no GIL, and may be called with or without it.
pub fn line(message: Message, text: &str) {
    // A name can hold any byte but NUL; Apache escapes control characters itself.
    let text = format!("{}: modpython-core: {text}", message.code()).replace('\0', "?");
    let text = CString::new(text).expect("no NUL is left");
    // Apache's levels are syslog's.
    apache::log(message.severity() as c_int, &text);
}

/// Does one step of pure decision, `what` says which. A panic in it is a bug of ours: it gets a line, and does not
/// unwind into C, which would end the process and every request in it.
pub fn caught<T>(what: &str, step: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(step)).map_err(|panic| line(Message::Bug, &bug(what, &*panic))).ok()
}

fn bug(what: &str, panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("a bug in {what}, please report it: {}", text.unwrap_or("a panic without a text"))
}

/// A kind of line of which at most one a second is written for each name: a name that fails under load fails in each
/// request, and must not hide another.
pub struct Limited {
    names: Mutex<Vec<Written>>,
}

/// The time of the last line of one name, and the number left out since.
struct Written {
    name: Box<[u8]>,
    last: Instant,
    left_out: u32,
}

impl Limited {
    /// How often a line is written at most.
    const PAUSE: Duration = Duration::from_secs(1);
    /// How many names are told apart; names come from directories, and may be many.
    const NAMES_AT_MOST: usize = 64;

    /// Nothing has been written yet.
    pub const fn new() -> Self {
        Self { names: Mutex::new(Vec::new()) }
    }

    /// Writes the line, or counts it for the next one of that name.
    pub fn line(&self, name: &[u8], message: Message, text: &str) {
        if let Some(left_out) = self.may_write(name, Instant::now()) {
            match left_out {
                0 => self::line(message, text),
                more => self::line(message, &format!("{text} (and {more} such lines before, left out)")),
            }
        }
    }

    /// How many lines have been left out since the last one, if one may be written now.
    fn may_write(&self, name: &[u8], now: Instant) -> Option<u32> {
        // A thread that forks just now may hold the lock in the parent; its child leaves lines out rather than wait.
        let mut names = self.names.try_lock().ok()?;
        if let Some(written) = names.iter_mut().find(|written| *written.name == *name) {
            if now.duration_since(written.last) < Self::PAUSE {
                written.left_out += 1;
                return None;
            }
            written.last = now;
            return Some(std::mem::take(&mut written.left_out));
        }
        if names.len() == Self::NAMES_AT_MOST {
            let oldest = names.iter().enumerate().min_by_key(|(_, written)| written.last).map(|(place, _)| place);
            oldest.map(|place| names.swap_remove(place));
        }
        names.push(Written { name: name.into(), last: now, left_out: 0 });
        Some(0)
    }
}

impl Default for Limited {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_in_a_line() {
        assert_eq!(caught("a test", || 7), Some(7));
        assert_eq!(caught("a test", || -> u8 { panic!("on purpose, {}", 7) }), None);
        assert_eq!(bug("a test", &"fixed"), "a bug in a test, please report it: fixed");
        assert_eq!(bug("a test", &"made".to_owned()), "a bug in a test, please report it: made");
    }

    #[test]
    fn one_failing_name_does_not_hide_another() {
        let (lines, now) = (Limited::new(), Instant::now());
        assert_eq!(lines.may_write(b"a", now), Some(0));
        assert_eq!(lines.may_write(b"a", now), None);
        assert_eq!(lines.may_write(b"b", now), Some(0));
        assert_eq!(lines.may_write(b"a", now + Limited::PAUSE), Some(1), "what was left out is counted");
        assert_eq!(lines.may_write(b"a", now + 2 * Limited::PAUSE), Some(0), "once");
    }

    #[test]
    fn names_beyond_the_bound_push_the_oldest_out() {
        let (lines, now) = (Limited::new(), Instant::now());
        for number in 0..=Limited::NAMES_AT_MOST as u32 {
            assert_eq!(lines.may_write(&number.to_le_bytes(), now + Duration::from_millis(number.into())), Some(0));
        }
        assert_eq!(lines.names.lock().unwrap().len(), Limited::NAMES_AT_MOST);
        assert_eq!(lines.may_write(&0_u32.to_le_bytes(), now + Duration::from_millis(99)), Some(0), "forgotten");
    }
}
