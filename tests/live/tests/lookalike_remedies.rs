//! Remedies that can be left out one by one: stock's answers, ours, and ours with that remedy left out.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use modpython_live::clients::Load;
use modpython_live::expect::{all_good, clean_stop, shows_unless_cured};
use modpython_live::http;
use modpython_live::observe;
use modpython_live::subjects::{EVERYWHERE, LOOKALIKE, UNTIL_3_2};
use modpython_live::wait::wait_until;
use modpython_live::{Module, Mpm, Server, Setup, site, subject};

crate::live_tests! {
    sessions_go_on_over_a_graceful_restart: LOOKALIKE,
    an_output_filter_sends_what_it_has_written: LOOKALIKE,
    pairs_of_a_query_are_given_up: LOOKALIKE,
    sys_path_stays_as_long_as_it_is: LOOKALIKE.shaped(UNTIL_3_2),
    a_body_is_read_after_a_client_has_hung_up: LOOKALIKE,
    handlers_of_patterns_are_in_the_directory_of_the_file: LOOKALIKE.shaped(&["3.1", "3.2.8", "3.2.10", "3.5"]),
    handlers_of_files_are_in_the_directory_around_them: LOOKALIKE.shaped(UNTIL_3_2),
    an_added_handler_has_a_directory: LOOKALIKE.shaped(UNTIL_3_2),
    an_added_handler_runs_though_nobody_keeps_its_phase: EVERYWHERE,
    an_unknown_remedy_is_complained_of: LOOKALIKE,
}

const FLAG: &str = "restarted";

fn start(module: Module, disabled: &str, directives: &str) -> Server {
    Setup::new(module)
        .two_processes()
        .preload("nest remedies")
        .environment("MODPYTHON_CORE_DISABLE", disabled)
        .file("page", "a page\n")
        .directives(directives)
        .start()
        .expect("a server")
}

/// A request that began before a graceful restart uses the lock of a session after it: whether it fails. Requests of
/// the new child never do.
fn fails_after_a_restart(module: Module, disabled: &str) -> bool {
    let mut server = start(module, disabled, &site::handler_in("/session", "remedies::session", ""));
    let port = server.port();
    let before = http::get(port, "/session").expect("an answer").status;
    assert_eq!(before, 200, "{}", server.error_log());
    let old = thread::spawn(move || Load::new(port, 1).run_times(1, |_, _| "/session?later".to_owned()).answers);
    let waiting = || observe::events(&server.notes()).map(|events| events.iter().any(|event| event.kind == "waiting"));
    wait_until("the request to wait", Duration::from_secs(10), || Ok(waiting()?.then_some(()))).expect("a note");
    if let Err(error) = server.graceful() {
        // Stock of 3.5 ends with the first restart under which libpython stays loaded.
        assert!(module == Module::Stock && subject().shape() == "3.5", "{error}\n{}", server.error_log());
        return true;
    }
    site::set_flag(&server.notes(), FLAG).expect("a flag");
    let answers = old.join().expect("the client");
    println!("{module} {disabled}: {:?}", observe::outcomes(&answers));
    if module == Module::Relinked {
        // Stock's new children may know no interpreter.
        assert_eq!(http::get(port, "/session").expect("an answer").status, 200, "{}", server.error_log());
        if disabled.is_empty() {
            clean_stop(server);
        }
    }
    !answers[0].is_good()
}

fn sessions_go_on_over_a_graceful_restart() {
    shows_unless_cured("sessions", 1, fails_after_a_restart);
}

/// Whether the page differs from what its filter has written.
fn sends_other_strings(module: Module, disabled: &str) -> bool {
    let filter =
        "PythonOutputFilter remedies::numbered NUMBERED\n<Location \"/page\">\nSetOutputFilter NUMBERED\n</Location>";
    let server = start(module, disabled, filter);
    let wanted: String = (0..200).map(|number| format!("{number:06} ").repeat(8)).collect();
    let answers = Load::new(server.port(), 4).run_times(25, |_, _| "/page".to_owned()).answers;
    let wrong = answers.iter().filter(|answer| answer.body != wanted).count();
    println!("{module} {disabled}: {wrong} of {} pages are wrong", answers.len());
    wrong > 0
}

fn an_output_filter_sends_what_it_has_written() {
    if subject().shape() == "3.5" {
        shows_unless_cured("buckets", 1, sends_other_strings);
    } else {
        // Before 3.5 the strings are copied, and nothing is to be cured.
        assert!(!sends_other_strings(Module::Relinked, ""));
    }
}

/// Whether a pair of a query has a reference that belongs to nobody.
fn keeps_pairs(module: Module, disabled: &str) -> bool {
    let server = start(module, disabled, &site::handler_in("/pairs", "remedies::pairs", ""));
    let answer = http::get(server.port(), "/pairs").expect("an answer");
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    println!("{module} {disabled}: {body}");
    assert!(body.starts_with("1 2 "), "{body}\n{}", server.error_log());
    body == "1 2 1"
}

fn pairs_of_a_query_are_given_up() {
    if subject().shape() == "3.1" {
        shows_unless_cured("parse-qsl", 1, keeps_pairs);
    } else {
        assert!(!keeps_pairs(Module::Relinked, ""));
    }
}

/// Whether `sys.path` is longer after many requests of two sections by turns, each with a PythonPath of its own.
fn lengthens_sys_path(module: Module, disabled: &str) -> bool {
    let sections: String = ["/one", "/two"]
        .map(|place| {
            let path = format!("PythonPath \"['/nowhere{place}'] + sys.path\"");
            site::handler_in(place, "remedies::entries", &path)
        })
        .concat();
    let server = start(module, disabled, &sections);
    let path = |_, turn| if turn % 2 == 0 { "/one".to_owned() } else { "/two".to_owned() };
    let ask = |times| {
        let answers = Load::new(server.port(), 1).run_times(times, path).answers;
        all_good(&answers);
        answers.iter().map(|answer| answer.body.parse::<usize>().expect("a number")).max().expect("an answer")
    };
    // Each of the two children has seen both.
    let (before, after) = (ask(40), ask(400));
    println!("{module} {disabled}: {before} entries, then {after}");
    after > before
}

fn sys_path_stays_as_long_as_it_is() {
    shows_unless_cured("python-path", 1, lengthens_sys_path);
}

/// A client hangs up when one byte of its body has come, and the next one's whole body is read by the same thread, into
/// the same memory: that is no second attempt of the first read, which `reads` answers as that one was.
fn a_body_is_read_after_a_client_has_hung_up() {
    const LENGTH: usize = 1_000_000;
    let server = Setup::new(Module::Relinked)
        .mpm(Mpm::Worker, 1)
        .preload("remedies")
        .directives(&site::handler_in("/reads", "remedies::reads", ""))
        .start()
        .expect("a server");
    let head = format!("POST /reads HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {LENGTH}\r\n\r\n");
    let connect = || TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    for _ in 0..20 {
        connect().write_all(format!("{head}x").as_bytes()).expect("a part of a request");
        let mut stream = connect();
        stream.write_all(format!("{head}{}", "x".repeat(LENGTH)).as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}\n{}", server.error_log());
    }
    clean_stop(server);
}

/// A filter.
const SHOUT: &str = "def outputfilter(filter):\n    piece = filter.read()\n    while piece:\n        \
                 filter.write(piece.upper())\n        piece = filter.read()\n    if piece is None:\n        filter.close()\n";

const WILD: [&str; 2] = ["wild1", "wild2"];

/// Whether handlers, and a filter, of sections whose directory is a pattern are not found (MODPYTHON-63).
fn finds_no_handlers_in_patterns(module: Module, disabled: &str) -> bool {
    let section =
        |kind: &str, directory: &str, handler: &str| format!("<{kind} \"{directory}\">\n{handler}\n</{kind}>\n");
    let handler = "SetHandler mod_python\nPythonHandler page";
    let mut setup = Setup::new(module)
        .environment("MODPYTHON_CORE_DISABLE", disabled)
        .directives(&section("Directory", "${HTDOCS}/wild*", handler))
        .directives(&section("DirectoryMatch", "^${HTDOCS}/match(ed)?[12]", handler))
        .directives(&section(
            "Directory",
            "${HTDOCS}/filter?",
            "PythonOutputFilter shout SHOUT\nSetOutputFilter SHOUT",
        ));
    for name in WILD.into_iter().chain(["matched1", "match2"]) {
        setup = setup
            .file(format!("{name}/page.py"), &page(name))
            .file(format!("{name}/helper.py"), &format!("NAME = '{name}'\n"));
    }
    let server = setup.file("filter1/shout.py", SHOUT).file("filter1/text.txt", "a text").start().expect("a server");
    let wrong = |path: &str, wanted: &str| {
        // Stock closes the connection where a filter is not found.
        let body = http::get(server.port(), path).map_or_else(|error| error.to_string(), |answer| answer.text());
        if body != wanted {
            println!("{module} {disabled}: {path}: {}", body.lines().next().unwrap_or_default());
        }
        body != wanted
    };
    let pages = WILD.into_iter().chain(["matched1", "match2"]);
    let wrong_pages = pages.filter(|name| wrong(&format!("/{name}/x"), &format!("{name} {name}"))).count();
    wrong_pages + usize::from(wrong("/filter1/text.txt", "A TEXT")) > 0
}

fn handlers_of_patterns_are_in_the_directory_of_the_file() {
    shows_unless_cured("section-patterns", 1, finds_no_handlers_in_patterns);
}

/// A page that says its directory, and what it has imported from there.
fn page(name: &str) -> String {
    format!(
        "from mod_python import apache\nimport helper\n\ndef handler(req):\n    \
         req.write('{name} ' + helper.NAME)\n    return apache.OK\n"
    )
}

/// Whether handlers, and a filter, of `<Files>` sections are not found (MODPYTHON-126). Where stock finds one it is by
/// luck: a directory that an earlier request has put into `sys.path`.
fn finds_no_handlers_in_files(module: Module, disabled: &str) -> bool {
    let section = |kind: &str, name: &str, inside: &str| format!("<{kind} \"{name}\">\n{inside}\n</{kind}>\n");
    let handler = "SetHandler mod_python\nPythonHandler page";
    let filter = "PythonOutputFilter shout SHOUT\nSetOutputFilter SHOUT";
    let files = section("Files", "*.x", handler) + &section("FilesMatch", "\\.y$", handler);
    let mut setup = Setup::new(module)
        .environment("MODPYTHON_CORE_DISABLE", disabled)
        .directives(&section("Directory", "${HTDOCS}/plain", &files))
        .directives(&section("Directory", "${HTDOCS}/wild*", &files))
        .directives(&section("DirectoryMatch", "^${HTDOCS}/match(ed)?1", &files))
        .directives(&section("Directory", "${HTDOCS}/below", "AllowOverride All"))
        .file("below/.htaccess", &files)
        .directives(&section("Directory", "${HTDOCS}/filter", &section("Files", "*.txt", filter)));
    let directories = ["plain", "wild1", "matched1", "below"];
    for name in directories {
        setup = setup
            .file(format!("{name}/page.py"), &page(name))
            .file(format!("{name}/helper.py"), &format!("NAME = '{name}'\n"))
            .file(format!("{name}/inner/a.z"), "not a page");
    }
    let server = setup.file("filter/shout.py", SHOUT).file("filter/text.txt", "a text").start().expect("a server");
    let wrong = |path: &str, wanted: &str| {
        // Stock closes the connection where a filter is not found.
        let body = http::get(server.port(), path).map_or_else(|error| error.to_string(), |answer| answer.text());
        if body != wanted {
            println!("{module} {disabled}: {path}: {}", body.lines().next().unwrap_or_default());
        }
        body != wanted
    };
    let paths = directories.into_iter().flat_map(|name| ["a.x", "b.y", "inner/c.x"].map(|file| (name, file)));
    // An expression says nothing of which directory is meant: there the file's own is.
    let paths = paths.filter(|(name, file)| !(*name == "matched1" && file.starts_with("inner")));
    let wrong_pages = paths.filter(|(name, file)| wrong(&format!("/{name}/{file}"), &format!("{name} {name}"))).count();
    let wrong_filter = wrong("/filter/text.txt", "A TEXT");
    assert!(!wrong("/plain/inner/a.z", "not a page"), "what the section does not name");
    wrong_pages + usize::from(wrong_filter) > 0
}

fn handlers_of_files_are_in_the_directory_around_them() {
    shows_unless_cured("files-sections", 1, finds_no_handlers_in_files);
}

/// Whether a handler that is added has no directory, or one without a slash (MODPYTHON-161).
fn adds_without_a_directory(module: Module, disabled: &str) -> bool {
    const PAGE: &str = "import sys\nfrom mod_python import apache\n\n\
        def adds(req):\n    req.add_handler('PythonFixupHandler', 'page::step')\n    return apache.OK\n\n\
        def names(req):\n    req.add_handler('PythonFixupHandler', 'page::step', req.hlist.directory[:-1])\n    return apache.OK\n\n\
        def same(req):\n    req.add_handler('PythonAccessHandler', 'page::step')\n    return apache.OK\n\n\
        def step(req):\n    req.where = req.hlist.directory\n    return apache.OK\n\n\
        def nothing(req):\n    return apache.OK\n\n\
        def handler(req):\n    own = req.hlist.directory\n    \
        req.write('%s %s' % (req.where == own, own[:-1] in sys.path))\n    return apache.OK\n";
    // Stock crashes where no directive names the phase.
    let section = |name: &str| {
        format!(
            "<Directory \"${{HTDOCS}}/{name}\">\nSetHandler mod_python\nPythonHandler page\n\
             PythonAccessHandler page::{name}\nPythonFixupHandler page::nothing\n</Directory>\n"
        )
    };
    let names = ["adds", "names", "same"];
    let mut setup = Setup::new(module).environment("MODPYTHON_CORE_DISABLE", disabled);
    for name in names {
        setup = setup.directives(&section(name)).file(format!("{name}/page.py"), PAGE);
    }
    let server = setup.start().expect("a server");
    let wrong = names.into_iter().filter(|name| {
        let body = http::get(server.port(), &format!("/{name}/x")).expect("an answer").text();
        println!("{module} {disabled}: {name}: {}", body.lines().next().unwrap_or_default());
        body != "True False"
    });
    wrong.count() > 0
}

fn an_added_handler_has_a_directory() {
    shows_unless_cured("added-handlers", 1, adds_without_a_directory);
}

/// Whether a handler does not run that is added to a phase whose name nobody keeps.
fn forgets_a_phase(module: Module, disabled: &str) -> bool {
    const PAGE: &str = "from mod_python import apache\n\n\
        def adds(req):\n    phase = ''.join(['Python', 'Fixup', 'Handler'])\n    \
        req.add_handler(phase, 'page::step', req.hlist.directory)\n    del phase\n    \
        # Something else stands there.\n    \
        req.others = [''.join(['Another', '%011d' % n]) for n in range(1000)]\n    return apache.OK\n\n\
        def nothing(req):\n    return apache.OK\n\n\
        def step(req):\n    req.added = 'ran'\n    return apache.OK\n\n\
        def handler(req):\n    req.write(getattr(req, 'added', 'did not run'))\n    return apache.OK\n";
    let server = Setup::new(module)
        .environment("MODPYTHON_CORE_DISABLE", disabled)
        .file("keeps/page.py", PAGE)
        .directives(
            "<Directory \"${HTDOCS}/keeps\">\nSetHandler mod_python\nPythonHandler page\n\
             PythonAccessHandler page::adds\nPythonFixupHandler page::nothing\n</Directory>\n",
        )
        .start()
        .expect("a server");
    let bodies = (0..3).map(|_| http::get(server.port(), "/keeps/x").expect("an answer").text());
    let bodies: Vec<_> = bodies.collect();
    println!("{module} {disabled}: {bodies:?}");
    bodies.iter().any(|body| body != "ran")
}

fn an_added_handler_runs_though_nobody_keeps_its_phase() {
    shows_unless_cured("added-handlers", 1, forgets_a_phase);
}

/// A name that is none of a remedy's is said in the log, once a child, and changes nothing.
fn an_unknown_remedy_is_complained_of() {
    let server = start(Module::Relinked, "sesions", &site::handler_in("/session", "remedies::session", ""));
    assert_eq!(http::get(server.port(), "/session").expect("an answer").status, 200);
    let lines = server.logged("there is no remedy sesions");
    assert_eq!(lines.len(), server.children().expect("the children").len(), "{}", server.error_log());
}
