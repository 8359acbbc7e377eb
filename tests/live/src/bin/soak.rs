//! A mixed site for minutes, with the stock and the relinked mod_python in turn.
//!
//! Prints a table, draws answers and memory over time, and fails if anything of the relinked module is not as it has to
//! be.

use std::io::Result;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use modpython_live::soak::{self, Outcome, Soak};
use modpython_live::subject::{Way, subject};
use modpython_live::{Module, Mpm, prerequisites};

/// A mixed site for minutes, with the stock and the relinked mod_python in turn, in a real Apache.
#[derive(Parser)]
struct Options {
    /// How long the relinked module is asked under each MPM.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// How long the stock module is; as long as the relinked one if left out, and not at all with 0.
    #[arg(long)]
    stock_minutes: Option<f64>,
    /// Under which MPMs.
    #[arg(long, value_delimiter = ',', default_value = "worker,event")]
    mpm: Vec<Threads>,
    /// Between two graceful restarts, in the first three fifths of the time; the child that serves on is judged by its
    /// memory. A run that is too short for two has one, in its middle. 0 is none.
    #[arg(long, default_value_t = 60.0)]
    restart_seconds: f64,
    /// Ask for this kind of page alone, with no slow clients and none that hang up.
    #[arg(long)]
    only: Option<String>,
    /// Where a child that crashes leaves its core; the shell's limit has to allow it, and httpd's user to write there.
    #[arg(long)]
    cores: Option<PathBuf>,
    /// Where the pictures go.
    #[arg(long, default_value = "target/soak")]
    output: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Threads {
    Worker,
    Event,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<ExitCode> {
    prerequisites::httpd()?;
    println!("On {}.", subject());
    for what in soak::left_out() {
        println!("Left out, {what}.");
    }
    let mut runs: Vec<(Soak, Outcome)> = Vec::new();
    for mpm in &options.mpm {
        let mpm = match mpm {
            Threads::Worker => Mpm::Worker,
            Threads::Event => Mpm::Event,
        };
        for (module, minutes) in
            [(Module::Stock, options.stock_minutes.unwrap_or(options.minutes)), (Module::Relinked, options.minutes)]
        {
            if minutes > 0.0 {
                let duration = Duration::from_secs_f64(minutes * 60.0);
                let restart = match options.restart_seconds {
                    0.0 => Duration::MAX,
                    seconds => Duration::from_secs_f64(seconds).min(duration / 2),
                };
                let soak =
                    Soak { module, mpm, duration, only: options.only.clone(), restart, cores: options.cores.clone() };
                let outcome = soak.run(|line| println!("{line}"))?;
                runs.push((soak, outcome));
            }
        }
    }
    println!("\n{}", soak::terminal(&runs));
    for path in soak::write_charts(&options.output, &file_name(), &runs)? {
        println!("A picture of it: {}", shown(&path));
    }
    let faults: Vec<_> = runs
        .iter()
        .filter(|(soak, _)| soak.module == Module::Relinked)
        .flat_map(|(soak, outcome)| outcome.faults().into_iter().map(|fault| format!("{}: {fault}", soak.mpm)))
        .collect();
    for fault in &faults {
        eprintln!("soak: relinked, {fault}");
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The subject in a word.
fn file_name() -> String {
    let way = match subject().way() {
        None => "distribution",
        Some(Way::Source) => "source",
        Some(Way::Objects) => "objects",
        Some(Way::Finished) => "finished",
    };
    format!("{}-{way}", subject().shape())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
