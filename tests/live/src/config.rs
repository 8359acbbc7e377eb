//! The text of httpd's configuration file.

use std::fmt::{self, Write};
use std::io::Result;
use std::path::{Path, PathBuf};

use crate::{crash, prerequisites, subject};

/// Which mod_python is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Module {
    /// The distribution's as installed, or our look-alike as built.
    Stock,
    /// The same after relinking.
    Relinked,
}

impl Module {
    /// Where the module is.
    pub fn path(self) -> Result<PathBuf> {
        subject().module(self)
    }
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Stock => "stock",
            Self::Relinked => "relinked",
        })
    }
}

/// Which of httpd's multi-processing modules serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mpm {
    /// Threads; a connection keeps its thread.
    Worker,
    /// Threads; a connection that waits gives its thread back.
    Event,
    /// Processes of one thread each.
    Prefork,
}

impl Mpm {
    fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Event => "event",
            Self::Prefork => "prefork",
        }
    }
}

impl fmt::Display for Mpm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Modules of httpd that every server here needs. mod_mime is among them because stock publisher crashes without it.
const ALWAYS: [&str; 5] = ["authz_core", "mime", "dir", "alias", "env"];

/// The settings that vary from server to server.
pub(crate) struct Config<'a> {
    pub root: &'a Path,
    pub port: u16,
    pub module: &'a Path,
    pub mpm: Mpm,
    pub workers: u32,
    pub processes: u32,
    pub modules: &'a [String],
    pub directives: &'a str,
}

impl Config<'_> {
    /// The whole file.
    pub fn text(&self) -> Result<String> {
        let root = self.root.display();
        let mut text = format!(
            "Define HTDOCS \"{root}/htdocs\"\n\
             Define NOTES \"{root}/notes\"\n\
             ServerRoot \"{root}\"\n\
             ServerName live.test\n\
             Listen 127.0.0.1:{port}\n\
             PidFile \"{root}/httpd.pid\"\n\
             DefaultRuntimeDir \"{root}/run\"\n\
             ErrorLog \"{root}/error.log\"\n\
             LogLevel notice\n\
             DocumentRoot \"{root}/htdocs\"\n\
             CoreDumpDirectory \"{root}/{cores}\"\n\
             TypesConfig /dev/null\n\
             KeepAlive On\n\
             KeepAliveTimeout 30\n\
             MaxKeepAliveRequests 0\n",
            port = self.port,
            cores = crash::CORES,
        );
        self.load_modules(&mut text)?;
        if prerequisites::is_root() {
            // Without a User line, children of root run as uid 4294967295.
            let user = prerequisites::USER;
            push(&mut text, format_args!("User {user}\nGroup {user}\n"));
        }
        self.mpm_directives(&mut text);
        // Stock makes its session locks in a fixed place, one for each possible client. One of its own is enough here.
        // 3.1.x has no such options, and in its stock module one directive more is one more to crash on.
        if !subject().is_lookalike() {
            push(
                &mut text,
                format_args!(
                    "PythonOption mod_python.mutex_directory \"{root}/run\"\n\
                 PythonOption mod_python.mutex_locks 4\n"
                ),
            );
        }
        text.push_str(self.directives);
        text.push('\n');
        Ok(text)
    }

    fn load_modules(&self, text: &mut String) -> Result<()> {
        let mpm = format!("mpm_{}", self.mpm.name());
        let own = ALWAYS.iter().map(|name| (*name).to_owned());
        for name in [mpm].into_iter().chain(own).chain(self.modules.iter().cloned()) {
            let path = prerequisites::module(&format!("mod_{name}.so"))?;
            push(text, format_args!("LoadModule {name}_module \"{}\"\n", path.display()));
        }
        push(text, format_args!("LoadModule python_module \"{}\"\n", self.module.display()));
        Ok(())
    }

    fn mpm_directives(&self, text: &mut String) {
        let workers = self.workers;
        match self.mpm {
            // More slots than children that serve, for those that still finish their requests at a graceful restart.
            Mpm::Worker | Mpm::Event => push(
                text,
                format_args!(
                    "ServerLimit {slots}\nStartServers 1\nThreadLimit {workers}\nThreadsPerChild {workers}\n\
                     MaxRequestWorkers {all}\nMinSpareThreads 1\nMaxSpareThreads {all}\n",
                    slots = self.processes + 2,
                    all = self.processes * workers,
                ),
            ),
            Mpm::Prefork => push(
                text,
                format_args!(
                    "ServerLimit {double}\nStartServers {workers}\nMaxRequestWorkers {workers}\n\
                     MinSpareServers 1\nMaxSpareServers {workers}\n",
                    double = 2 * workers,
                ),
            ),
        }
    }
}

fn push(text: &mut String, arguments: fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing into a String cannot fail");
}
