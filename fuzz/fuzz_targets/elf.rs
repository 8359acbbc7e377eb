//! The reader, the rewriter and the verifier, on anything that may be a module or a library.
//!
//! A file that the verifier accepts is relinked, and known as that when it is read again. The tests of mutations in
//! relink/tests/relink/mutation.rs run the system's loader, and check that it still loads.

#![no_main]

use libfuzzer_sys::fuzz_target;
use modpython_relink::probe;

fuzz_target!(|bytes: &[u8]| {
    probe::read(bytes);
    let library = "libmodpython-core-py3.77.so.0";
    if let Ok(output) = probe::relink(bytes, library, "/opt/lib") {
        assert!(probe::relink(&output, library, "/opt/lib").is_err(), "it does not know its own work");
    }
});
