//! The last resort against a file nobody foresaw.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Run a job on a file's bytes; `None` if it panicked.
///
/// The parser and the builder are meant for files that linkers make. Damage that passed every check of ours may still
/// find a shift or an index in them that panics; that must end in a sentence as well, without a trace on the terminal.
/// The job must only make values: nothing it may leave half-done is looked at again.
pub fn guarded<T>(job: impl FnOnce() -> T) -> Option<T> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = catch_unwind(AssertUnwindSafe(job));
    std::panic::set_hook(hook);
    outcome.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_nothing_and_a_value_comes_through() {
        assert_eq!(guarded(|| 3), Some(3));
        let empty: Vec<u8> = Vec::new();
        assert_eq!(guarded(|| empty[0]), None);
    }
}
