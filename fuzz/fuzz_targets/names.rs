//! Paths in JSON, in lines of Apache's configuration and of a shell, and as search paths.

#![no_main]

use libfuzzer_sys::fuzz_target;
use modpython_relink::probe;

fuzz_target!(|bytes: &[u8]| probe::names(bytes));
