//! The cost of a hit of `import_module`, called from Python in one loop, beside `sys.modules[name]` and a bare stat(2)
//! of the same file. Minimum of alternating batches; exits with 1 beyond the figures that are to be reached.
//!
//! `cargo bench --bench import_hit` (built without PYO3_BUILD_EXTENSION_MODULE, which links libpython)

#[path = "../tests/support/embedded.rs"]
mod embedded;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    embedded::run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/bench_hit.py"), 0)
}
