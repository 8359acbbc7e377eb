//! The site's files and configuration, and what of it the subject has.

use std::fs::{self, File, Permissions};
use std::io::Result;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::config::{Module, Mpm};
use crate::server::Server;
use crate::setup::Setup;
use crate::site::handler_in;
use crate::subject::{Subject, subject};

/// Directories whose handlers, and the helpers of these, have the same names.
pub(crate) const PAGES: [&str; 3] = ["north", "south", "east"];
/// Sections with a PythonPath of their own, in the same interpreter.
pub(crate) const PATHS: [&str; 2] = ["left", "right"];
/// Directories of one section, `<Directory .../wild*>`.
pub(crate) const WILD: [&str; 2] = ["wild1", "wild2"];
/// How many scripts for cgihandler there are.
pub(crate) const SCRIPTS: usize = 2;
pub(crate) const TEXT: &str = "a page of plain text\n";

/// At once, slow ones and those that hang up included.
pub(crate) const CLIENTS: usize = 32;

const INDEX: &str = include_str!("../../python/soak/index.py");
const FORMS: &str = include_str!("../../python/soak/forms.py");
const PSP: &str = include_str!("../../python/soak/page.psp");
const SCRIPT: &str = include_str!("../../python/soak/script.py");

/// Parts of the site that not every subject can serve, its relinked module included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    pub publisher: bool,
    pub psp: bool,
    /// Handlers of one name in several directories, and files that change.
    pub importer: bool,
    /// A phase of authentication.
    pub authentication: bool,
    /// Sections whose directory is a pattern.
    pub wild: bool,
}

impl Parts {
    pub(crate) fn of(subject: &Subject) -> Self {
        let ours = subject.is_lookalike();
        let importer = !matches!(subject.shape(), "3.3" | "3.4");
        Self {
            publisher: !ours,
            psp: !ours,
            importer,
            authentication: !ours,
            // Our import_module finds the directory.
            wild: importer,
        }
    }
}

/// The parts that the subject's site lacks, each with the reason.
pub fn left_out() -> Vec<&'static str> {
    let parts = Parts::of(subject());
    let all = [
        (parts.publisher, "publisher: the look-alike has none"),
        (parts.psp, "psp: the look-alike has none"),
        (parts.importer, "equal names and changing files: 3.3 keeps its own importer, and the races of that"),
        (parts.authentication, "PythonAuthenHandler: the look-alike has none; an access handler reads the header"),
        (
            parts.wild,
            "wildcard sections: the look-alike looks for the handler in a directory of that very name, and 3.3 has its own importer",
        ),
    ];
    all.into_iter().filter(|(there, _)| !there).map(|(_, what)| what).collect()
}

/// A server for the site.
pub(crate) fn setup(module: Module, mpm: Mpm) -> Setup {
    let parts = Parts::of(subject());
    // APR keeps 2 MiB for each thread that has had a large request, malloc an arena for each, with holes where large
    // blocks were: the memory of a child would go up for minutes without anything being lost.
    let setup = Setup::new(module)
        .mpm(mpm, CLIENTS as u32)
        .bare()
        .directives("MaxMemFree 128")
        .environment("MALLOC_ARENA_MAX", "2")
        .environment("MALLOC_MMAP_THRESHOLD_", "16384")
        .file("filtered/page.txt", TEXT);
    let setup = files(setup, parts).directives(&sections(parts));
    let setup = if parts.importer { setup } else { preloaded(setup) };
    if !parts.authentication {
        return setup;
    }
    // A handler in Python authenticates; mod_authz_user asks for somebody who has been.
    setup.load("authn_core").load("authz_user")
}

/// Starts the server. The folders of sessions are made here: Session.py makes them while others already want to write
/// there.
pub(crate) fn start(setup: &Setup) -> Result<Server> {
    let server = setup.start()?;
    for number in 0..=u8::MAX {
        let folder = server.notes().join(format!("mp_sess/{number:02x}"));
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, Permissions::from_mode(0o777))?;
    }
    Ok(server)
}

/// Their first requests would load these several times.
fn preloaded(setup: Setup) -> Setup {
    setup.instrumented().preload("mix")
}

fn files(setup: Setup, parts: Parts) -> Setup {
    let page = |setup: Setup, name: &str| {
        setup.file(format!("{name}/index.py"), INDEX).file(format!("{name}/helper.py"), &format!("NAME = {name:?}\n"))
    };
    let mut setup = setup;
    if parts.importer {
        setup = PAGES.into_iter().fold(setup, page);
        for name in PATHS {
            setup = setup
                .file(format!("{name}/{name}_page.py"), &INDEX.replace("helper", &format!("{name}_helper")))
                .file(format!("{name}/{name}_helper.py"), &format!("NAME = {name:?}\n"));
        }
    }
    if parts.wild {
        setup = WILD.into_iter().fold(setup, page);
    }
    if parts.publisher {
        setup = setup.file("pub/forms.py", FORMS);
    }
    if parts.psp {
        setup = setup.file("psp/page.psp", PSP);
    }
    for number in 0..SCRIPTS {
        setup = setup
            .file(format!("scripts/script{number}.py"), &SCRIPT.replace("_helper", &format!("_helper{number}")))
            .file(format!("scripts/script_helper{number}.py"), &format!("ANSWER = {number}\n"));
    }
    setup
}

fn sections(parts: Parts) -> String {
    let directory = |path: &str, handler: &str, more: &str| {
        format!(
            "<Directory \"${{HTDOCS}}/{path}\">\nSetHandler mod_python\nPythonHandler {handler}\n{more}\n</Directory>\n"
        )
    };
    let mut text = String::from("PythonAutoReload On\n");
    for (location, handler) in [
        ("/plain", "mix"),
        ("/status", "mix::status"),
        ("/raises", "mix::raises"),
        ("/fails", "mix::fails"),
        ("/cleanup", "mix::cleanup"),
        ("/post", "mix::post"),
        ("/big", "mix::big"),
    ] {
        text.push_str(&handler_in(location, handler, ""));
    }
    text.push_str(&handler_in(
        "/session",
        "mix::session",
        "PythonOption mod_python.session.session_type FileSession\n\
         PythonOption mod_python.file_session.database_directory \"${NOTES}\"",
    ));
    let all = ["Init", "HeaderParser", "Access", "Type", "Fixup", "Log", "Cleanup"];
    let phases: String = all.iter().map(|phase| format!("Python{phase}Handler mix::step\n")).collect();
    text.push_str(&handler_in("/phases", "mix::answer", &phases));
    text.push_str(&handler_in("/adds", "mix::answer", "PythonAccessHandler mix::adds"));
    text.push_str(
        "PythonOutputFilter mix::upper UPPER\n<Location \"/filtered\">\nSetOutputFilter UPPER\n</Location>\n",
    );
    text.push_str(&handler_in(
        "/member",
        "mix::member",
        if parts.authentication {
            "AuthType Basic\nAuthName soak\nPythonAuthenHandler mix::authenticates\nRequire valid-user"
        } else {
            "PythonAccessHandler mix::authenticates"
        },
    ));
    if parts.importer {
        for name in PAGES {
            text.push_str(&directory(name, "index", ""));
        }
        for name in PATHS {
            let path = format!("PythonPath \"['${{HTDOCS}}/{name}'] + sys.path\"");
            text.push_str(&directory(name, &format!("{name}_page"), &path));
        }
    }
    if parts.wild {
        text.push_str(&directory("wild*", "index", ""));
    }
    if parts.publisher {
        text.push_str(&directory("pub", "mod_python.publisher", ""));
    }
    if parts.psp {
        text.push_str(&directory("psp", "mod_python.psp", ""));
    }
    text.push_str(&directory("scripts", "mod_python.cgihandler", ""));
    text
}

/// Touches every file of the site that mod_python loads again for that.
pub(crate) fn touch(root: &Path) -> Result<()> {
    if !Parts::of(subject()).importer {
        return Ok(());
    }
    let mut files: Vec<PathBuf> = vec![root.join("python/mix.py")];
    for directory in fs::read_dir(root.join("htdocs"))? {
        for file in fs::read_dir(directory?.path())? {
            files.push(file?.path());
        }
    }
    for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "py" || end == "psp")) {
        File::options().append(true).open(file)?.set_modified(SystemTime::now())?;
    }
    Ok(())
}
