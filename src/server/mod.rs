//! What comes from Apache and from the environment: its error log, the settings of an administrator, counters.

pub mod messages;

#[cfg(not(any(loom, shuttle)))]
pub mod apache;
#[cfg(not(any(loom, shuttle)))]
pub mod log;
#[cfg(not(any(loom, shuttle)))]
pub mod settings;
#[cfg(not(any(loom, shuttle)))]
pub mod stats;
