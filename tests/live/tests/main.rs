//! The live tests: a real Apache under load, one test after the other. Each module has a table of its tests and of the
//! places where they say something; those that say nothing of the subject are left out. Usage:
//!
//! ```text
//! cargo test --profile model -p modpython-live [-- PART_OF_A_NAME ...]
//! ```

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use modpython_live::subject;
use modpython_live::subjects::Subjects;

mod acquisitions;
mod apps;
mod apps_memory;
mod cold_start;
mod creation;
mod directories;
mod failures;
mod fork;
mod import_cold_start;
mod import_cycles;
mod import_failing;
mod import_pages;
mod import_parallel;
mod import_same_name;
mod import_touched;
mod lookalike_cgi;
mod lookalike_defects;
mod lookalike_generations;
mod lookalike_importer;
mod lookalike_leaks;
mod lookalike_remedies;
mod neighbours;
mod nesting;
mod phases;
mod remedies35;
mod replacements;
mod restarts;
mod signals;
mod switch;
mod thread_states;

/// A test, and where it says something.
struct LiveTest {
    name: &'static str,
    place: Subjects,
    run: fn(),
}

/// The tests of a module, each with its place.
#[macro_export]
macro_rules! live_tests {
    ($($name:ident: $place:expr,)*) => {
        pub(crate) const TESTS: &[$crate::LiveTest] =
            &[$($crate::LiveTest { name: concat!(module_path!(), "::", stringify!($name)), place: $place, run: $name }),*];
    };
}

const MODULES: &[&[LiveTest]] = &[
    acquisitions::TESTS,
    apps::TESTS,
    apps_memory::TESTS,
    cold_start::TESTS,
    creation::TESTS,
    directories::TESTS,
    failures::TESTS,
    fork::TESTS,
    lookalike_cgi::TESTS,
    lookalike_defects::TESTS,
    lookalike_generations::TESTS,
    lookalike_importer::TESTS,
    lookalike_leaks::TESTS,
    lookalike_remedies::TESTS,
    import_cold_start::TESTS,
    import_cycles::TESTS,
    import_failing::TESTS,
    import_pages::TESTS,
    import_parallel::TESTS,
    import_same_name::TESTS,
    import_touched::TESTS,
    neighbours::TESTS,
    nesting::TESTS,
    phases::TESTS,
    remedies35::TESTS,
    replacements::TESTS,
    restarts::TESTS,
    signals::TESTS,
    switch::TESTS,
    thread_states::TESTS,
];

/// The options for the runner, and the names, of which it takes one alone.
fn split(arguments: impl Iterator<Item = String>) -> (Vec<String>, Vec<String>) {
    let (mut options, mut names) = (Vec::new(), Vec::new());
    let mut is_value = false;
    for argument in arguments {
        let is_option = argument.starts_with('-');
        let belongs = is_option || is_value;
        is_value = is_option && ["--skip", "--test-threads", "--logfile", "--color", "--format"].contains(&&*argument);
        if belongs { options.push(argument) } else { names.push(argument) }
    }
    (options, names)
}

fn main() -> ExitCode {
    let (options, names) = split(std::env::args().skip(1));
    let mut arguments = Arguments::from_iter(std::iter::once("live".to_owned()).chain(options));
    // Each has the machine for itself: they measure, and wait for what must not take long.
    arguments.test_threads = Some(1);
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        MODULES.iter().copied().flatten().partition(|test| test.place.has(subject()));
    println!("On {}; {} tests are for others.", subject(), elsewhere.len());
    let trials = here.into_iter().filter_map(|test| {
        let name = test.name.split_once("::").map_or(test.name, |(_, name)| name);
        let is_it = |asked: &String| if arguments.exact { name.ends_with(asked) } else { name.contains(asked) };
        (names.is_empty() || names.iter().any(is_it)).then(|| {
            Trial::test(name, || {
                (test.run)();
                Ok(())
            })
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    apps::clear();
    conclusion.exit_code()
}
