//! The files of this repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The folder of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder of the repository whose names end so, each with its text.
pub fn with_extension(folder: &str, extension: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let name = entry.file_name().expect("a name").to_string_lossy();
            if entry.is_dir() {
                // Folders of build output, and of files that are not ours.
                let left_out = name.starts_with("target") || name.starts_with('.') || name == "corpus";
                if !left_out {
                    folders.push(entry);
                }
            } else if entry.extension().is_some_and(|is| is == extension) {
                let text = fs::read_to_string(&entry).unwrap_or_else(|error| panic!("{}: {error}", entry.display()));
                files.push((entry, text));
            }
        }
    }
    assert!(!files.is_empty(), "no file of {folder} ends in {extension}");
    files
}
