//! The environment variables an administrator can set (on Debian in /etc/apache2/envvars), read once a process.

use std::{env, ffi::OsString};

/// `MODPYTHON_CORE=off`: every call goes to CPython and APR as if the module had not been relinked.
pub const SWITCH: &str = "MODPYTHON_CORE";

/// `MODPYTHON_CORE_MAX_INTERPRETERS=N`: at most N interpreters beside the main one in a process (R10).
pub const MAX_INTERPRETERS: &str = "MODPYTHON_CORE_MAX_INTERPRETERS";

/// `MODPYTHON_CORE_DISABLE=name,name`: these remedies are left out; see [`REMEDIES`].
pub const DISABLE: &str = "MODPYTHON_CORE_DISABLE";

/// The remedies that can be left out one by one. Each cures a defect of mod_python that has nothing to do with the number
/// of interpreters or of loads; docs/mod_python.md says which.
pub const REMEDIES: &[&str] = &[
    "buckets",
    "cgihandler",
    "end",
    "filters",
    "handler-lists",
    "parse-qsl",
    "results",
    "sections",
    "server-cleanups",
    "sessions",
];

/// What the environment says.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    /// Everything passes through.
    pub off: bool,
    /// The remedies that are left out.
    pub disabled: Vec<String>,
    /// Upper bound of named interpreters; none if it is not set.
    pub max_interpreters: Option<usize>,
    /// A sentence for the error log on each value that is not understood, and is not followed.
    pub complaints: Vec<String>,
}

impl Settings {
    /// Reads the environment of this process.
    pub fn from_env() -> Self {
        Self::new(|name| env::var_os(name))
    }

    fn new(read: impl Fn(&str) -> Option<OsString>) -> Self {
        let mut complaints = Vec::new();
        let value = |name| read(name).map(|value| value.to_string_lossy().trim().to_owned()).filter(|v| !v.is_empty());
        let off = match value(SWITCH).as_deref() {
            None | Some("on") => false,
            Some("off") => true,
            Some(other) => {
                complaints.push(format!("{SWITCH}={other} is neither on nor off; it stays on"));
                false
            }
        };
        let mut disabled = Vec::new();
        for name in value(DISABLE).unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if REMEDIES.contains(&name) {
                disabled.push(name.to_owned());
            } else {
                complaints.push(format!("{DISABLE}: there is no remedy {name}; there are {}", REMEDIES.join(", ")));
            }
        }
        let max_interpreters = value(MAX_INTERPRETERS).and_then(|text| {
            let number = text.parse().ok();
            if number.is_none() {
                complaints.push(format!("{MAX_INTERPRETERS}={text} is not a number; there is no limit"));
            }
            number
        });
        Self { off, disabled, max_interpreters, complaints }
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
        Settings::new(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn an_empty_environment_means_on_and_no_limit() {
        assert_eq!(read(&[]), Settings { off: false, disabled: vec![], max_interpreters: None, complaints: vec![] });
        assert_eq!(read(&[(SWITCH, ""), (DISABLE, " , "), (MAX_INTERPRETERS, " ")]), read(&[]));
    }

    #[test]
    fn values_are_read() {
        let settings = read(&[(SWITCH, "off"), (MAX_INTERPRETERS, "12")]);
        assert!(settings.off && settings.max_interpreters == Some(12) && settings.complaints.is_empty());
    }

    #[test]
    fn remedies_are_left_out_by_their_names() {
        let settings = read(&[(DISABLE, "sessions, buckets")]);
        assert!(!settings.cures("sessions") && !settings.cures("buckets") && settings.cures("filters"));
        assert!(!read(&[(SWITCH, "off")]).cures("filters"));
        let unknown = read(&[(DISABLE, "session,filters")]);
        assert!(unknown.cures("sessions") && !unknown.cures("filters"));
        assert!(unknown.complaints[0].contains("there is no remedy session;"), "{:?}", unknown.complaints);
    }

    #[test]
    fn what_is_not_understood_is_said_and_not_followed() {
        let settings = read(&[(SWITCH, "of"), (MAX_INTERPRETERS, "-1")]);
        assert!(!settings.off && settings.max_interpreters.is_none());
        assert_eq!(settings.complaints.len(), 2);
    }
}
