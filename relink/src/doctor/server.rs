//! The httpd of this system, as its own program and its configuration files tell of it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::files::Original;

/// The programs that are asked, where none is named.
const PROGRAMS: [&str; 5] = [
    "/usr/sbin/apache2ctl",
    "/usr/sbin/apachectl",
    "/usr/sbin/httpd",
    "/usr/local/apache2/bin/apachectl",
    "/usr/local/sbin/apachectl",
];

/// A script that hangs must not hang a monitoring job.
const PATIENCE: Duration = Duration::from_secs(10);

/// Folders below the server's root that configurations are kept in.
const FOLDERS: [&str; 7] = ["", "mods-enabled", "conf-enabled", "sites-enabled", "conf", "conf.d", "conf.modules.d"];

/// The server, as far as its program and its configuration tell.
#[derive(Debug, Default)]
pub struct Server {
    pub program: PathBuf,
    pub mpm: Option<String>,
    pub threaded: Option<bool>,
    /// Threads of a child, as far as the configuration says.
    pub threads: Option<u32>,
    /// The file behind python_module.
    pub module: Option<PathBuf>,
    pub error_log: Option<PathBuf>,
    pub has_mod_wsgi: bool,
}

impl Server {
    /// Ask a program for `-V`, and read the configuration that it names.
    pub fn ask(program: Option<&Path>) -> Option<Server> {
        let program = match program {
            Some(program) => program.to_owned(),
            None => PROGRAMS.iter().map(PathBuf::from).find(|program| program.exists())?,
        };
        let text = output(&program)?;
        let defined = |name: &str| {
            let line =
                text.lines().find_map(|line| line.trim().strip_prefix("-D ")?.strip_prefix(name)?.strip_prefix('='));
            line.map(|value| value.trim_matches('"').to_owned())
        };
        let after = |head: &str| text.lines().find_map(|line| line.trim().strip_prefix(head)).map(str::trim);
        let mut server = Server {
            mpm: after("Server MPM:").map(str::to_owned),
            threaded: after("threaded:").map(|answer| answer.starts_with("yes")),
            program,
            ..Server::default()
        };
        let root = PathBuf::from(defined("HTTPD_ROOT").unwrap_or_default());
        for file in configuration(&root, defined("SERVER_CONFIG_FILE").as_deref()) {
            server.read(&root, &file);
        }
        Some(server)
    }

    /// The directives of one file, without regard to conditions.
    fn read(&mut self, root: &Path, file: &Path) {
        let Ok(original) = Original::read(file) else { return };
        for line in String::from_utf8_lossy(&original.content).lines() {
            let words: Vec<&str> = line.split_whitespace().map(|word| word.trim_matches('"')).collect();
            let directive = words.first().map(|word| word.to_ascii_lowercase());
            match (directive.as_deref(), &words[1.min(words.len())..]) {
                (Some("threadsperchild"), [number, ..]) => self.threads = number.parse().ok().or(self.threads),
                (Some("loadmodule"), ["python_module", path]) => self.module = Some(root.join(path)),
                (Some("loadmodule"), ["wsgi_module", ..]) => self.has_mod_wsgi = true,
                // The first is the server's own; later ones are those of virtual hosts.
                (Some("errorlog"), [path]) if self.error_log.is_none() => {
                    let path = path.replace("${APACHE_LOG_DIR}", "/var/log/apache2");
                    self.error_log = Some(root.join(&path)).filter(|_| !path.contains(['$', '|']));
                }
                _ => {}
            }
        }
    }
}

/// The main file, and those that are mostly included.
fn configuration(root: &Path, main: Option<&str>) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = main.map(|main| root.join(main)).into_iter().collect();
    for folder in FOLDERS {
        let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
        let is_one = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "conf" || ending == "load");
        let mut more: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_one).collect();
        more.retain(|path| !files.contains(path));
        more.sort();
        files.append(&mut more);
    }
    files
}

/// The output of a program with `-V`, if it ends in time.
fn output(program: &Path) -> Option<String> {
    let mut run = Command::new(program);
    run.arg("-V").env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = run.spawn().ok()?;
    let until = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
            Ok(Some(_)) => break,
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
    // It has ended, and its few lines fit the pipe.
    let mut text = Vec::new();
    child.stdout.take()?.take(1 << 16).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}
