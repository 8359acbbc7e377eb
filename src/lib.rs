//! The core of mod_python, made safe for threads: one interpreter per name in a process, one load per module version.
//!
//! mod_python embeds Python in Apache. Under a threaded MPM its own core creates several interpreters under one name,
//! and answers requests from modules that are half loaded; this crate takes the place of that core. A map of the
//! rooms, in the order in which a request walks through them:
//!
//! | room | its job |
//! |---|---|
//! | [`abi`] | mod_python.c's own functions, for a build that is linked with this library |
//! | [`rebind`] | the calls of a relinked, finished mod_python.so arrive here |
//! | [`embedding`] | the work of mod_python.c's core, for both: starts, acquisitions, data per thread |
//! | [`registry`] | name to interpreter: the creator, the waiters, failures. Knows no CPython |
//! | [`python`] | CPython by version: interpreters, thread states, the GIL |
//! | [`import_module`] | the Python extension module behind `import_module`, and the shim in it |
//! | [`module_cache`] | is this module fresh? the cache behind `import_module`. Knows no CPython |
//! | [`pathlock`] | a lock per interpreter and file: owners, waiters, deadlocks. Knows no CPython |
//! | [`server`] | Apache's error log and functions, the environment variables of an administrator, counters |
//! | [`error`], [`sync`] | refusals, and the locks of std or of a model checker |
//!
//! `capi/glue.c` brings in the parts of Apache and C (its log, APR, a variadic function, fields of CPython's
//! structures). docs/architecture.md follows a request through the rooms, and docs/promises.md has the promises that
//! comments cite, as (R4).

pub mod error;
pub mod module_cache;
pub mod pathlock;
pub mod registry;
pub mod server;
pub mod sync;

#[cfg(not(any(loom, shuttle)))]
pub mod abi;
#[cfg(not(any(loom, shuttle)))]
pub mod embedding;
#[cfg(not(any(loom, shuttle)))]
pub mod import_module;
#[cfg(not(any(loom, shuttle)))]
pub mod python;
#[cfg(not(any(loom, shuttle)))]
pub mod rebind;
