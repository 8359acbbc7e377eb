//! Makes small shared objects with the C compiler: a library like ours, and modules that import and export what each
//! generation of mod_python shows. None of them has a line of mod_python in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The symbols the library must export, from the same list the command reads.
pub const SYMBOLS: &str = include_str!("../../../capi/modpython_core.symbols");

/// A Python that no system has: a library of ours that is installed there must not be found in the place of the tests'.
pub const LIBPYTHON: &str = "libpython3.77.so.1.0";
pub const LIBRARY: &str = "libmodpython-core-py3.77.so.0";

/// The libpython of Debian 12's module, and our library for it.
pub const DEBIANS_LIBPYTHON: &str = "libpython3.11.so.1.0";
pub const DEBIANS_LIBRARY: &str = "libmodpython-core-py3.11.so.0";

/// The names in the list that replace imports of mod_python 3.5.
pub fn replacements() -> Vec<&'static str> {
    replacements_of("3.5")
}

/// The names in the list that replace imports of a generation.
pub fn replacements_of(generation: &str) -> Vec<&'static str> {
    let names = SYMBOLS.lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|name| name.starts_with(&prefix_of(generation))).collect()
}

fn prefix_of(generation: &str) -> String {
    format!("mpc{}_rebind_", generation.replace('.', ""))
}

/// The imports of a generation that are replaced.
fn replaced_by(generation: &str) -> Vec<&'static str> {
    let prefix = prefix_of(generation);
    replacements_of(generation).iter().filter_map(|name| name.strip_prefix(&prefix)).collect()
}

/// A module to be made.
pub struct Recipe {
    pub exports: Vec<&'static str>,
    pub imports: Vec<&'static str>,
    /// NEEDED entry; `None` for a module with its Python linked in.
    pub libpython: Option<&'static str>,
    /// A number in its data, so that two builds differ.
    pub build: u32,
    pub arguments: Vec<String>,
}

impl Recipe {
    /// mod_python 3.5, by its marks.
    pub fn generation_35() -> Recipe {
        let mut imports = replaced_by("3.5");
        imports.extend(["PyDict_New", "PyThreadState_New", "apr_table_get"]);
        Recipe {
            exports: vec!["python_module", "mp_acquire_interpreter", "mp_version_string"],
            imports,
            libpython: Some(LIBPYTHON),
            build: 1,
            arguments: vec!["-Wl,--build-id=sha1".into()],
        }
    }

    /// An older generation, by its marks.
    pub fn older(generation: &str) -> Recipe {
        let exports: &[&str] = match generation {
            "3.3" => &["python_module", "mp_acquire_interpreter"],
            "3.2" | "3.1" => &["python_module"],
            _ => panic!("no such recipe: {generation}"),
        };
        let mut imports = replaced_by(generation);
        imports.extend(["PyList_Size", "apr_table_get"]);
        Recipe { exports: exports.to_vec(), imports, ..Recipe::generation_35() }
    }
}

/// Make a module. Each import is both called (a PLT entry) and pointed to (a data relocation), as a compiler does it;
/// `probe(n)` calls the n-th.
pub fn module(path: &Path, recipe: &Recipe) {
    let workspace = path.parent().unwrap();
    let mut source = format!("const int build_number = {};\n", recipe.build);
    for name in &recipe.exports {
        source.push_str(&format!("long {name}[4] = {{ {}, 2, 3, 4 }};\n", recipe.build));
    }
    for name in &recipe.imports {
        source.push_str(&format!("extern int {name}(void);\n"));
    }
    source.push_str("int (*table[])(void) = {");
    source.extend(recipe.imports.iter().map(|name| format!(" {name},")));
    source.push_str(" 0 };\nint probe(int n) {\n  switch (n) {\n");
    for (index, name) in recipe.imports.iter().enumerate() {
        source.push_str(&format!("  case {index}: return {name}() * 10 + table[n]();\n"));
    }
    source.push_str("  }\n  return -1;\n}\n");
    let mut arguments = recipe.arguments.clone();
    arguments.push("-Wl,-soname=mod_python.so".into());
    if let Some(name) = recipe.libpython {
        arguments.extend(["-Wl,--no-as-needed".into(), stub_libpython(workspace, name, &recipe.arguments)]);
    }
    compile(path, &source, &arguments);
}

/// Make a library like ours: every listed symbol, each returning 2, and the build information.
pub fn library(path: &Path, libpython: &str, exports: &[&str], arguments: &[String]) {
    let workspace = path.parent().unwrap();
    let python = libpython.trim_start_matches("libpython").split(".so").next().unwrap();
    let mut source = format!(
        "const char modpython_core_build_info[] = \"version=7.8.9\\npython={python}\\nlibpython={libpython}\\nabi=0\\n\";\n"
    );
    source.extend(exports.iter().map(|name| format!("int {name}(void) {{ return 2; }}\n")));
    let soname = path.file_name().unwrap().to_str().unwrap();
    let mut all = arguments.to_vec();
    all.extend([
        format!("-Wl,-soname={soname}"),
        "-Wl,--no-as-needed".into(),
        stub_libpython(workspace, libpython, arguments),
    ]);
    compile(path, &source, &all);
}

/// Something with libpython's SONAME that defines what modules import, each function returning 1. In a folder of its
/// own, where no RUNPATH leads: at run time it is found only by a test that asks for it.
fn stub_libpython(workspace: &Path, soname: &str, arguments: &[String]) -> String {
    let folder = workspace.join("stub");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(soname);
    let mut names = Recipe::generation_35().imports;
    names.extend(["3.1", "3.2", "3.3"].map(Recipe::older).into_iter().flat_map(|recipe| recipe.imports));
    names.sort_unstable();
    names.dedup();
    let source: String = names.iter().map(|name| format!("int {name}(void) {{ return 1; }}\n")).collect();
    let mut all: Vec<String> =
        arguments.iter().filter(|argument| !argument.contains("version-script")).cloned().collect();
    all.push(format!("-Wl,-soname={soname}"));
    compile(&path, &source, &all);
    path.to_str().unwrap().to_owned()
}

/// Compile and link a shared object.
pub fn compile(path: &Path, source: &str, arguments: &[String]) {
    let mut arguments = arguments.to_vec();
    if !arguments.iter().any(|argument| argument == "-no-shared") {
        arguments.push("-shared".into());
    }
    arguments.retain(|argument| argument != "-no-shared");
    let file = source_beside(path, source);
    let output = Command::new("cc")
        .args(["-fPIC", "-fno-builtin", "-nostartfiles", "-w", "-O1", "-o"])
        .arg(path)
        .arg(&file)
        .args(&arguments)
        .output()
        .expect("these tests need a C compiler: install gcc");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn source_beside(path: &Path, source: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".c");
    fs::write(&name, source).unwrap();
    name.into()
}
