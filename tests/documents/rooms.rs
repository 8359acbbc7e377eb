//! The rooms of the library: an arrow from the caller to the callee runs one way, between rooms and between the files
//! of a room.

use super::sources;
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::{self, Visit};

/// From the top to the bottom: each calls those after it alone.
const ROOMS: [&str; 11] = [
    "rebind",
    "abi",
    "embedding",
    "import_module",
    "registry",
    "module_cache",
    "pathlock",
    "python",
    "error",
    "server",
    "sync",
];

/// The modules of the library, each with those that it names.
type Arrows = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

/// Collects the paths of one file, from the root of the crate.
struct Paths<'m> {
    module: &'m [String],
    found: Vec<Vec<String>>,
}

impl Paths<'_> {
    fn add(&mut self, path: Vec<String>) {
        let parent = &self.module[..self.module.len().saturating_sub(1)];
        let from = match path.first().map(String::as_str) {
            Some("crate") => &[],
            Some("super") => parent,
            Some("self") => self.module,
            _ => return,
        };
        self.found.push(from.iter().chain(&path[1..]).cloned().collect());
    }

    fn add_tree(&mut self, tree: &syn::UseTree, mut path: Vec<String>) {
        match tree {
            syn::UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.add_tree(&part.tree, path);
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(tree, path.clone())),
            syn::UseTree::Name(name) => self.add([path, vec![name.ident.to_string()]].concat()),
            syn::UseTree::Rename(name) => self.add([path, vec![name.ident.to_string()]].concat()),
            syn::UseTree::Glob(_) => self.add(path),
        }
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&item.tree, Vec::new());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        // A module with its content in the file is its tests: their `super` is the file itself.
        if item.content.is_none() {
            visit::visit_item_mod(self, item);
        }
    }
}

fn arrows(folder: &str) -> Arrows {
    let mut files = BTreeMap::new();
    for (path, text) in sources::with_extension(folder, "rs") {
        let name = path.strip_prefix(sources::root().join(folder)).expect("below it").with_extension("");
        let mut module: Vec<_> = name.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if module.last().is_some_and(|last| ["mod", "lib"].contains(&&**last)) {
            module.pop();
        }
        files.insert(module, text);
    }
    let mut arrows = Arrows::new();
    for (module, text) in &files {
        let mut paths = Paths { module, found: Vec::new() };
        paths.visit_file(&syn::parse_file(text).expect("Rust"));
        let named = paths.found.into_iter().filter_map(|mut path| {
            while !files.contains_key(&path) {
                path.pop()?;
            }
            (!path.is_empty() && path != *module).then_some(path)
        });
        arrows.insert(module.clone(), named.collect());
    }
    arrows
}

#[test]
fn no_room_calls_one_above_it() {
    let place = |room: &String| ROOMS.iter().position(|known| known == room);
    let (mut up, mut between) = (Vec::new(), 0);
    for (from, to) in arrows("src").iter().flat_map(|(from, all)| all.iter().map(move |to| (from, to))) {
        let Some(caller) = from.first() else { continue };
        let called = &to[0];
        assert!(place(caller).is_some(), "{caller} is in no list of rooms: tests/documents/rooms.rs");
        between += usize::from(caller != called);
        if place(caller) > place(called) {
            up.push(format!("{} names {}", from.join("::"), to.join("::")));
        }
    }
    assert!(between > 50, "{between} arrows: they are not seen any more");
    assert!(up.is_empty(), "{}", up.join("\n"));
}

#[test]
fn no_files_call_each_other_in_a_circle() {
    // A file that names no file that is left is taken away, until only circles are left.
    for folder in ["src", "relink/src"] {
        let mut left = arrows(folder);
        // A room's own file names its parts, and they the types in it: one room.
        left.retain(|module, _| module.len() != 1 || !sources::root().join(folder).join(&module[0]).is_dir());
        loop {
            let modules: BTreeSet<_> = left.keys().cloned().collect();
            let before = left.len();
            left.retain(|_, named| named.iter().any(|other| modules.contains(other)));
            if left.len() == before {
                break;
            }
        }
        let circles: Vec<_> = left.keys().map(|module| module.join("::")).collect();
        assert!(circles.is_empty(), "in a circle, or in front of one: {}", circles.join(", "));
    }
}
