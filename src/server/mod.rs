//! Apache's error log and functions, the settings of an administrator from the environment, counters.

pub mod messages;

#[cfg(not(any(loom, shuttle)))]
pub mod apache;
#[cfg(not(any(loom, shuttle)))]
pub mod log;
#[cfg(not(any(loom, shuttle)))]
pub mod settings;
#[cfg(not(any(loom, shuttle)))]
pub mod stats;
