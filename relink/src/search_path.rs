//! The search path that a relinked module gets, and what the loader finds by it.

use std::path::{Path, PathBuf};

/// The fault of a folder for a search path, if it has one. The loader takes a relative folder from wherever Apache is
/// started, and Apache loads modules as root; a colon ends a folder's name, and a dollar sign begins one of the
/// loader's own words.
pub fn fault(folder: &str) -> Option<&'static str> {
    let rest = match after_origin(folder) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
        Some(_) => return Some("something follows $ORIGIN without a slash, which the loader takes for another word"),
        None if folder.starts_with('/') => folder,
        None if folder.is_empty() || !folder.starts_with('$') => {
            return Some(
                "it is neither absolute nor begins with $ORIGIN: the loader takes it from wherever Apache is started",
            );
        }
        None => return Some("it is neither absolute nor begins with $ORIGIN"),
    };
    if rest.contains('$') {
        return Some("there is a dollar sign in it, which begins a word of the loader's");
    }
    if rest.contains(':') {
        return Some("there is a colon in it, which ends a folder's name");
    }
    rest.chars().any(char::is_control).then_some("there is a control character in it")
}

/// The rest of a folder that begins with `$ORIGIN`.
fn after_origin(folder: &str) -> Option<&str> {
    folder.strip_prefix("${ORIGIN}").or_else(|| folder.strip_prefix("$ORIGIN"))
}

/// The folders of a search path as they are, for a module in `origin`.
pub fn folders(search: &str, origin: &Path) -> Vec<PathBuf> {
    let folder = |folder: &str| match after_origin(folder) {
        // Joining with an absolute path would forget the origin.
        Some(rest) => origin.join(rest.trim_start_matches('/')),
        None => PathBuf::from(folder),
    };
    search.split(':').filter(|part| !part.is_empty()).map(folder).collect()
}

/// The file of this name that the loader gives a module: by its search path, or else in the loader's usual places.
pub fn resolve(soname: &str, search: &str, module: &Path) -> Option<PathBuf> {
    let origin = module.parent().unwrap_or(Path::new("/"));
    let usual = ["/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib"].into_iter().map(PathBuf::from);
    let multiarch = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let multiarch = multiarch.map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with("-linux-gnu"));
    let all = folders(search, origin).into_iter().chain(usual).chain(multiarch);
    all.map(|directory| directory.join(soname)).find(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_absolute_or_begins_with_origin() {
        for good in ["/opt/lib", "$ORIGIN", "${ORIGIN}", "$ORIGIN/../lib", "${ORIGIN}/lib", "/a b"] {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in [
            "",
            "lib",
            "$ORIGINx",
            "${ORIGIN}x",
            "$LIB",
            "/a/$LIB",
            "/a:/b",
            "$ORIGIN/$PLATFORM",
            "/a\nb",
            "/a/$ORIGIN",
        ] {
            assert!(fault(bad).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn the_loaders_search_follows_origin() {
        let workspace = tempfile::tempdir().unwrap();
        std::fs::create_dir(workspace.path().join("lib")).unwrap();
        std::fs::write(workspace.path().join("lib/libx.so.0"), "").unwrap();
        let module = workspace.path().join("mod.so");
        for search in ["/nonexistent:$ORIGIN/lib", "${ORIGIN}/lib"] {
            assert_eq!(resolve("libx.so.0", search, &module), Some(workspace.path().join("lib/libx.so.0")));
        }
        assert_eq!(resolve("libx.so.0", "/nonexistent:$ORIGIN", &module), None);
    }
}
