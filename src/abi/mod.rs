//! What C sees: the functions of mod_python.c's interpreter path, under their own names.
//!
//! | file | its job |
//! |---|---|
//! | `v31`, `v32`, `v33`, `v35` | the functions of one generation, with its signatures |
//! | `boundary` | what they all do with their arguments; the contract |
//! | `host_calls` | calls of a host that the include header sends here |
//! | `acquire` | an acquisition and its release: what the registry says, carried out |
//! | `data` | `interpreterdata`, by generation, and what else is kept beside a thread's state |
//! | `references` | references that mod_python gives up without the GIL |
//! | `start`, `inittab` | the start of Python in the server, and of a child; the table of built-in modules |
//! | `lifetime` | how long the library stays in memory |
//! | `thread` | what is kept per thread |
//! | `host` | functions of Apache and APR, which come in through the glue in `capi` |
//!
//! `capi/include/modpython-core` has the C side: the header that cbindgen makes of these files, and the two that are
//! included in mod_python.c.

pub mod acquire;
mod boundary;
pub mod data;
pub mod host;
mod host_calls;
pub mod inittab;
pub mod lifetime;
pub mod references;
pub mod start;
pub mod thread;
pub mod v31;
pub mod v32;
pub mod v33;
pub mod v35;
