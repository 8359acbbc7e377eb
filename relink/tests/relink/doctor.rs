//! `doctor`: what it says of each state of an installation, by word, exit code and advice.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::Value;

use crate::craft::Recipe;
use crate::run::{Ran, Workspace};

const BACKUP: &str = "mod_python.so.modpython-core-stock";

/// A server's folder with a program that answers for it, a configuration and a log.
pub struct Installation {
    pub workspace: Workspace,
}

impl Installation {
    pub fn new(mpm: &str, threaded: bool) -> Installation {
        let workspace = Workspace::new();
        let top = workspace.path("").display().to_string();
        let answer = format!(
            "#!/bin/sh\ntest \"$1\" = -V || exit 1\ncat <<'END'\nServer MPM:     {mpm}\n  threaded:     {} (variable)\n \
             -D HTTPD_ROOT=\"{top}\"\n -D SERVER_CONFIG_FILE=\"conf/httpd.conf\"\nEND\n",
            if threaded { "yes" } else { "no" }
        );
        workspace.write("apachectl", answer.as_bytes());
        fs::set_permissions(workspace.path("apachectl"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(workspace.path("conf")).unwrap();
        fs::create_dir(workspace.path("conf.modules.d")).unwrap();
        workspace
            .write("conf/httpd.conf", b"ErrorLog \"error_log\"\n<IfModule x>\n  threadsperchild 42\n</IfModule>\n");
        workspace.write("conf.modules.d/10-python.conf", b"LoadModule python_module mod_python.so\n");
        workspace.write("error_log", b"[notice] Apache configured\n");
        Installation { workspace }
    }

    pub fn doctor(&self, arguments: &[&str]) -> Ran {
        self.workspace.run_bare(&[&["doctor", "--apache", "./apachectl"], arguments].concat())
    }

    fn json(&self, exit: i32) -> Value {
        let text = self.doctor(&[]);
        assert!(!text.assert_exit(exit).stdout.is_empty());
        self.doctor(&["--json"]).assert_exit(exit).json()
    }

    fn log(&self, line: &str) {
        let mut log = self.workspace.read("error_log");
        log.extend(format!("[notice] {line}\n").into_bytes());
        self.workspace.write("error_log", &log);
    }

    fn in_place(&self) {
        self.workspace.run(&["--in-place", "mod_python.so"]).assert_exit(0);
    }
}

fn defects(json: &Value) -> Vec<&str> {
    json["defects"].as_array().unwrap().iter().map(|defect| defect["name"].as_str().unwrap()).collect()
}

fn assert_advises(json: &Value, says: &str) {
    let advice = json["advice"].as_array().unwrap();
    assert!(advice.iter().any(|line| line.as_str().unwrap().contains(says)), "{says:?} is not in {advice:?}");
}

#[test]
fn from_stock_to_relinked_and_through_an_upgrade() {
    let server = Installation::new("worker", true);
    let module = server.workspace.path("mod_python.so");
    let json = server.json(10);
    assert_eq!((&json["state"], &json["server"]["mpm"]), (&"stock".into(), &"worker".into()));
    assert_eq!((&json["server"]["threads_per_child"], json["module"].as_str()), (&42.into(), module.to_str()));
    assert_eq!(json["error_log"].as_str(), server.workspace.path("error_log").to_str());
    assert!(defects(&json).contains(&"interpreters"));
    assert_advises(&json, "--in-place");

    server.in_place();
    let json = server.json(0);
    assert_eq!((&json["state"], &json["generation"]), (&"ok".into(), &"3.5".into()));
    assert_eq!(defects(&json), ["fork"]);
    assert_advises(&json, "no child has said");
    let version = env!("CARGO_PKG_VERSION");
    server.log(&format!("MPC0001: modpython-core: version {version} active, mod_python generation 3.5, Python 3.77"));
    let json = server.json(0);
    assert_eq!(json["advice"], serde_json::json!([]));
    assert_eq!((&json["running"]["active"], &json["running"]["python"]), (&true.into(), &"3.77".into()));

    // With a diversion the newer file is the backup, without one it is the module itself.
    let upgraded = server.workspace.craft("upgraded.so", &Recipe { build: 2, ..Recipe::generation_35() });
    let relinked = server.workspace.read("mod_python.so");
    fs::copy(&upgraded, server.workspace.path(BACKUP)).unwrap();
    assert_advises(&server.json(11), "--in-place");
    fs::copy(&upgraded, &module).unwrap();
    let json = server.json(13);
    assert_eq!(json["state"], "reverted");
    assert_advises(&json, "--in-place");
    assert_advises(&json, "stop and start the server");
    fs::write(&module, relinked).unwrap();
    fs::rename(server.workspace.path("lib"), server.workspace.path("gone")).unwrap();
    assert_advises(&server.json(12), "--restore");
    fs::remove_file(&module).unwrap();
    server.doctor(&[]).assert_exit(20);
}

#[test]
fn what_the_children_said_is_compared_with_what_is_there() {
    let server = Installation::new("event", true);
    server.in_place();
    for (line, says) in [
        ("MPC0001: modpython-core: version 0.0.1 active, mod_python generation 3.5, Python 3.77", "have version 0.0.1"),
        ("MPC0002: modpython-core: version 0.1.0 is switched off by MODPYTHON_CORE=off", "MODPYTHON_CORE=off"),
    ] {
        server.log(line);
        assert_advises(&server.json(0), says);
    }
    assert_eq!(server.json(0)["messages"], serde_json::json!([]));
    for (line, count) in
        [("MPC0010: modpython-core: interpreter 'a'", 1), ("MPC0010: modpython-core: interpreter 'b'", 2)]
    {
        server.log(line);
        assert_eq!(server.json(0)["messages"], serde_json::json!([{ "code": "MPC0010", "count": count }]));
        assert!(server.doctor(&[]).stdout.contains(&format!("MPC0010 ({count})")));
    }
    let other = server.workspace.write("other_log", b"");
    let json = server.doctor(&["--json", "--error-log", other.to_str().unwrap()]).assert_exit(0).json();
    assert_eq!(json["running"], Value::Null);
    let absent = server.doctor(&["--error-log", "/nonexistent/log"]);
    assert!(absent.assert_exit(0).stdout.contains("cannot be read"), "{}", absent.stdout);
}

#[test]
fn the_mpm_and_the_configuration_decide_what_is_said() {
    let prefork = Installation::new("prefork", false);
    let json = prefork.json(10);
    assert!(!defects(&json).contains(&"interpreters") && defects(&json).contains(&"same-name"));
    prefork.workspace.write("conf.modules.d/20-wsgi.conf", b"LoadModule wsgi_module modules/mod_wsgi.so\n");
    assert_advises(&prefork.json(10), "mod_wsgi");
    // Another file than the one that is loaded.
    prefork.workspace.run(&["mod_python.so"]).assert_exit(0);
    let other = prefork.doctor(&["--json", "mod_python-relinked.so"]).json();
    assert_advises(&other, "loads another file");
    // No server at all: the module alone, and every defect that it may have.
    let alone = prefork.workspace.run_bare(&["doctor", "--json", "--apache", "/bin/false", "mod_python.so"]);
    let json = alone.assert_exit(10).json();
    assert!(defects(&json).contains(&"interpreters"));
    let absent: PathBuf = prefork.workspace.path("absent");
    prefork.workspace.run_bare(&["doctor", "--apache", absent.to_str().unwrap(), "mod_python.so"]).assert_exit(10);
}
