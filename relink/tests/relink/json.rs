//! docs/json.md has every field that `--json` prints, and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::craft::{self, LIBPYTHON};
use crate::doctor::Installation;
use crate::run::Workspace;
use crate::source_tree::Tree;

const PAGE: &str = include_str!("../../../docs/json.md");

type Fields = BTreeSet<String>;

/// The fields of each section of the page.
fn documented() -> BTreeMap<String, Fields> {
    let mut sections: BTreeMap<String, Fields> = BTreeMap::new();
    let mut section = String::new();
    for line in PAGE.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            section = name.to_owned();
        } else if let Some(field) = line.strip_prefix("| `").and_then(|rest| rest.split('`').next()) {
            assert!(sections.entry(section.clone()).or_default().insert(field.to_owned()), "{field} is there twice");
        }
    }
    sections
}

/// The fields of a value, as the page writes them. The import names in `renamed` are not fixed.
fn fields_of(value: &Value, name: &str, fields: &mut Fields) {
    match value {
        Value::Object(object) if name != "renamed" => {
            for (key, value) in object {
                fields_of(value, &if name.is_empty() { key.clone() } else { format!("{name}.{key}") }, fields);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            list.iter().for_each(|value| fields_of(value, &format!("{name}[]"), fields));
        }
        _ => {
            fields.insert(name.to_owned());
        }
    }
}

#[test]
fn the_page_has_every_field_and_no_other() {
    let mut printed: BTreeMap<String, Fields> = BTreeMap::new();
    let mut print = |workspace: &Workspace, arguments: &[&str]| {
        let json = workspace.run_bare(&[&["--json"], arguments].concat()).json();
        let section = match json["error"].is_string() {
            true => "An action that failed",
            false => json["action"].as_str().unwrap(),
        };
        fields_of(&json, "", printed.entry(section.to_owned()).or_default());
    };
    let workspace = Workspace::new();
    print(&workspace, &["--bogus"]);
    print(&workspace, &["--check", "absent.so"]);
    print(&workspace, &["--check", "mod_python.so"]);
    print(&workspace, &["--library", "lib", "mod_python.so"]);
    print(&workspace, &["--library", "lib", "--in-place", "mod_python.so"]);
    print(&workspace, &["--check", "mod_python.so"]);
    fs::rename(workspace.path("lib"), workspace.path("away")).unwrap();
    print(&workspace, &["--check", "mod_python.so"]);
    print(&workspace, &["--restore", "mod_python.so"]);
    let linked = format!(
        "const char modpython_core_build_info[] = \"version=7.8.9\\nlibpython={LIBPYTHON}\\n\";\n\
         extern int Py_NewInterpreter(void);\nint python_module(void) {{ return Py_NewInterpreter(); }}\n"
    );
    craft::compile(&workspace.path("linked.so"), &linked, &[]);
    print(&workspace, &["--check", "linked.so"]);
    let server = Installation::new("worker", true);
    for _ in 0..2 {
        let json = server.doctor(&["--json"]).json();
        fields_of(&json, "", printed.entry("doctor".to_owned()).or_default());
        let line = "MPC0001: modpython-core: version 0.1.0 active, mod_python generation 3.5, Python 3.77\n\
                    MPC0010: modpython-core: interpreter 'x'\n";
        server.workspace.write("error_log", line.as_bytes());
    }
    let doctor = printed.get_mut("doctor").unwrap();
    ["running", "messages"].iter().for_each(|field| assert!(doctor.remove(*field), "{field}"));
    let tree = Tree::new();
    let mut patch = |arguments: &[&str]| {
        let json = tree.patch(&[&["--json"], arguments].concat()).json();
        fields_of(&json, "", printed.entry("patch".to_owned()).or_default());
    };
    patch(&["--output", "diffs"]);
    patch(&["--apply"]);
    patch(&["--reverse"]);

    let mut documented = documented();
    let every = documented.remove("Every outcome").unwrap();
    assert_eq!(printed.keys().collect::<Vec<_>>(), documented.keys().collect::<Vec<_>>());
    for (section, mut fields) in printed {
        // An empty list of warnings, and a null in the place of an object, are no fields of their own.
        fields.remove("library");
        let own: Fields = fields.difference(&every).cloned().collect();
        assert_eq!(own, documented[&section], "{section}");
        let of_every: Fields = fields.intersection(&every).cloned().collect();
        let expected = if section == "An action that failed" { 2 } else { every.len() };
        assert_eq!(of_every.len(), expected, "{section}: {of_every:?}");
    }
}
