//! The cost of a first load of 20,000 lines with valid bytecode beside a plain import, alone and as the one load of 32
//! clients, and a name that is nowhere beside importlib. Minimum of alternating rounds; exits with 1 beyond the figures
//! that are to be reached.
//!
//! `cargo bench --bench import_load` (built without PYO3_BUILD_EXTENSION_MODULE, which links libpython)

#[path = "../tests/support/embedded.rs"]
mod embedded;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    embedded::run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/bench_load.py"), 0)
}
