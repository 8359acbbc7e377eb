//! The second door: the functions of mod_python.c's interpreter path, under their own names, for a build from source.
//!
//! | file | its job |
//! |---|---|
//! | `v31`, `v32`, `v33`, `v35` | the functions of one generation, with its signatures |
//! | `contract` | what they all do with their arguments; the contract |
//! | `host_calls` | calls of a host that the include header sends here |
//!
//! `capi/include/modpython-core` has the C side: the header that cbindgen makes of these files, and the two that are
//! included in mod_python.c.

mod contract;
mod host_calls;
pub mod v31;
pub mod v32;
pub mod v33;
pub mod v35;
