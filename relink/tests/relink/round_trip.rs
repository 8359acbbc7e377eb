//! From stock to relinked: what changes, what does not, and that the result loads.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::craft::{self, DEBIANS_LIBPYTHON, DEBIANS_LIBRARY, LIBPYTHON, LIBRARY, Recipe};
use crate::run::{STOCK, Workspace, quiet_output, stock};

const RELINKED: &str = "mod_python-relinked.so";

/// Names in the dynamic symbol table: (undefined, defined), sorted.
fn symbols(path: &Path) -> (Vec<String>, Vec<String>) {
    let (mut undefined, mut defined) = (Vec::new(), Vec::new());
    for line in quiet_output("readelf", &["-W", "--dyn-syms", path.to_str().unwrap()]).lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if fields.len() >= 8 && fields[0].ends_with(':') && fields[0] != "Num:" {
            let list = if fields[6] == "UND" { &mut undefined } else { &mut defined };
            // A defined symbol keeps its address too.
            let address = if fields[6] == "UND" { "" } else { fields[1] };
            list.push(format!("{}{address}", fields[7]));
        }
    }
    undefined.sort();
    defined.sort();
    (undefined, defined)
}

fn assert_only_the_plan_changed(stock: &Path, relinked: &Path, runpath: &str) {
    let real = stock == self::stock();
    let (library, libpython) = if real { (DEBIANS_LIBRARY, DEBIANS_LIBPYTHON) } else { (LIBRARY, LIBPYTHON) };
    let (stock_undefined, stock_defined) = symbols(stock);
    let (undefined, defined) = symbols(relinked);
    assert_eq!(defined, stock_defined);
    let mut back: Vec<String> =
        undefined.iter().map(|name| name.trim_start_matches("mpc35_rebind_").to_owned()).collect();
    back.sort();
    assert_eq!(back, stock_undefined);
    for name in craft::replacements() {
        let import = name.trim_start_matches("mpc35_rebind_").to_owned();
        assert_eq!(undefined.contains(&name.to_owned()), stock_undefined.contains(&import), "{name}");
        assert!(!undefined.contains(&import), "{import} is still imported");
    }
    let dynamic = quiet_output("readelf", &["-dW", relinked.to_str().unwrap()]);
    let needed: Vec<&str> = dynamic.lines().filter(|line| line.contains("(NEEDED)")).collect();
    assert!(needed[0].contains(&format!("[{library}]")), "{dynamic}");
    assert!(needed[1].contains(&format!("[{libpython}]")), "{dynamic}");
    assert!(dynamic.contains(&format!("Library runpath: [{runpath}]")), "{dynamic}");
    let build_id = |path: &Path| {
        let notes = quiet_output("readelf", &["-n", path.to_str().unwrap()]);
        notes.lines().find(|line| line.contains("Build ID")).map(str::to_owned)
    };
    assert!(build_id(stock).is_some());
    assert_eq!(build_id(stock), build_id(relinked));
    // Every table, relocation and note can be read without a complaint.
    quiet_output("readelf", &["-aW", relinked.to_str().unwrap()]);
}

#[test]
fn debians_module_is_relinked_and_nothing_else_of_it_changes() {
    let workspace = Workspace::for_debian();
    let ran = workspace.run(&["--output", RELINKED, stock().to_str().unwrap()]);
    ran.assert_exit(0);
    let relinked = workspace.path(RELINKED);
    assert!(ran.stdout.contains(&format!("LoadModule python_module {}\n", relinked.display())), "{}", ran.stdout);
    assert!(
        ran.stdout.contains(&format!("LoadModule python_module {}\n", stock().display())),
        "the way back: {}",
        ran.stdout
    );
    assert_only_the_plan_changed(stock(), &relinked, workspace.path("lib").to_str().unwrap());
    let section = |path: &Path| {
        quiet_output("readelf", &["-x", ".gnu_debuglink", path.to_str().unwrap()])
            .lines()
            .filter(|line| line.starts_with("  0x"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(section(stock()), section(&relinked));
    assert!(!section(stock()).is_empty());
    workspace.run(&["--check", RELINKED]).assert_exit(0);
}

/// The loader resolves every symbol of the module at once (it is linked with BIND_NOW), so a wrong table ends here.
#[test]
fn apache_loads_debians_module_relinked() {
    let workspace = Workspace::for_debian();
    workspace.run(&["--output", RELINKED, stock().to_str().unwrap()]).assert_exit(0);
    let test = |module: &Path| {
        let modules = Path::new(STOCK).parent().unwrap().display();
        let root = workspace.path("").display().to_string();
        let configuration = format!(
            "ServerRoot {root}\nServerName localhost\nPidFile {root}/pid\nErrorLog {root}/error.log\n\
             LoadModule mpm_event_module {modules}/mod_mpm_event.so\nLoadModule python_module {}\n",
            module.display()
        );
        let file = workspace.write("apache.conf", configuration.as_bytes());
        let apache = "/usr/sbin/apache2";
        assert!(Path::new(apache).exists(), "{apache} is missing: apt-get install apache2");
        let output = Command::new(apache).arg("-t").arg("-f").arg(file).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (loads, message) = test(&workspace.path(RELINKED));
    assert!(loads, "{message}");
    // With an empty library the same test fails, so the module does ask for it. (Were it removed, an installed one
    // might be found.)
    fs::write(workspace.path("lib").join(DEBIANS_LIBRARY), "").unwrap();
    let (loads, message) = test(&workspace.path(RELINKED));
    assert!(!loads && message.contains(DEBIANS_LIBRARY), "{message}");
}

/// Calls through the PLT and through pointers in data both arrive at the library; what is not replaced does not.
fn assert_calls_arrive(workspace: &Workspace, module: &str, recipe: &Recipe) {
    let caller = workspace.path("caller");
    let source = "#include <dlfcn.h>\n#include <stdio.h>\n#include <stdlib.h>\nint main(int c, char **v) {\n\
                  void *m = dlopen(v[1], RTLD_NOW); if (!m) { puts(dlerror()); return 1; }\n\
                  int (*probe)(int) = (int (*)(int))dlsym(m, \"probe\"); if (!probe) return 2;\n\
                  for (int i = 0; i < atoi(v[2]); i++) printf(\"%d\\n\", probe(i));\n  return 0;\n}\n";
    let file = workspace.write("caller.c", source.as_bytes());
    let built = Command::new("cc").arg("-o").arg(&caller).arg(file).arg("-ldl").status().unwrap();
    assert!(built.success());
    let called = |module: &str| {
        let output = Command::new(&caller)
            .arg(workspace.path(module))
            .arg(recipe.imports.len().to_string())
            .env("LD_LIBRARY_PATH", workspace.path("stub"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{module}: {text}");
        text.lines().map(str::to_owned).collect::<Vec<String>>()
    };
    let replaced = |name: &&&str| craft::replacements().contains(&format!("mpc35_rebind_{name}").as_str());
    for (import, answer) in recipe.imports.iter().zip(called(module)) {
        assert_eq!(answer, "11", "stock calls {import} of libpython");
    }
    for (import, answer) in recipe.imports.iter().zip(called(RELINKED)) {
        let expected = if replaced(&import) { "22" } else { "11" };
        assert_eq!(answer, expected, "{import}");
    }
}

#[test]
fn a_relinked_module_calls_the_library() {
    let workspace = Workspace::new();
    workspace.run(&["mod_python.so"]).assert_exit(0);
    let stock = workspace.path("mod_python.so");
    assert_only_the_plan_changed(&stock, &workspace.path(RELINKED), workspace.path("lib").to_str().unwrap());
    // The stub has libpython's name and would be found by the library's NEEDED entry as well.
    fs::create_dir_all(workspace.path("stub")).unwrap();
    assert_calls_arrive(&workspace, "mod_python.so", &Recipe::generation_35());
}

/// The layouts linkers make: each must be relinked, load, and call the library.
#[test]
fn every_layout_of_a_linker_is_relinked() {
    let layouts: [&[&str]; 6] = [
        &["-Wl,--hash-style=sysv", "-Wl,--build-id=sha1"],
        &["-Wl,--hash-style=both", "-Wl,-z,noseparate-code", "-Wl,--build-id=sha1"],
        &["-Wl,-z,max-page-size=0x200000", "-Wl,--build-id=sha1"],
        &["-Wl,-z,now", "-Wl,-z,relro", "-g", "-Wl,--build-id=sha1"],
        &["-Wl,-z,norelro", "-Wl,-s", "-Wl,--build-id=sha1"],
        // Some distributions' makepkg and rpm flags ask for it; its version need must survive as well.
        &["-Wl,-z,pack-relative-relocs", "-Wl,--build-id=sha1"],
    ];
    for arguments in layouts {
        let workspace = Workspace::new();
        let recipe = Recipe {
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            ..Recipe::generation_35()
        };
        workspace.craft("mod_python.so", &recipe);
        let ran = workspace.run(&["mod_python.so"]);
        assert_eq!(ran.exit, Some(0), "{arguments:?}: {}", ran.stderr);
        let stock = workspace.path("mod_python.so");
        assert_only_the_plan_changed(&stock, &workspace.path(RELINKED), workspace.path("lib").to_str().unwrap());
        assert_calls_arrive(&workspace, "mod_python.so", &recipe);
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_module_of_32_bits_is_relinked() {
    let workspace = Workspace::new();
    let class = vec!["-m32".to_owned(), "-nostdlib".to_owned(), "-Wl,--build-id=sha1".to_owned()];
    let recipe = Recipe { arguments: class.clone(), ..Recipe::generation_35() };
    craft::library(&workspace.path("lib").join(LIBRARY), LIBPYTHON, &craft::replacements(), &class);
    workspace.craft("mod_python.so", &recipe);
    workspace.run(&["mod_python.so"]).assert_exit(0);
    let stock = workspace.path("mod_python.so");
    assert_only_the_plan_changed(&stock, &workspace.path(RELINKED), workspace.path("lib").to_str().unwrap());
}

#[test]
fn the_same_input_gives_the_same_output() {
    let workspace = Workspace::for_debian();
    for input in [stock().to_str().unwrap(), "mod_python.so"] {
        workspace.run(&["--output", "a.so", input]).assert_exit(0);
        let copy = workspace.write("copy.so", &fs::read(workspace.path(input)).unwrap());
        workspace.run(&["--output", "b.so", copy.to_str().unwrap()]).assert_exit(0);
        assert_eq!(workspace.read("a.so"), workspace.read("b.so"));
    }
}

/// An import bound to a version of the library it came from must not ask ours for that version.
#[test]
fn a_versioned_import_loses_its_version_with_its_name() {
    let workspace = Workspace::new();
    let versions = workspace.write("versions", b"APR_1 { apr_hash_make; apr_table_get; };");
    let apr = workspace.path("stub").join("libapr.so.0");
    let script = format!("-Wl,--version-script={}", versions.display());
    craft::compile(
        &apr,
        "int apr_hash_make(void) { return 1; } int apr_table_get(void) { return 1; }",
        &[script, "-Wl,-soname=libapr.so.0".into()],
    );
    let mut recipe = Recipe::generation_35();
    // In front of the libpython stub, which defines the name as well.
    recipe.arguments.extend(["-Wl,--no-as-needed".into(), apr.to_str().unwrap().into()]);
    workspace.craft("mod_python.so", &recipe);
    let of_stock = symbols(&workspace.path("mod_python.so")).0;
    assert!(of_stock.iter().any(|name| name.starts_with("apr_hash_make@APR_1")), "{of_stock:?}");
    workspace.run(&["mod_python.so"]).assert_exit(0);
    let of_relinked = symbols(&workspace.path(RELINKED)).0;
    assert!(of_relinked.contains(&"mpc35_rebind_apr_hash_make".to_owned()), "{of_relinked:?}");
    assert!(of_relinked.iter().any(|name| name.starts_with("apr_table_get@APR_1")), "{of_relinked:?}");
    assert_calls_arrive(&workspace, "mod_python.so", &recipe);
}

#[test]
fn a_search_path_the_module_had_stays_behind_ours() {
    for tag in ["--enable-new-dtags", "--disable-new-dtags"] {
        let workspace = Workspace::new();
        let mut recipe = Recipe::generation_35();
        recipe.arguments.extend([format!("-Wl,{tag}"), "-Wl,-rpath=/opt/python/lib".into()]);
        workspace.craft("mod_python.so", &recipe);
        let ran = workspace.run(&["--json", "--runpath", "$ORIGIN", "mod_python.so"]);
        assert_eq!(ran.assert_exit(0).json()["runpath"], "$ORIGIN:/opt/python/lib");
        let dynamic = quiet_output("readelf", &["-dW", workspace.path(RELINKED).to_str().unwrap()]);
        assert!(dynamic.contains("Library runpath: [$ORIGIN:/opt/python/lib]"), "{dynamic}");
        assert!(!dynamic.contains("Library rpath"), "{dynamic}");
    }
}

#[test]
fn a_relative_search_path_is_warned_of_where_the_module_moves() {
    let workspace = Workspace::new();
    let mut recipe = Recipe::generation_35();
    recipe.arguments.push("-Wl,-rpath=$ORIGIN/../python".into());
    workspace.craft("mod_python.so", &recipe);
    fs::create_dir(workspace.path("folder")).unwrap();
    let beside = workspace.run(&["mod_python.so"]);
    assert!(!beside.assert_exit(0).stderr.contains("elsewhere"), "{}", beside.stderr);
    let moved = workspace.run(&["--output", "folder/x.so", "mod_python.so"]);
    assert!(moved.assert_exit(0).stderr.contains("$ORIGIN/../python"), "{}", moved.stderr);
}

/// `strip` is what a packager's build runs over everything it installs.
#[test]
fn a_stripped_relinked_module_loads_and_still_tells_its_version() {
    let workspace = Workspace::new();
    workspace.run(&["mod_python.so"]).assert_exit(0);
    let relinked = workspace.path(RELINKED);
    quiet_output("strip", &[relinked.to_str().unwrap()]);
    let strings = quiet_output("readelf", &["-p", ".note.modpython-core", relinked.to_str().unwrap()]);
    assert!(strings.contains(&format!("version={}", env!("CARGO_PKG_VERSION"))), "{strings}");
    assert_calls_arrive(&workspace, "mod_python.so", &Recipe::generation_35());
    let json = workspace.run(&["--check", "--json", RELINKED]).json();
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_dry_run_says_the_same_and_writes_nothing() {
    let workspace = Workspace::new();
    let before = workspace.names();
    let dry = workspace.run(&["--dry-run", "--json", "mod_python.so"]);
    let dry = dry.assert_exit(0).json();
    assert_eq!(dry["dry_run"], true);
    assert_eq!(workspace.names(), before);
    let wet = workspace.run(&["--json", "mod_python.so"]);
    let wet = wet.assert_exit(0).json();
    assert_eq!(wet["renamed"], dry["renamed"]);
    assert_eq!(wet["output"], dry["output"]);
    assert_eq!(wet["load_module"], format!("LoadModule python_module {}", workspace.path(RELINKED).display()));
}

/// The new segment went behind the highest address of any segment, and what is behind such a one cannot be mapped.
#[test]
#[cfg(target_pointer_width = "64")]
fn an_address_in_a_segment_that_is_not_loaded_does_not_matter() {
    const PT_GNU_STACK: u32 = 0x6474_e551;
    let workspace = Workspace::new();
    let mut bytes = workspace.read("mod_python.so");
    let number =
        |at: usize, size: usize| bytes[at..at + size].iter().rev().fold(0, |n, byte| n << 8 | usize::from(*byte));
    let headers = (0..number(56, 2)).map(|index| number(32, 8) + index * 56);
    let stack = headers.into_iter().find(|at| number(*at, 4) == PT_GNU_STACK as usize).expect("a stack segment");
    bytes[stack + 16..stack + 24].copy_from_slice(&0x7fff_0000_0000_u64.to_le_bytes());
    workspace.write("mod_python.so", &bytes);
    workspace.run(&["mod_python.so"]).assert_exit(0);
    assert_calls_arrive(&workspace, "mod_python.so", &Recipe::generation_35());
}

/// It was written to wherever one stood.
#[test]
fn the_output_is_beside_the_stock_module_unless_told_otherwise() {
    let workspace = Workspace::new();
    fs::create_dir(workspace.path("modules")).unwrap();
    fs::rename(workspace.path("mod_python.so"), workspace.path("modules/mod_python.so")).unwrap();
    std::os::unix::fs::symlink("modules/mod_python.so", workspace.path("link.so")).unwrap();
    for module in ["modules/mod_python.so", "link.so"] {
        let json = workspace.run(&["--json", module]).assert_exit(0).json();
        let output = workspace.path("modules").join(RELINKED);
        assert_eq!(json["output"].as_str(), output.to_str());
        fs::remove_file(output).unwrap();
    }
    assert_eq!(workspace.names(), ["link.so", "modules"]);
}
