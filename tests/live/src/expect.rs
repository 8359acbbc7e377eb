//! Assertions that several live tests share.

use std::time::Duration;

use crate::clients::{Answer, Outcome};
use crate::config::Module;
use crate::observe;
use crate::server::Server;

/// A server that takes longer to stop than this counts as hung.
pub const STOP: Duration = Duration::from_secs(2);

/// So many times a race is given the chance to show itself.
const CHANCES: u32 = 20;

/// A defect of the stock module that comes from a race shows itself in one of several attempts.
#[track_caller]
pub fn shown(defect: &str, mut attempt: impl FnMut() -> bool) {
    let times = (1..=CHANCES).find(|_| attempt());
    let times = times.unwrap_or_else(|| panic!("in {CHANCES} attempts stock has not shown: {defect}"));
    println!("stock: {defect} (shown in attempt {times})");
}

/// Asks whether a module shows a defect: stock does in one of so many attempts, ours never does, and ours does with the
/// remedy left out. The machine is kept meanwhile.
#[track_caller]
pub fn shows_unless_cured(remedy: &str, chances: u32, mut shows: impl FnMut(Module, &str) -> bool) {
    let mut ever = |module, disabled: &str| (0..chances).any(|_| shows(module, disabled));
    assert!(ever(Module::Stock, ""), "stock does not show what {remedy} cures");
    assert!(ever(Module::Relinked, remedy), "{remedy} cannot be left out");
    assert!(!shows(Module::Relinked, ""), "{remedy} cures nothing");
}

/// Every answer is a 200, and there are some.
#[track_caller]
pub fn all_good(answers: &[Answer]) {
    assert!(!answers.is_empty(), "nobody asked anything");
    if let Some(bad) = answers.iter().find(|answer| !answer.is_good()) {
        panic!("{:?}; one of the bad ones: {bad:?}", observe::outcomes(answers));
    }
}

/// Every request had an answer of some status: none broke off, none was left waiting.
#[track_caller]
pub fn all_answered(answers: &[Answer]) {
    assert!(!answers.is_empty(), "nobody asked anything");
    if let Some(bad) = answers.iter().find(|answer| !matches!(answer.outcome, Outcome::Status(_))) {
        panic!("{:?}; one without an answer: {bad:?}", observe::outcomes(answers));
    }
}

/// The server stops in time, killed nobody, and none of its children ever crashed.
#[track_caller]
pub fn clean_stop(mut server: Server) {
    server.settle().expect("connections to end");
    let stop = server.stop().expect("stopping the server");
    assert_eq!(server.crashes(), Vec::<String>::new(), "{}\n{}", server.error_log(), server.crash_report());
    assert!(!stop.hung && stop.took <= STOP, "{stop:?}\n{}", server.error_log());
}
