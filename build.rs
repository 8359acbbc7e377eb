//! Compiles the C glue against the headers of the Python that `PYO3_PYTHON` names, and tells the crate its version.
//!
//! The Makefile sets `PYO3_PYTHON` from its `PYTHON=`, and leaves the default features out for a Python 2.

use std::{env, process::Command};

/// The interpreter of this build.
fn python() -> String {
    env::var("PYO3_PYTHON").ok().filter(|python| !python.is_empty()).unwrap_or_else(|| {
        let default = if cfg!(feature = "python3") { "python3" } else { "python2.7" };
        default.to_owned()
    })
}

/// The imports of `sys` and `sysconfig`, the latter a part of distutils before 2.7.
const ASK: &str = "import sys; sysconfig = __import__(sys.version_info >= (2, 7) and 'sysconfig' or 'distutils.sysconfig', {}, {}, '*')";

/// Asks the Python of this build for an expression over `sys` and `sysconfig`, in words that 2.4 understands too.
fn ask(python: &str, expression: &str) -> String {
    let script = format!("{ASK}; sys.stdout.write(str({expression}))");
    // As -E and -s would, but that 2.4 and 2.5 have no -s.
    let output = Command::new(python)
        .args(["-c", &script])
        .env_remove("PYTHONHOME")
        .env_remove("PYTHONPATH")
        .env("PYTHONNOUSERSITE", "1")
        .output()
        .unwrap_or_else(|error| panic!("cannot run {python}: {error}; name a Python by PYTHON="));
    assert!(output.status.success(), "{python} does not say {expression}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The `Py_3_x` switches of the crate.
#[cfg(feature = "python3")]
fn configure(python: &str) {
    pyo3_build_config::use_pyo3_cfgs();
    assert!(
        ask(python, "sysconfig.get_config_var('Py_GIL_DISABLED') or 0") == "0",
        "this is a free-threaded Python: mod_python cannot run in one, choose another by PYTHON="
    );
}

/// Nothing sets them for Python 2; the library is linked as PYO3_BUILD_EXTENSION_MODULE has pyo3-ffi do it.
#[cfg(not(feature = "python3"))]
fn configure(python: &str) {
    for minor in 9..=15 {
        println!("cargo:rustc-check-cfg=cfg(Py_3_{minor})");
    }
    let is_24 = ask(python, "sys.version_info < (2, 5)") == "True";
    if is_24 {
        println!("cargo:rustc-cfg=python24");
    }
    if is_24 || cfg!(feature = "lowered-shim") {
        println!("cargo:rustc-cfg=lowered");
    }
    println!("cargo:rerun-if-env-changed=PYO3_BUILD_EXTENSION_MODULE");
    if env::var_os("PYO3_BUILD_EXTENSION_MODULE").is_none() {
        let library = ask(python, "sysconfig.get_config_var('INSTSONAME')");
        let name = library.strip_prefix("lib").and_then(|name| name.split_once(".so")).map(|(name, _)| name);
        let name = name.unwrap_or_else(|| {
            panic!("{python} has no shared libpython (configure it with --enable-shared); choose another by PYTHON=")
        });
        println!("cargo:rustc-link-search=native={}", ask(python, "sysconfig.get_config_var('LIBDIR')"));
        println!("cargo:rustc-link-lib=dylib={name}");
    }
}

fn main() {
    println!("cargo:rerun-if-changed=capi");
    // PYO3_PYTHON decides the output too. Without this line one Python's code was shipped under another one's name.
    println!("cargo:rerun-if-env-changed=PYO3_PYTHON");
    println!("cargo:rustc-check-cfg=cfg(python24, lowered)");
    let python = python();
    configure(&python);
    let version = ask(&python, "'%d.%d' % sys.version_info[:2]");
    let three = version.starts_with("3.");
    assert!(
        three == cfg!(feature = "python3"),
        "{python} is Python {version}: build for Python 3 with the default features, for Python 2.7 without \
         (cargo build --no-default-features); `make PYTHON={python}` does what is right"
    );
    let headers = ask(&python, "sysconfig.get_config_var('INCLUDEPY')");
    let libpython = ask(&python, "sysconfig.get_config_var('INSTSONAME') or ''");
    println!("cargo:rustc-env=MODPYTHON_CORE_PYTHON={version}");
    // For tests, which have make build with the same one.
    println!("cargo:rustc-env=MODPYTHON_CORE_INTERPRETER={python}");
    println!("cargo:rerun-if-env-changed=CFLAGS");
    let mut glue = cc::Build::new();
    // As distributions build, unless they say themselves how.
    let optimised = env::var("OPT_LEVEL").is_ok_and(|level| level != "0");
    if optimised && !env::var("CFLAGS").is_ok_and(|flags| flags.contains("_FORTIFY_SOURCE")) {
        glue.flag("-U_FORTIFY_SOURCE").define("_FORTIFY_SOURCE", "2");
    }
    glue.files(
        ["aside", "addedhandlers", "filessections", "frame", "glue", "pickles", "remedies", "states"]
            .map(|name| format!("capi/{name}.c")),
    );
    // The rooms of rebind that there are for this Python.
    if three {
        glue.file("capi/glue35.c");
    } else {
        glue.files(["capi/glue31.c", "capi/glue33.c", "capi/handlerlists.c"]);
    }
    // 2.6's are not without warnings.
    glue.flag("-isystem")
        .flag(&headers)
        .warnings(true)
        .warnings_into_errors(true)
        .flag("-fno-strict-aliasing")
        // No path of this machine, as in the Rust parts.
        .flag(format!("-ffile-prefix-map={}=/modpython-core", env!("CARGO_MANIFEST_DIR")))
        .flag("-fstack-protector-strong")
        .define("MPC_VERSION", format!("\"{}\"", env!("CARGO_PKG_VERSION")).as_str())
        .define("MPC_PYTHON", format!("\"{version}\"").as_str())
        .define("MPC_LIBPYTHON", format!("\"{libpython}\"").as_str())
        .compile("modpython_core_glue");
}
