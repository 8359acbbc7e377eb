//! Compiles the C glue against the headers of the Python that `PYO3_PYTHON` names, and tells the crate its version.
//!
//! The Makefile sets `PYO3_PYTHON` from its `PYTHON=`; without it pyo3-build-config takes the first python3 on PATH.

use std::process::Command;

/// Asks the Python of this build for one of its configuration values.
fn sysconfig(python: &str, expression: &str) -> String {
    let script = format!("import sysconfig; print({expression})");
    let output = Command::new(python)
        .args(["-I", "-c", &script])
        .output()
        .unwrap_or_else(|error| panic!("cannot run {python}: {error}; name a Python 3.9 or later by PYTHON="));
    assert!(output.status.success(), "{python} does not say {expression}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn main() {
    println!("cargo:rerun-if-changed=capi");
    pyo3_build_config::use_pyo3_cfgs();
    let config = pyo3_build_config::get();
    assert!(
        sysconfig(python_of(config), "sysconfig.get_config_var('Py_GIL_DISABLED') or 0") == "0",
        "this is a free-threaded Python: mod_python cannot run in one, choose another by PYTHON="
    );
    let python = python_of(config);
    let version = format!("{}.{}", config.version().major, config.version().minor);
    let headers = sysconfig(python, "sysconfig.get_paths()['include']");
    let libpython = sysconfig(python, "sysconfig.get_config_var('INSTSONAME') or ''");
    println!("cargo:rustc-env=MODPYTHON_CORE_PYTHON={version}");
    cc::Build::new()
        .files(["capi/frame.c", "capi/glue.c", "capi/glue35.c"])
        .include(&headers)
        .warnings(true)
        .warnings_into_errors(true)
        .flag("-fno-strict-aliasing")
        .define("MPC_VERSION", format!("\"{}\"", env!("CARGO_PKG_VERSION")).as_str())
        .define("MPC_PYTHON", format!("\"{version}\"").as_str())
        .define("MPC_LIBPYTHON", format!("\"{libpython}\"").as_str())
        .compile("modpython_core_glue");
}

/// The interpreter of this build, or an error that says how to name one.
fn python_of(config: &pyo3_build_config::InterpreterConfig) -> &str {
    config.executable().expect("no Python for this build: name one by PYTHON=")
}
