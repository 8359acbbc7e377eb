//! A server's setup: chosen step by step, laid out in a directory of its own, and started.

use std::fs::{self, File, Permissions};
use std::io::{Error, Result};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::config::{Config, Module, Mpm};
use crate::server::{self, Server};
use crate::{crash, prerequisites, site, subject};

const PORTS_TRIED: u32 = 5;

/// How a server is to be set up.
#[derive(Clone, Debug)]
pub struct Setup {
    module: Module,
    mpm: Mpm,
    workers: u32,
    processes: u32,
    instrumented: bool,
    modules: Vec<String>,
    directives: String,
    environment: Vec<(String, String)>,
    files: Vec<(PathBuf, String)>,
    counted: bool,
}

impl Setup {
    /// A worker MPM with one child of 32 threads, whose interpreters take notes.
    pub fn new(module: Module) -> Self {
        Self {
            module,
            mpm: Mpm::Worker,
            workers: 32,
            processes: 1,
            instrumented: true,
            modules: Vec::new(),
            directives: String::new(),
            environment: Vec::new(),
            files: Vec::new(),
            counted: false,
        }
    }

    /// Chooses the MPM, and how many requests it serves at once.
    pub fn mpm(mut self, mpm: Mpm, workers: u32) -> Self {
        (self.mpm, self.workers) = (mpm, workers);
        self
    }

    /// Lets a threaded MPM start a second child, so that the gap is short which httpd itself leaves between the old
    /// child and the new one at a graceful restart.
    pub fn two_processes(mut self) -> Self {
        self.processes = 2;
        self
    }

    /// Leaves out everything that takes notes, so that only mod_python is measured.
    pub fn bare(mut self) -> Self {
        self.instrumented = false;
        self
    }

    /// Runs the server under callgrind, in one process, which counts the instructions: [`Server::instructions`].
    pub fn counted(mut self) -> Self {
        self.counted = true;
        self
    }

    /// Has everything that takes notes, as at first.
    pub fn instrumented(mut self) -> Self {
        self.instrumented = true;
        self
    }

    /// Loads one more of httpd's modules.
    pub fn load(mut self, module: &str) -> Self {
        self.modules.push(module.to_owned());
        self
    }

    /// Adds directives; `${HTDOCS}` and `${NOTES}` are this server's directories.
    pub fn directives(mut self, text: &str) -> Self {
        self.directives.push_str(text);
        self.directives.push('\n');
        self
    }

    /// Sets an environment variable of httpd.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Imports these handlers in every interpreter before it is used, for tests that are not about imports: while one
    /// thread imports a handler, mod_python's own `import_module` gives others the unfinished module, and they answer
    /// 500.
    pub fn preload(self, handlers: &str) -> Self {
        self.environment(site::PRELOAD_VARIABLE, handlers)
    }

    /// Puts a file below the document root.
    pub fn file(mut self, path: impl Into<PathBuf>, text: &str) -> Self {
        self.files.push((path.into(), text.to_owned()));
        self
    }

    /// Starts the server and waits until it accepts connections.
    pub fn start(&self) -> Result<Server> {
        let httpd = prerequisites::httpd()?;
        let module = self.module.path()?;
        let directory = tempfile::Builder::new().prefix("modpython-live-").tempdir()?;
        let root = directory.path();
        self.lay_out(root)?;
        for _ in 0..PORTS_TRIED {
            let port = free_port()?;
            let config = Config {
                root,
                port,
                module: &module,
                mpm: self.mpm,
                workers: self.workers,
                processes: self.processes,
                modules: &self.modules,
                directives: &self.directives,
            };
            fs::write(root.join("httpd.conf"), config.text()?)?;
            let process = self.spawn(&httpd, root)?;
            // Stock crashes at every turn.
            if self.module == Module::Relinked {
                crash::allow_cores(&process)?;
            }
            let mut server = Server {
                directory: None,
                root: root.to_owned(),
                port,
                process,
                stopped: false,
                counted: self.counted,
                is_stock: self.module == Module::Stock,
            };
            match server.wait_serving() {
                Ok(()) => {
                    let said = server.console() + &server.error_log();
                    if site::FAILED.iter().any(|failed| said.contains(failed)) {
                        return Err(Error::other(format!("the instrumentation does not work:\n{said}")));
                    }
                    server.directory = Some(directory);
                    return Ok(server);
                }
                // Somebody else took the port between our look and httpd's bind.
                Err(_) if server.console().contains("could not bind to address") => {}
                Err(error) => {
                    return Err(Error::other(format!("{error}\n{}{}", server.console(), server.error_log())));
                }
            }
        }
        Err(Error::other(format!("{PORTS_TRIED} ports in a row were taken")))
    }

    fn lay_out(&self, root: &Path) -> Result<()> {
        if prerequisites::is_root() {
            prerequisites::enterable_by_all(root)?;
        }
        fs::set_permissions(root, Permissions::from_mode(0o755))?;
        for name in ["htdocs", "python", "notes", "run", crash::CORES] {
            fs::create_dir(root.join(name))?;
        }
        // httpd's parent takes notes there, and so do its children, as whatever user they run.
        let notes = root.join("notes");
        for directory in [&notes, &root.join(crash::CORES)] {
            fs::set_permissions(directory, Permissions::from_mode(0o777))?;
        }
        fs::write(notes.join(site::EVENTS), "")?;
        fs::set_permissions(notes.join(site::EVENTS), Permissions::from_mode(0o666))?;
        site::write_modules(&root.join("python"), self.instrumented)?;
        // In the server's own directory, where children may read it, and before whatever else is called mod_python.
        if let Some(package) = subject().package(self.module) {
            copy_directory(&package, &root.join("python/mod_python"))?;
        }
        for (path, text) in &self.files {
            let path = root.join("htdocs").join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, text)?;
        }
        Ok(())
    }

    fn spawn(&self, httpd: &Path, root: &Path) -> Result<Child> {
        let console = File::create(root.join("console"))?;
        let mut command = if self.counted {
            let mut command = Command::new(prerequisites::valgrind()?);
            let counts = root.join("notes").join(server::COUNTS);
            // Written at the end, by a process that is no longer root's.
            File::create(&counts)?.set_permissions(Permissions::from_mode(0o666))?;
            let counts = format!("--callgrind-out-file={}", counts.display());
            command.args(["--tool=callgrind", "--vgdb=no", &counts]).arg(httpd).arg("-X");
            command
        } else {
            let mut command = Command::new(httpd);
            command.arg("-DFOREGROUND");
            command
        };
        command
            .arg("-f")
            .arg(root.join("httpd.conf"))
            .env_clear()
            // libpython takes its prefix from the python3 found on PATH, which must be the distribution's.
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LANG", "C.UTF-8")
            .env("PYTHONPATH", root.join("python"))
            .env(site::NOTES_VARIABLE, root.join("notes"))
            .stdin(Stdio::null())
            .stdout(console.try_clone()?)
            .stderr(console)
            // A group of its own, so that nothing outlives the server.
            .process_group(0);
        if let Some(home) = subject().python_home() {
            command.env("LD_LIBRARY_PATH", home.join("lib")).env("PYTHONHOME", home);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).spawn()
    }
}

fn copy_directory(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
