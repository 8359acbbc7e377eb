//! The work of mod_python.c's core, for both doors: Python in the server, interpreters, acquisitions, threads.
//!
//! | file | its job |
//! |---|---|
//! | `start`, `builtins` | the start of Python in the server, and of a child; the table of built-in modules |
//! | `process` | the one registry of a process, and its forks |
//! | `parent` | the forks of the server's parent, beside threads of Python |
//! | `acquire` | an acquisition and its release: carries out the registry's answer |
//! | `thread` | the data of each thread |
//! | `interpreterdata` | mod_python's structure, by generation, and the other data beside a thread's state |
//! | `unlocked` | references that mod_python gives up without the GIL |
//! | `lifetime` | how long the library stays in memory |
//! | `loaded` | the files in memory that may hold libpython |

pub mod acquire;
pub mod builtins;
pub mod interpreterdata;
pub mod lifetime;
pub mod loaded;
pub mod parent;
pub mod process;
pub mod start;
pub mod thread;
pub mod unlocked;
