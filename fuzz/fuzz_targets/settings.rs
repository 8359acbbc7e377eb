//! The library's environment variables, with any values: lines of `NAME=value`, as they come from /proc/PID/environ.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

#[allow(dead_code)]
#[path = "../../src/server/messages.rs"]
mod messages;
#[allow(dead_code)]
#[path = "../../src/server/settings.rs"]
mod settings;

use settings::{REMEDIES, SWITCH, Settings};

fuzz_target!(|bytes: &[u8]| {
    let pairs = bytes.split(|&byte| byte == 0).filter_map(|line| {
        let equals = line.iter().position(|&byte| byte == b'=')?;
        Some((OsStr::from_bytes(&line[..equals]).to_owned(), OsStr::from_bytes(&line[equals + 1..]).to_owned()))
    });
    let settings = Settings::new(pairs.clone());
    // A setting that is not understood has no effect.
    assert!(settings.disabled.iter().all(|name| REMEDIES.contains(&name.as_str())), "{settings:?}");
    assert_ne!(settings.max_interpreters, Some(0));
    let is_off = |value: &OsStr| value.to_string_lossy().trim().eq_ignore_ascii_case("off");
    let said_off = pairs.filter(|(name, _)| name == SWITCH).any(|(_, value)| is_off(&value));
    assert_eq!(settings.off, said_off, "{settings:?}");
    assert_eq!(REMEDIES.iter().any(|remedy| settings.cures(remedy)), !said_off && {
        let left_out = |remedy: &&str| settings.disabled.iter().any(|name| name == *remedy);
        !REMEDIES.iter().all(|remedy| left_out(remedy))
    });
    assert!(settings.complaints.iter().all(|(_, text)| !text.is_empty()));
});
