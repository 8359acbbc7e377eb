//! The main job, shown: cold starts of a real Apache with the stock and the relinked mod_python in turn.
//!
//! Prints a table, writes a page with a picture, and fails if the relinked module shows a second interpreter.

use std::env;
use std::io::Result;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use modpython_live::coldstart::{CLIENTS, ColdStart, Outcome};
use modpython_live::observe::last_first_answer;
use modpython_live::report::{self, Series};
use modpython_live::{Module, Mpm, prerequisites};

const COLD_STARTS: usize = 5;
/// Longer than the stock module usually needs until its last client has an answer, so that the picture shows what
/// follows too.
const LOAD: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    // Better now than after half of the cold starts.
    prerequisites::httpd()?;
    for module in [Module::Stock, Module::Relinked] {
        module.path()?;
    }
    println!(
        "Apache 2.4, worker MPM, {CLIENTS} threads; {CLIENTS} clients ask at once for a handler that takes 0.2 s to \
         import."
    );
    let begin = Instant::now();
    let mut series = Vec::new();
    for module in [Module::Stock, Module::Relinked] {
        for autoreload in [true, false] {
            series.push(one_series(module, autoreload)?);
        }
    }
    let page = report::write_page(&output(), &series)?;
    println!(
        "\n{}\nThe picture: {} ({:.0} s in all)",
        report::terminal(&series),
        page.canonicalize()?.display(),
        begin.elapsed().as_secs_f64()
    );
    Ok(verdict(&series))
}

fn one_series(module: Module, autoreload: bool) -> Result<Series> {
    let cold_start = ColdStart { module, mpm: Mpm::Worker, autoreload, load: LOAD };
    let mut runs = Vec::new();
    for number in 1..=COLD_STARTS {
        let run = cold_start.run()?;
        println!(
            "{module:8} PythonAutoReload {:3} cold start {number} of {COLD_STARTS}: interpreters {:2}, loads {:2}, {} of \
             {} answers bad, every client had one after {:.2} s",
            if autoreload { "on" } else { "off" },
            run.interpreters(),
            run.loads(),
            run.bad(),
            run.answers.len(),
            last_first_answer(&run.answers) as f64 / 1e6,
        );
        runs.push(run);
    }
    Ok(Series { module, autoreload, runs })
}

/// Whether each cold start of the relinked module was as it has to be; prints how many were not.
fn verdict(series: &[Series]) -> bool {
    let relinked: Vec<&Outcome> =
        series.iter().filter(|series| series.module == Module::Relinked).flat_map(|series| &series.runs).collect();
    let failed = |what: &str, is_bad: &dyn Fn(&Outcome) -> bool| {
        let number = relinked.iter().filter(|run| is_bad(run)).count();
        if number > 0 {
            println!("FAILED: {number} of {} cold starts of the relinked module {what}", relinked.len());
        }
        number > 0
    };
    let bad = [
        failed("had not one interpreter", &|run| run.interpreters() != 1),
        failed("did not load the module once", &|run| run.loads() != 1),
        failed("gave answers other than 200", &|run| run.bad() > 0),
        failed("crashed or hung at stop", &|run| !run.crashes.is_empty() || run.stop.hung),
    ];
    let good = !bad.contains(&true);
    if good {
        println!(
            "The relinked module had one interpreter, one load and no bad answer in each of {} cold starts.",
            relinked.len()
        );
    }
    good
}

/// `target/demo` of the workspace, or the directory given as the argument.
fn output() -> PathBuf {
    env::args_os().nth(1).map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/demo"), PathBuf::from)
}
