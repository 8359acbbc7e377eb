//! The files that a release puts its version into (docs/releasing.md).

use crate::sources;
use std::fs;

#[test]
fn every_place_has_the_version_of_the_library() {
    let version = env!("CARGO_PKG_VERSION");
    let places = [
        ("tests/live/Cargo.toml", format!("version = \"{version}\"")),
        ("docs/modpython-core.7", format!("\"modpython-core {version}\"")),
        ("docs/modpython-relink.1", format!("\"modpython-core {version}\"")),
        ("packaging/debian/changelog", format!("modpython-core ({version}-")),
        ("packaging/rpm/modpython-core.spec", format!("Version:        {version}\n")),
        ("CHANGELOG.md", format!("\n## {version} (")),
    ];
    for (file, text) in places {
        let found = fs::read_to_string(sources::root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(found.contains(&text), "{file} has no {text:?}");
    }
}
