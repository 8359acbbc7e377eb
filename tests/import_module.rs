//! `import_module` in an embedded Python, without Apache: every script of tests/python, each in a process of its own,
//! in the main interpreter and in sub-interpreters.
//!
//! `cargo test --test import_module [-- NAME]` (built without PYO3_BUILD_EXTENSION_MODULE, which links libpython)
//!
//! A script whose first line says `# interpreters: N` runs in N sub-interpreters at once instead, and one that begins
//! with `# Python 3` not in Python 2. A process that is not done by the deadline is killed, and counts as hung. Two run
//! at a time, as most of them wait most of the time.

#[path = "support/embedded.rs"]
mod embedded;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(120);
const AT_ONCE: usize = 2;

/// For how many seconds the random trees of `test_oracle.py` go on (`make check-long`), which moves the deadline.
const ORACLE: &str = "MODPYTHON_CORE_ORACLE_SECONDS";

/// Tells a process of this program which script it is to run, and where.
const SCRIPT: &str = "MODPYTHON_CORE_TEST_SCRIPT";
const WHERE: &str = "MODPYTHON_CORE_TEST_INTERPRETERS";
/// Parts of the names of the cases to run, with spaces between; all without it.
const CASES: &str = "CASE";

fn main() -> ExitCode {
    if let (Some(script), Ok(interpreters)) = (std::env::var_os(SCRIPT), std::env::var(WHERE)) {
        let interpreters = interpreters.parse().expect("a number");
        return embedded::run(Path::new(&script), interpreters);
    }
    let wanted: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let mut runs = Vec::new();
    for script in scripts() {
        let name = script.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_wanted = wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted.as_str()));
        // No script, then, but some of its cases.
        let cases: Vec<_> = wanted.iter().filter(|wanted| !is_wanted && has_case(&script, wanted)).cloned().collect();
        if is_wanted || !cases.is_empty() {
            let run =
                |interpreters| Run { name: name.clone(), script: script.clone(), interpreters, cases: cases.clone() };
            runs.extend(places(&script).into_iter().map(run));
        }
    }
    if runs.is_empty() {
        println!("No script of tests/python and no case in one has {} in its name.", wanted.join(" or "));
    }
    let runs = Mutex::new(runs.into_iter());
    let [passed, failed] = std::thread::scope(|scope| {
        let workers = [(); AT_ONCE].map(|()| scope.spawn(|| run_while_there_are(&runs)));
        workers
            .map(|worker| worker.join().expect("a worker"))
            .into_iter()
            .fold([0, 0], |sum, of| [sum[0] + of[0], sum[1] + of[1]])
    });
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A script in the main interpreter (0) or in so many others, whole or these cases of it.
struct Run {
    name: String,
    script: PathBuf,
    interpreters: u32,
    cases: Vec<String>,
}

/// Whether a case of the script has that in its name.
fn has_case(script: &Path, wanted: &str) -> bool {
    let text = std::fs::read_to_string(script).expect("readable");
    let names = text.split("\n@case\ndef ").skip(1).filter_map(|rest| rest.split('(').next());
    names.into_iter().any(|name| name.contains(wanted))
}

/// Takes one run after the other; returns how many have passed, and how many failed.
fn run_while_there_are(runs: &Mutex<impl Iterator<Item = Run>>) -> [u32; 2] {
    let mut counts = [0, 0];
    loop {
        let next = runs.lock().expect("no panic").next();
        let Some(run) = next else { return counts };
        let before = Instant::now();
        let (outcome, written) = run_apart(&run);
        let place = if run.interpreters == 0 { "main".to_owned() } else { format!("{} sub", run.interpreters) };
        let failed = outcome != "ok";
        // Of one that passes the last line, which has the count: the other lines are there on purpose.
        let shown = if failed { &written } else { written.trim_end().rsplit('\n').next().unwrap_or_default() };
        // In one piece: the other worker writes too.
        println!(
            "{}\ntest {} ({place}) ... {outcome} in {:.1} s",
            shown.trim_end(),
            run.name,
            before.elapsed().as_secs_f32()
        );
        counts[usize::from(failed)] += 1;
    }
}

/// The scripts to run, in the order of their names.
fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
    let entries = std::fs::read_dir(folder).expect("tests/python is there");
    let mut scripts: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    scripts.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("test_")));
    scripts.sort();
    scripts
}

/// In how many sub-interpreters at once to run a script, one run after the other; 0 is the main interpreter.
fn places(script: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(script).expect("readable");
    if text.starts_with("# Python 3") && !cfg!(feature = "python3") {
        return Vec::new();
    }
    let number = text.lines().next().and_then(|line| line.strip_prefix("# interpreters: "));
    number.map_or(vec![0, 1], |number| vec![number.trim().parse().expect("a number")])
}

/// How it ended, and what it has written.
fn run_apart(run: &Run) -> (String, String) {
    let mut command = Command::new(std::env::current_exe().expect("known"));
    command.env(SCRIPT, &run.script).env(WHERE, run.interpreters.to_string()).stdin(Stdio::null());
    if !run.cases.is_empty() {
        command.env(CASES, run.cases.join(" "));
    }
    // Some shells set it; it would hide what stale bytecode does.
    command.env_remove("PYTHONDONTWRITEBYTECODE");
    // The script's files go with this folder, even if the script has to be killed.
    let folder = tempfile::tempdir().expect("a temporary directory");
    command.env("TMPDIR", folder.path());
    let output = tempfile::NamedTempFile::new().expect("a temporary file");
    let writer = || File::options().append(true).open(output.path()).expect("the file is there");
    command.stdout(writer()).stderr(writer());
    let mut child = command.spawn().expect("it can be started");
    let longer = std::env::var(ORACLE).ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
    let deadline = Instant::now() + DEADLINE + Duration::from_secs(longer);
    let outcome = loop {
        match child.try_wait().expect("it is our child") {
            Some(status) if status.success() => break "ok".to_owned(),
            Some(status) => break format!("FAILED ({status})"),
            None if Instant::now() > deadline => {
                child.kill().expect("it is our child");
                child.wait().expect("it is our child");
                break "HUNG".to_owned();
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let written = std::fs::read(output.path()).expect("the file is there");
    (outcome, String::from_utf8_lossy(&written).into_owned())
}
