//! Files as nobody makes them, by chance but the same each time: what loads before loads after, by the system's own
//! loader. `fuzz/` goes on from here, with these invariants.

use std::fs;
use std::path::Path;
use std::process::Command;

use modpython_relink::probe;

use crate::craft::{self, DEBIANS_LIBRARY, LIBPYTHON, LIBRARY, Recipe};
use crate::damage::tables;
use crate::run::{Workspace, stock};
use crate::source_tree::Tree;

/// xorshift: the same numbers everywhere.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// Numbers that tables are afraid of.
const AFRAID_OF: [u64; 10] = [0, 1, 7, 0x1000, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 47, u64::MAX];

/// One to four changes, most of them in the tables.
fn mutate(original: &[u8], tables: &[(&'static str, usize, usize)], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=numbers.below(4) {
        let (start, size) = match numbers.below(8) {
            0 => (0, bytes.len()),
            _ => {
                let (_, start, size) = tables[numbers.below(tables.len())];
                (start, size)
            }
        };
        let at = start + numbers.below(size);
        let width = [1, 2, 4, 8][numbers.below(4)].min(bytes.len() - at);
        match numbers.below(4) {
            0 => bytes[at] ^= 1 << numbers.below(8),
            1 => bytes[at] = numbers.next() as u8,
            2 => {
                let number = AFRAID_OF[numbers.below(AFRAID_OF.len())].to_le_bytes();
                bytes[at..at + width].copy_from_slice(&number[..width]);
            }
            _ => {
                let from = numbers.below(bytes.len() - width);
                bytes.copy_within(from..from + width, at);
            }
        }
    }
    bytes
}

/// A program that loads a module and looks python_module up, as Apache does.
fn loader(workspace: &Workspace) -> std::path::PathBuf {
    let source = "#include <dlfcn.h>\nint main(int c, char **v) {\n  void *m = dlopen(v[1], RTLD_NOW | RTLD_GLOBAL);\n\
                  if (!m) return 1;\n  return dlsym(m, \"python_module\") ? 0 : 2;\n}\n";
    let file = workspace.write("loader.c", source.as_bytes());
    let loader = workspace.path("loader");
    assert!(Command::new("cc").arg("-o").arg(&loader).arg(file).arg("-ldl").status().unwrap().success());
    loader
}

/// Does the system's loader take it? A loader that crashes or hangs over it does not.
fn loads(workspace: &Workspace, loader: &Path, module: &Path) -> bool {
    let mut run = Command::new("prlimit");
    run.args(["--cpu=2", "--core=0"]).arg(loader).arg(module).env("LD_LIBRARY_PATH", workspace.path("stub"));
    run.output().unwrap().status.code() == Some(0)
}

/// Mutations of a module: how many were relinked, and how many of these load with the library in this folder.
fn mutations(workspace: &Workspace, module: &[u8], folder: &str, count: u32, seed: u64) -> (u32, u32) {
    let loader = loader(workspace);
    let folder = workspace.path(folder).display().to_string();
    let tables = tables(module);
    let (before, after) = (workspace.path("before.so"), workspace.path("after.so"));
    let mut numbers = Numbers(seed);
    let (mut relinked, mut loaded) = (0, 0);
    for round in 0..count {
        let bytes = mutate(module, &tables, &mut numbers);
        probe::read(&bytes);
        let Ok(output) = probe::relink(&bytes, LIBRARY, &folder) else { continue };
        relinked += 1;
        // Anew each time: what a loader has mapped must not be written to.
        for (path, content) in [(&before, &bytes), (&after, &output)] {
            let _ = fs::remove_file(path);
            fs::write(path, content).unwrap();
        }
        if loads(workspace, &loader, &before) {
            loaded += 1;
            if !loads(workspace, &loader, &after) {
                let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mutation-{seed:x}-{round}.so"));
                fs::write(&kept, &bytes).unwrap();
                panic!("mutation {round} loads, and does not when it is relinked: {}", kept.display());
            }
        }
    }
    (relinked, loaded)
}

#[test]
fn what_loads_before_it_is_relinked_loads_after() {
    let workspace = Workspace::new();
    for (arguments, seed) in [
        (&["-Wl,--build-id=sha1"][..], 0x9e37_79b9_7f4a_7c15),
        (&["-Wl,--hash-style=both", "-Wl,-z,noseparate-code"], 0xd1b5_4a32_d192_ed03),
        (&["-Wl,--hash-style=sysv", "-Wl,-z,now", "-Wl,-z,relro"], 0x2545_f491_4f6c_dd1d),
    ] {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        workspace.craft("m.so", &Recipe { arguments, ..Recipe::generation_35() });
        let (relinked, loaded) = mutations(&workspace, &workspace.read("m.so"), "lib", 500, seed);
        assert!(relinked >= 50 && loaded >= 25, "the mutations are too wild: {relinked} relinked, {loaded} loaded");
    }
}

/// Modules in the shape of older generations, from linkers of their time: one hash table of the old kind, or both.
#[test]
fn older_generations_that_load_before_they_are_relinked_load_after() {
    let workspace = Workspace::new();
    for (generation, arguments, seed) in [
        ("3.1", &["-Wl,--hash-style=sysv", "-Wl,-z,norelro", "-Wl,-z,noseparate-code"][..], 0xa54f_f53a_5f1d_36f1),
        ("3.2", &["-Wl,--hash-style=both", "-Wl,-z,norelro"], 0x510e_527f_ade6_82d1),
        ("3.3", &["-Wl,--hash-style=both", "-Wl,-z,relro"], 0x9b05_688c_2b3e_6c1f),
    ] {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        workspace.craft("m.so", &Recipe { arguments, ..Recipe::older(generation) });
        fs::create_dir(workspace.path(generation)).unwrap();
        let library = workspace.path(generation).join(LIBRARY);
        craft::library(&library, LIBPYTHON, &craft::replacements_of(generation), &[]);
        let (relinked, loaded) = mutations(&workspace, &workspace.read("m.so"), generation, 300, seed);
        assert!(relinked >= 30 && loaded >= 15, "{generation}: {relinked} relinked, {loaded} loaded");
    }
}

/// Other mutations in each run, half an hour long: `cargo test -p modpython-relink -- --ignored`.
#[test]
#[ignore = "takes half an hour"]
fn what_loads_before_it_is_relinked_loads_after_for_half_an_hour() {
    let workspace = Workspace::new();
    let module = workspace.read("mod_python.so");
    let started = std::time::Instant::now();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let (mut seed, mut relinked, mut loaded) = (now.as_nanos() as u64 | 1, 0, 0);
    while started.elapsed().as_secs() < 1800 {
        let (more_relinked, more_loaded) = mutations(&workspace, &module, "lib", 1000, seed);
        (relinked, loaded) = (relinked + more_relinked, loaded + more_loaded);
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15) | 1;
        println!("{relinked} relinked, {loaded} of them loaded");
    }
}

/// Debian's needs libraries that this program has not; its mutations are read back and verified.
#[test]
fn mutations_of_debians_module_are_relinked_or_refused() {
    let module = fs::read(stock()).unwrap();
    let tables = tables(&module);
    let mut numbers = Numbers(0x6a09_e667_f3bc_c908);
    let mut relinked = 0;
    for _ in 0..400 {
        let bytes = mutate(&module, &tables, &mut numbers);
        if let Ok(output) = probe::relink(&bytes, DEBIANS_LIBRARY, "/opt/lib") {
            relinked += 1;
            assert!(probe::relink(&output, DEBIANS_LIBRARY, "/opt/lib").is_err(), "it does not know its own work");
        }
    }
    assert!(relinked >= 40, "the mutations are too wild: {relinked} relinked");
}

#[test]
fn lines_go_into_mutated_sources_and_come_out_again() {
    let tree = Tree::new();
    let top = tree.top();
    let mut numbers = Numbers(0xbb67_ae85_84ca_a73b);
    for (target, file) in ["src/mod_python.c", "lib/python/mod_python/apache.py", "src/Makefile.in"].iter().enumerate()
    {
        let content = fs::read(top.join(file)).unwrap();
        let whole = [("all", 0, content.len())];
        for round in 0..3000 {
            probe::patch(round as u8, target as u8, &mutate(&content, &whole, &mut numbers));
        }
    }
}

#[test]
fn names_of_any_bytes_are_written_so_that_they_can_be_had_again() {
    let mut numbers = Numbers(0x3c6e_f372_fe94_f82b);
    let pieces: [&[u8]; 14] =
        [b"/", b"a", b"\\", b"\\x41", b"$ORIGIN", b"${", b"}", b":", b"\xff", b"\xc3\xa9", b"\"", b"'", b"\n", b" "];
    for _ in 0..100_000 {
        let name: Vec<u8> = (0..numbers.below(8)).flat_map(|_| pieces[numbers.below(pieces.len())].to_vec()).collect();
        probe::names(&name);
    }
}
