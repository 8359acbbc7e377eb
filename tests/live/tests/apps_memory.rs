//! Memory that a child keeps of many requests to real applications: next to nothing, or no more than stock keeps.
//! `MODPYTHON_LIVE_LONG=1` makes it long.

use std::env;

use modpython_live::Module;
use modpython_live::bed::ground::Ground;
use modpython_live::bed::memory::{FIRST, Growth, growth};
use modpython_live::subjects::PACKAGE;

crate::live_tests! {
    applications_keep_no_memory_of_requests_to_flask: PACKAGE,
    applications_keep_no_memory_of_requests_to_a_handler: PACKAGE,
}

/// So many requests after the first ones may take one MiB more of memory.
const LONG: usize = 90_000;
const LIMIT: u64 = 1 << 20;

fn keeps_no_memory(site: &str, requests: usize, path: fn(usize) -> String) {
    let ground = Ground::new().expect("the applications");
    let limit = LIMIT * requests as u64 / LONG as u64;
    let measure = |module| -> Growth {
        let growth = growth(&ground, module, requests, limit, path).unwrap_or_else(|error| panic!("{module}: {error}"));
        println!("{site}: {growth}");
        growth
    };
    let ours = measure(Module::Relinked);
    if ours.bytes() >= limit {
        // Not so little as it should be, but it may be the application's own.
        let stock = measure(Module::Stock);
        assert!(ours.bytes() <= stock.bytes(), "{site}: more than {limit} bytes, and more than stock");
    }
}

fn applications_keep_no_memory_of_requests_to_flask() {
    let requests = if env::var_os("MODPYTHON_LIVE_LONG").is_some() { LONG } else { FIRST };
    keeps_no_memory("flask", requests, |turn| {
        match turn % 10 {
            0 => "/flask/",
            5 => "/flask/money/100.55/6/down",
            _ => "/flask/warn/eve",
        }
        .to_owned()
    });
}

fn applications_keep_no_memory_of_requests_to_a_handler() {
    // Of few requests it is the noise of pages that is measured: as many KiB in 10,000 as in 90,000.
    keeps_no_memory("a handler", LONG, |turn| {
        if turn % 2 == 0 { "/nested/inner?i" } else { "/nested/sets?s" }.to_owned()
    });
}
