//! The environment variables an administrator can set (on Debian in /etc/apache2/envvars), read once a process.

use super::messages::Message;
use std::{env, ffi::OsString, sync::LazyLock};

/// `MODPYTHON_CORE=off`: every call goes to CPython and APR as if the module had not been relinked.
pub const SWITCH: &str = "MODPYTHON_CORE";

/// `MODPYTHON_CORE_MAX_INTERPRETERS=N`: at most N interpreters beside the main one in a process (R10); 0 is no limit.
pub const MAX_INTERPRETERS: &str = "MODPYTHON_CORE_MAX_INTERPRETERS";

/// `MODPYTHON_CORE_DISABLE=name,name`: these remedies are left out; see [`REMEDIES`].
pub const DISABLE: &str = "MODPYTHON_CORE_DISABLE";

/// `MODPYTHON_CORE_FIRST_REQUEST_ALONE=N`: for how many seconds the first request of a module runs alone (I16).
pub const FIRST_REQUEST_ALONE: &str = "MODPYTHON_CORE_FIRST_REQUEST_ALONE";

/// The remedies that can be left out one by one. Each cures a defect of mod_python that has nothing to do with the
/// number of interpreters or of loads; docs/mod_python.md says which.
pub const REMEDIES: &[&str] = &[
    "added-handlers",
    "buckets",
    "cgihandler",
    "directory-names",
    "end",
    "files-sections",
    "filters",
    "first-use",
    "handler-lists",
    "importer",
    "parse-qsl",
    "python-path",
    "queries",
    "reads",
    "results",
    "section-patterns",
    "sections",
    "server-cleanups",
    "session-ids",
    "sessions",
    "ssi",
    "wsgi-status",
];

/// The prefix of all our variables.
const PREFIX: &str = "MODPYTHON_CORE_";

/// Variables that are read elsewhere: by the build and the tests.
const ELSEWHERE: [&str; 8] = [
    "MODPYTHON_CORE_INTERPRETER",
    "MODPYTHON_CORE_LIBDIR",
    "MODPYTHON_CORE_LIBRARY",
    "MODPYTHON_CORE_ORACLE_SECONDS",
    "MODPYTHON_CORE_ORACLE_SEED",
    "MODPYTHON_CORE_ORACLE_THREADS",
    "MODPYTHON_CORE_PYTHON",
    "MODPYTHON_CORE_WRITE_HEADER",
];

/// The settings from the environment.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Everything passes through.
    pub off: bool,
    /// The remedies that are left out.
    pub disabled: Vec<String>,
    /// Upper bound of named interpreters; none if it is not set.
    pub max_interpreters: Option<usize>,
    /// For how many seconds the first request of a module runs alone; none if it is not set.
    pub seconds_alone: Option<u32>,
    /// A sentence for the error log on each value that is not understood, and is not followed.
    pub complaints: Vec<(Message, String)>,
}

/// The settings of this process, read at the first call.
pub fn of_process() -> &'static Settings {
    static SETTINGS: LazyLock<Settings> = LazyLock::new(Settings::from_env);
    &SETTINGS
}

impl Settings {
    /// Reads the environment of this process.
    pub fn from_env() -> Self {
        Self::new(env::vars_os())
    }

    /// Reads names and values. Of a name that is there twice the last says what holds, but for what is off.
    pub fn new(environment: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let mut settings = Self::default();
        for (name, value) in environment {
            let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
            let value = value.trim();
            // As Apache has it: the case of a word says nothing, and what is empty is not set.
            match &*name {
                _ if value.is_empty() => {}
                SWITCH => settings.read_switch(value),
                MAX_INTERPRETERS => settings.read_limit(value),
                DISABLE => settings.read_disabled(value),
                FIRST_REQUEST_ALONE => settings.read_seconds(value),
                other if other.starts_with(PREFIX) && !ELSEWHERE.contains(&other) => {
                    settings
                        .complain(Message::UnknownVariable, format!("{other} is set, but there is no such variable"));
                }
                _ => {}
            }
        }
        settings
    }

    fn read_switch(&mut self, value: &str) {
        match &*value.to_ascii_lowercase() {
            "on" => {}
            "off" => self.off = true,
            _ => self.complain(Message::SwitchValue, format!("{SWITCH}={value} is neither on nor off; it stays on")),
        }
    }

    fn read_limit(&mut self, value: &str) {
        match value.parse() {
            // As in Apache's own directives, 0 is no limit.
            Ok(0) => {}
            Ok(limit) => self.max_interpreters = Some(limit),
            Err(_) => self.complain(
                Message::LimitValue,
                format!("{MAX_INTERPRETERS}={value} is not a number; there is no limit"),
            ),
        }
    }

    // Nine digits at most, and nothing else: no sign either, which a number may have.
    fn read_seconds(&mut self, value: &str) {
        let is_number = value.len() <= 9 && value.bytes().all(|byte| byte.is_ascii_digit());
        match value.parse() {
            Ok(seconds) if is_number => self.seconds_alone = Some(seconds),
            _ => self.complain(
                Message::SecondsValue,
                format!("{FIRST_REQUEST_ALONE}={value} is not a number of seconds; it is as if it were not set"),
            ),
        }
    }

    fn read_disabled(&mut self, value: &str) {
        for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if REMEDIES.contains(&name) {
                self.disabled.push(name.to_owned());
            } else {
                let known = REMEDIES.join(", ");
                self.complain(
                    Message::UnknownRemedy,
                    format!("{DISABLE}: there is no remedy {name}; there are {known}"),
                );
            }
        }
    }

    fn complain(&mut self, message: Message, text: String) {
        self.complaints.push((message, text));
    }

    /// Whether the remedy of that name is to be used.
    pub fn cures(&self, remedy: &str) -> bool {
        !self.off && !self.disabled.iter().any(|name| name == remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Settings {
        Settings::new(pairs.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn an_empty_environment_means_on_and_no_limit() {
        let settings = read(&[]);
        assert!(!settings.off && settings.disabled.is_empty() && settings.complaints.is_empty());
        assert!(settings.max_interpreters.is_none() && settings.seconds_alone.is_none());
        assert_eq!(read(&[(SWITCH, ""), (DISABLE, " , "), (MAX_INTERPRETERS, " ")]), read(&[]));
        assert_eq!(read(&[("MODPYTHON", "x"), ("PATH", "/bin")]), read(&[]));
    }

    #[test]
    fn values_are_read() {
        let settings = read(&[(SWITCH, "off"), (MAX_INTERPRETERS, "12")]);
        assert!(settings.off && settings.max_interpreters == Some(12) && settings.complaints.is_empty());
    }

    #[test]
    fn the_case_of_the_switch_says_nothing() {
        assert!(read(&[(SWITCH, "Off")]).off && read(&[(SWITCH, "OFF")]).off && !read(&[(SWITCH, "On")]).off);
    }

    #[test]
    fn a_limit_of_0_is_no_limit() {
        assert_eq!(read(&[(MAX_INTERPRETERS, "0")]), read(&[]));
    }

    #[test]
    fn remedies_are_left_out_by_their_names() {
        let settings = read(&[(DISABLE, "sessions, buckets")]);
        assert!(!settings.cures("sessions") && !settings.cures("buckets") && settings.cures("filters"));
        assert!(!read(&[(SWITCH, "off")]).cures("filters"));
        let unknown = read(&[(DISABLE, "session,filters")]);
        assert!(unknown.cures("sessions") && !unknown.cures("filters"));
        assert!(unknown.complaints[0].1.contains("there is no remedy session;"), "{:?}", unknown.complaints);
    }

    #[test]
    fn seconds_are_followed_and_what_is_no_number_is_said() {
        let values =
            [("", None), ("0", Some(0)), ("10", Some(10)), (" 007 ", Some(7)), ("999999999", Some(999_999_999))];
        for (value, seconds) in values {
            let settings = read(&[(FIRST_REQUEST_ALONE, value)]);
            assert_eq!((settings.seconds_alone, settings.complaints), (seconds, vec![]), "{value}");
        }
        for value in ["off", "-1", "+1", "1.5", "10s", "1234567890", "0000000010", "\u{0661}\u{0660}"] {
            let Settings { complaints, seconds_alone: None, .. } = read(&[(FIRST_REQUEST_ALONE, value)]) else {
                panic!("{value} is followed");
            };
            let [(Message::SecondsValue, text)] = &complaints[..] else { panic!("{value}: {complaints:?}") };
            assert!(text.starts_with(&format!("{FIRST_REQUEST_ALONE}={value} is not a number of seconds")), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said_and_not_followed() {
        let settings = read(&[(SWITCH, "of"), (MAX_INTERPRETERS, "-1"), ("MODPYTHON_CORE_MAX", "3")]);
        assert!(!settings.off && settings.max_interpreters.is_none());
        // In the order of the environment.
        let messages: Vec<Message> = settings.complaints.iter().map(|(message, _)| *message).collect();
        assert_eq!(messages, [Message::SwitchValue, Message::LimitValue, Message::UnknownVariable]);
    }
}
