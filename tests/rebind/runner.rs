//! Runs each scenario in a process of its own.

use super::scenarios;
use std::{
    env,
    os::unix::process::CommandExt,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

const SCENARIO: &str = "REBIND_SCENARIO";

/// Runs a scenario in a process of its own and returns what it wrote.
pub fn run(name: &str, environment: &[(&str, &str)]) -> Output {
    let packages = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");
    let mut child = Command::new(env::current_exe().expect("a test knows its file"))
        .args(["--exact", "shared::scenario", "--nocapture", "--include-ignored"])
        .env(SCENARIO, name)
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("the test starts itself");
    let deadline = Instant::now() + Duration::from_secs(30);
    while child.try_wait().expect("it is our child").is_none() {
        if Instant::now() > deadline {
            // The whole group: the child of a fork would keep the pipes open.
            // SAFETY: a signal to processes of our own.
            unsafe { libc::kill(-(child.id() as i32), libc::SIGKILL) };
            let output = child.wait_with_output().expect("it is our child");
            panic!("{name} hangs; it wrote:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().expect("it is our child");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{name}: {}\n{out}\n{err}", output.status);
    output
}

/// Runs the scenario that the environment names, if it names one.
pub fn scenario() {
    if let Ok(name) = env::var(SCENARIO) {
        scenarios::run(&name);
    }
}

/// A scenario's log.
pub fn log_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
