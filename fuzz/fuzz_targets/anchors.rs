//! The finder of places and the editor, on anything that may be a file of a source tree: two bytes choose the
//! generation and the file. The lines come out as they went in, and no diff has a line removed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use modpython_relink::probe;

fuzz_target!(|bytes: &[u8]| {
    if let [generation, target, content @ ..] = bytes {
        probe::patch(*generation, *target, content);
    }
});
