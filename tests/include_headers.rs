//! The messages of the two headers of a patched mod_python.c, if it is patched in another way than it should be. Each
//! `#error` is a sentence for the person that builds it.

use std::{
    io::Write,
    process::{Command, Stdio},
};

const BEFORE: &str = "#include <modpython-core/before.h>\n";
const AFTER: &str = "#include <modpython-core/after.h>\n";
/// The macros of mod_python.h, for a release of that minor.
fn mod_python(minor: &str) -> String {
    format!("#define MAIN_INTERPRETER \"main_interpreter\"\n#define MPV_MAJOR 3\n#define MPV_MINOR {minor}\n")
}

/// The output of the preprocessor, or its messages if it fails; it is enough for `#error`.
fn preprocess(source: &str, arguments: &[&str]) -> Result<String, String> {
    let include = concat!(env!("CARGO_MANIFEST_DIR"), "/capi/include");
    let mut child = Command::new("cc")
        .args(["-E", "-x", "c", "-I", include])
        .args(arguments)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test needs a C compiler: install gcc");
    child.stdin.take().expect("it is piped").write_all(source.as_bytes()).expect("cc reads its input");
    let output = child.wait_with_output().expect("cc ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("cc prints UTF-8");
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

#[test]
fn both_headers_once_and_in_their_places_pass_in_each_generation() {
    for (minor, release) in [
        ("0", "release_interpreter"),
        ("1", "release_interpreter"),
        ("2", "mpc32_"),
        ("3", "mpc33_"),
        ("4", "mpc33_"),
        ("5", "mpc35_"),
    ] {
        let source = format!("{}{BEFORE}get_interpreter release_interpreter\n{AFTER}", mod_python(minor));
        let text = preprocess(&source, &[]).expect("it passes");
        assert!(text.contains("mpc_stock_get_interpreter mpc_stock_release_interpreter"), "3.{minor}: {text}");
        assert!(text.contains(release), "3.{minor}");
    }
}

#[test]
fn a_file_that_is_patched_wrongly_is_refused_in_words() {
    let good = mod_python("1");
    for (source, says) in [
        (format!("{good}{BEFORE}{BEFORE}"), "before.h is included twice"),
        (format!("{good}{BEFORE}{AFTER}{AFTER}"), "after.h is included twice"),
        (format!("{good}{AFTER}"), "after.h without modpython-core/before.h"),
        (format!("{BEFORE}{good}"), "belongs directly after the line that includes mod_python.h"),
        (format!("{}{BEFORE}", mod_python("6")), "knows mod_python 3.0 to 3.5"),
        (format!("#define MAIN_INTERPRETER \"\"\n{BEFORE}"), "-DMODPYTHON_CORE_GENERATION=301"),
    ] {
        let refused = preprocess(&source, &[]).expect_err(&source);
        assert!(refused.contains("#error") && refused.contains(says), "{says:?} is not in {refused}");
    }
}

#[test]
fn a_generation_that_is_named_is_the_one() {
    let source = format!("#define MAIN_INTERPRETER \"\"\n{BEFORE}MODPYTHON_CORE_GENERATION save_interpreter\n");
    let text = preprocess(&source, &["-DMODPYTHON_CORE_GENERATION=302"]).expect("it passes");
    assert!(text.contains("302 mpc_stock_save_interpreter"), "{text}");
    let text = preprocess(&source, &["-DMODPYTHON_CORE_GENERATION=301"]).expect("it passes");
    assert!(text.contains("301 save_interpreter"), "{text}");
}

#[test]
fn a_library_for_another_python_is_refused() {
    let python = "#define PY_MAJOR_VERSION 2\n#define PY_MINOR_VERSION 7\n";
    let source = format!("{python}{}{BEFORE}", mod_python("3"));
    for flags in [&["-DMODPYTHON_CORE_PYTHON=207"][..], &[]] {
        preprocess(&source, flags).expect("it passes");
    }
    for other in ["-DMODPYTHON_CORE_PYTHON=206", "-DMODPYTHON_CORE_PYTHON=311"] {
        let refused = preprocess(&source, &[other]).expect_err(other);
        assert!(refused.contains("for another Python than this mod_python's"), "{refused}");
    }
}

/// 3.2.0 to 3.2.8 do not save the main interpreter.
#[test]
fn the_patch_level_says_whether_3_2_saves_the_main_interpreter() {
    for (patch, saved, forked) in
        [("8", " save_interpreter", "mpc32_after_fork_alone"), ("9", "mpc32_save_interpreter", "mpc32_after_fork")]
    {
        let source =
            format!("{}#define MPV_PATCH {patch}\n{BEFORE}{AFTER} save_interpreter PyOS_AfterFork.\n", mod_python("2"));
        let text = preprocess(&source, &[]).expect("it passes");
        assert!(text.contains(&format!("{saved} {forked}.")), "{text}");
    }
}
