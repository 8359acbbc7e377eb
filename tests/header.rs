//! The C header is what cbindgen makes of the C face, committed so that a build needs no cbindgen.

use std::{env, fs, path::Path};

/// The sources with the functions and structures that C sees, in the order of the header.
const SOURCES: [&str; 6] = ["embedding/interpreterdata", "abi/v31", "abi/v32", "abi/v33", "abi/v35", "abi/host_calls"];

const HEADER: &str = "capi/include/modpython-core/modpython_core.h";

fn generated(root: &Path) -> String {
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    let sources = SOURCES.iter().map(|name| root.join(format!("src/{name}.rs")));
    let builder = sources.fold(cbindgen::Builder::new().with_config(config), cbindgen::Builder::with_src);
    let mut text = Vec::new();
    builder.generate().expect("a header").write(&mut text);
    String::from_utf8(text).expect("text")
}

/// `make header` sets MODPYTHON_CORE_WRITE_HEADER to have it written instead of compared.
#[test]
fn the_committed_header_is_what_cbindgen_makes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = generated(root);
    if env::var_os("MODPYTHON_CORE_WRITE_HEADER").is_some() {
        fs::write(root.join(HEADER), &made).expect("the header is written");
    }
    let committed = fs::read_to_string(root.join(HEADER)).expect("the committed header");
    assert!(made == committed, "{HEADER} is not what cbindgen makes of src/abi: run `make header` and commit it");
}

/// Every function, structure and field has a comment of its own, which ends on the line before it.
#[test]
fn every_item_of_the_header_is_documented() {
    let text = generated(Path::new(env!("CARGO_MANIFEST_DIR")));
    let lines: Vec<_> = text.lines().collect();
    let mut items = 0;
    for (at, line) in lines.iter().enumerate() {
        let field = line.starts_with("    ") && line.ends_with(';') && !line.starts_with("     ");
        let declaration = line.starts_with(|first: char| first.is_ascii_alphabetic());
        if field || declaration {
            items += 1;
            let before = lines[at - 1].trim();
            assert!(before.ends_with("*/"), "line {} has no comment: {line}", at + 1);
        }
    }
    assert!(items > 30, "only {items} items were looked at");
}
