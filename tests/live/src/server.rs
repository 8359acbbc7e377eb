//! One Apache under test: its log and its processes, until it has stopped.

use std::fs;
use std::io::{Error, Result};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::config::Module;
use crate::crash;
use crate::http::Client;
use crate::wait::wait_until;

const START: Duration = Duration::from_secs(20);
/// Under callgrind everything takes some fifty times as long.
const COUNTED: u32 = 10;
const RESTART: Duration = Duration::from_secs(20);
/// httpd itself kills a child that does not stop after about ten seconds.
const STOP: Duration = Duration::from_secs(25);
/// A child that has not ended by then is looked at.
const SLOW_STOP: Duration = Duration::from_secs(6);
/// For one answer, and for the first of a new process.
const ANSWER: Duration = Duration::from_secs(5);
const RESTARTED: Duration = Duration::from_secs(30);
/// So many looks in a row have to find no thread running, within this time.
const LOOKS: u32 = 20;
const AT_REST: Duration = Duration::from_secs(1);
const SETTLE: Duration = Duration::from_secs(10);
/// In the kernel's table of connections: established, and closed by the client alone.
const BUSY: [&str; 2] = ["01", "08"];

/// Traces that a crash of a child leaves in the error log.
const CRASHES: [&str; 3] = ["exit signal", "Fatal Python error", "Segmentation fault"];
/// httpd's log message when a child survived its SIGTERM and had to be killed.
const KILLED: &str = "AH00046";
/// The folder of a module and a library of the server's own.
const OWN: &str = "own";
/// callgrind's file among the notes.
pub(crate) const COUNTS: &str = "callgrind.out";
const SERVING: &str = "resuming normal operations";

/// How a server stopped.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    /// From SIGTERM to the end of the parent process.
    pub took: Duration,
    /// Whether somebody had to be killed.
    pub hung: bool,
}

/// A running httpd.
pub struct Server {
    // Only a server that serves owns its directory: one that could not bind leaves it to the next attempt.
    pub(crate) directory: Option<TempDir>,
    pub(crate) root: PathBuf,
    pub(crate) port: u16,
    pub(crate) process: Child,
    pub(crate) stopped: bool,
    pub(crate) counted: bool,
    pub(crate) is_stock: bool,
}

impl Server {
    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where handlers and the instrumentation leave their notes, and where flags for them are set.
    pub fn notes(&self) -> PathBuf {
        self.root.join("notes")
    }

    /// The document root.
    pub fn htdocs(&self) -> PathBuf {
        self.root.join("htdocs")
    }

    /// httpd's error log so far.
    pub fn error_log(&self) -> String {
        read_lossy(&self.root.join("error.log"))
    }

    pub(crate) fn console(&self) -> String {
        read_lossy(&self.root.join("console"))
    }

    /// Lines of the error log that contain `text`.
    pub fn logged(&self, text: &str) -> Vec<String> {
        lines_with(&self.error_log(), text)
    }

    /// Lines of the error log that speak of a crash.
    pub fn crashes(&self) -> Vec<String> {
        let mut log = self.error_log();
        log.push_str(&self.console());
        CRASHES.iter().flat_map(|text| lines_with(&log, text)).collect()
    }

    /// Restarts, and waits until `/who` is answered by a process that was not there before. Failures meanwhile do not
    /// count: a restart that is not graceful ends connections, and stock's first requests may fail.
    pub fn restart_to_a_new_process(&mut self, restart: fn(&mut Self) -> Result<()>) -> Result<()> {
        let before = self.children()?;
        restart(self)?;
        let mut client = Client::new(self.port(), false, ANSWER);
        wait_until("an answer of a new process", RESTARTED, || {
            Ok(client.get("/who").ok().and_then(|answer| answer.pid()).filter(|pid| !before.contains(pid)))
        })
        .map(drop)
    }

    /// Where children have crashed, as far as that is known.
    pub fn crash_report(&self) -> String {
        crash::report(&self.root)
    }

    /// What each thread of each child is at.
    pub fn calls_of_children(&self) -> Result<String> {
        Ok(self.children()?.into_iter().map(crash::calls).collect::<Vec<_>>().join("\n"))
    }

    /// The processes that serve requests now.
    pub fn children(&self) -> Result<Vec<u32>> {
        let mut children = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // A process may be gone between the listing and this look at it.
            let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
                continue;
            };
            // The command is in parentheses and may itself contain some; state and parent follow the last one.
            let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
            if parent.and_then(|text| text.parse().ok()) == Some(self.process.id()) {
                children.push(pid);
            }
        }
        Ok(children)
    }

    /// Processor time that the serving processes have used so far.
    pub fn processor_time(&self) -> Result<Duration> {
        // SAFETY: sysconf reads no memory of ours.
        let ticks_per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        let mut ticks = 0;
        for pid in self.children()? {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
            // Counted from the state, the first field behind the command: user time, then system time.
            let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
            ticks += fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
        }
        Ok(Duration::from_secs_f64(ticks as f64 / ticks_per_second as f64))
    }

    /// The process that starts the others.
    #[must_use]
    pub fn parent(&self) -> u32 {
        self.process.id()
    }

    /// Sends a graceful restart and waits until httpd says that it serves again.
    pub fn graceful(&mut self) -> Result<()> {
        self.restart(libc::SIGUSR1)
    }

    /// Puts a copy of the module in another place, and that place into the configuration.
    pub fn move_module(&self) -> Result<()> {
        let (from, place) = (self.loaded_module()?, self.root.join("moved"));
        fs::create_dir(&place)?;
        let moved = place.join("mod_python.so");
        fs::copy(&from, &moved)?;
        // It looks for the library beside itself.
        for library in libraries_beside(&from)? {
            fs::copy(&library, place.join(library.file_name().unwrap_or_default()))?;
        }
        self.load_module_from(&moved)
    }

    /// The module in the configuration.
    fn loaded_module(&self) -> Result<PathBuf> {
        let text = fs::read_to_string(self.root.join("httpd.conf"))?;
        let line = text.lines().find(|line| line.starts_with("LoadModule python_module "));
        let module = line.and_then(|line| line.split('"').nth(1));
        module.map(PathBuf::from).ok_or_else(|| Error::other("no LoadModule line"))
    }

    fn load_module_from(&self, place: &Path) -> Result<()> {
        let (file, before) = (self.root.join("httpd.conf"), self.loaded_module()?);
        let text = fs::read_to_string(&file)?;
        fs::write(&file, text.replace(&before.display().to_string(), &place.display().to_string()))
    }

    /// Sends a hard restart, at which httpd ends its children, and waits until httpd says that it serves again.
    pub fn hard_restart(&mut self) -> Result<()> {
        self.restart(libc::SIGHUP)
    }

    fn restart(&mut self, signal: libc::c_int) -> Result<()> {
        let before = self.logged(SERVING).len();
        self.signal(signal);
        wait_until("the end of a restart", RESTART, || {
            self.still_running()?;
            Ok((self.logged(SERVING).len() > before).then_some(()))
        })
    }

    /// Gives the server a module and a library of its own, which may be replaced; for the next restart.
    pub fn own_module(&self) -> Result<()> {
        fs::create_dir(self.root.join(OWN))?;
        self.put_own_library(true)?;
        self.put_own_module(Module::Relinked)?;
        self.load_module_from(&self.root.join(OWN).join("mod_python.so"))
    }

    /// Replaces the server's own module, as a package manager does: by a new file of the same name.
    pub fn put_own_module(&self, module: Module) -> Result<()> {
        replace(&module.path()?, &self.root.join(OWN).join("mod_python.so"))
    }

    /// Replaces the server's own library, or removes it.
    pub fn put_own_library(&self, there: bool) -> Result<()> {
        for library in libraries_beside(&Module::Relinked.path()?)? {
            let own = self.root.join(OWN).join(library.file_name().unwrap_or_default());
            if there {
                replace(&library, &own)?;
            } else if own.exists() {
                fs::remove_file(&own)?;
            }
        }
        Ok(())
    }

    /// Waits until no connection is left that a client has closed and httpd has not.
    ///
    /// The event MPM (2.4.71) reads freed memory when SIGTERM meets a connection that is just being closed: without any
    /// Python in the request, one stop in four crashes right after a load of static pages.
    ///
    /// # Errors
    ///
    /// If one is left when the time is over; but for stock, whose threads may hang in their requests for good.
    pub fn settle(&self) -> Result<()> {
        let end = format!(":{:04X}", self.port);
        let closed = wait_until("connections to end", SETTLE, || {
            let table = fs::read_to_string("/proc/net/tcp")?;
            let busy = table.lines().skip(1).any(|line| {
                let mut columns = line.split_whitespace().skip(1);
                let local = columns.next().is_some_and(|address| address.ends_with(&end));
                local && columns.nth(1).is_some_and(|state| BUSY.contains(&state))
            });
            Ok((!busy).then_some(()))
        });
        if !self.is_stock {
            closed?;
        }
        // The connection is closed before its memory is given back. A thread of a handler may go on for good, and is
        // not waited for.
        let mut still = 0;
        let _ = wait_until("its threads to be still", AT_REST, || {
            still = if self.is_still()? { still + 1 } else { 0 };
            Ok((still == LOOKS).then_some(()))
        });
        Ok(())
    }

    /// Whether no thread of any child is running.
    fn is_still(&self) -> Result<bool> {
        for child in self.children()? {
            for task in fs::read_dir(format!("/proc/{child}/task"))? {
                // The state follows the name, which is in brackets. A thread may have ended meanwhile.
                let stat = fs::read_to_string(task?.path().join("stat")).unwrap_or_default();
                if stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('R')) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Stops the server, by force once its time is over.
    pub fn stop(&mut self) -> Result<Stop> {
        let begin = Instant::now();
        self.signal(libc::SIGTERM);
        if wait_until("the end of httpd", self.allowed(SLOW_STOP), || self.process.try_wait()).is_err()
            && !self.is_stock
        {
            println!("{}", self.calls_of_children()?);
        }
        let rest = self.allowed(STOP - SLOW_STOP);
        let ended = wait_until("the end of httpd", rest, || self.process.try_wait());
        let took = begin.elapsed();
        self.kill();
        Ok(Stop { took, hung: ended.is_err() || !self.logged(KILLED).is_empty() })
    }

    pub(crate) fn wait_serving(&mut self) -> Result<()> {
        wait_until("httpd to accept connections", self.allowed(START), || {
            self.still_running()?;
            // A single process says nothing, and has no children.
            let serves = || -> Result<bool> { Ok(!self.logged(SERVING).is_empty() && !self.children()?.is_empty()) };
            let serving = (self.counted || serves()?) && TcpStream::connect(("127.0.0.1", self.port)).is_ok();
            Ok(serving.then_some(()))
        })
    }

    fn allowed(&self, time: Duration) -> Duration {
        if self.counted { time * COUNTED } else { time }
    }

    /// How many instructions the server has run from its start to its end ([`Setup::counted`](crate::Setup::counted)).
    pub fn instructions(&self) -> Result<u64> {
        let text = fs::read_to_string(self.notes().join(COUNTS))?;
        let total = text.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
        let total = total.and_then(|total| total.trim().parse().ok());
        total.ok_or_else(|| Error::other("callgrind has left no total"))
    }

    fn still_running(&mut self) -> Result<()> {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(status) => Err(Error::other(format!("httpd ended with {status}"))),
        }
    }

    /// Sends the parent a signal, and waits for nothing.
    pub fn signal(&self, signal: libc::c_int) {
        // SAFETY: kill reads no memory of ours. The process is our child and not reaped yet, so the number is its own.
        unsafe { libc::kill(self.process.id() as libc::pid_t, signal) };
    }

    /// Ends whatever is left of the process group.
    fn kill(&mut self) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        // SAFETY: kill reads no memory of ours. The group was made for this httpd alone, and its number cannot be
        // given to anybody else while one of its members lives; without members the call fails, harmlessly.
        unsafe { libc::kill(-(self.process.id() as libc::pid_t), libc::SIGKILL) };
        // Reaping twice is an error that means nothing here.
        let _ = self.process.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Our shared libraries in the folder of a module.
fn libraries_beside(module: &Path) -> Result<Vec<PathBuf>> {
    let folder = module.parent().ok_or_else(|| Error::other("a module in no folder"))?;
    let mut libraries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("libmodpython-core-") {
            libraries.push(entry.path());
        }
    }
    Ok(libraries)
}

/// Puts a copy of a file in the place of another in one step.
fn replace(from: &Path, to: &Path) -> Result<()> {
    let new = to.with_extension("new");
    fs::copy(from, &new)?;
    fs::rename(new, to)
}

fn read_lossy(path: &Path) -> String {
    // A log that is not there yet has no lines yet.
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn lines_with(log: &str, text: &str) -> Vec<String> {
    log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
}
