//! Modules of one name in different directories are different modules (I7) for every importer.

use modpython_live::clients::{Answer, Load};
use modpython_live::expect::{all_good, clean_stop};
use modpython_live::loads::loads_of;
use modpython_live::meanwhile::meanwhile;
use modpython_live::subjects::{EVERYWHERE, PACKAGE};
use modpython_live::versions::{let_all_write, replace, versioned};
use modpython_live::{Module, Mpm, Server, Setup};

crate::live_tests! {
    plain_handlers_of_one_name_answer_each_for_its_directory: EVERYWHERE.shaped(&["3.1"]),
    wsgi_applications_of_one_name_answer_each_for_its_directory: PACKAGE,
    published_pages_of_one_name_answer_each_for_its_directory: PACKAGE,
    stock_answers_from_the_other_directory: EVERYWHERE.shaped(&["3.1"]).from_source(),
    stock_answers_from_the_other_directorys_wsgi_application: PACKAGE,
}

const CLIENTS: usize = 32;
/// More than clients: each kept connection has a thread, and one more client looks on.
const WORKERS: u32 = 40;
const DIRECTORIES: [&str; 2] = ["north", "south"];
/// Versions of each file, the first included.
const VERSIONS: u32 = 8;
/// Requests of a client that looks on.
const TURNS: usize = 30;

/// An application for mod_python.wsgi, which has to be called `application`.
fn application(version: u32) -> String {
    format!(
        "import loadnotes\n\
         load = loadnotes.Load(__file__, {version})\n\
         def application(environ, start_response):\n    \
             start_response('200 OK', [('Content-Type', 'application/json')])\n    \
             return ['{{\"file\": \"%s\", \"version\": {version}}}' % __file__]\n\
         load.over()\n"
    )
}

/// A page for mod_python.publisher, which sets `__file__` itself.
fn page(version: u32) -> String {
    format!(
        "import loadnotes\n\
         load = loadnotes.Load(__file__, {version})\n\
         def index(req):\n    \
             return '{{\"file\": \"%s\", \"version\": {version}}}' % __file__\n\
         load.over()\n"
    )
}

fn plain(version: u32) -> String {
    versioned(version, 0.05)
}

/// Both directories have an `index.py`, answered for by what these directives say.
fn start(module: Module, directives: &str, text: fn(u32) -> String) -> Server {
    let mut setup = Setup::new(module).mpm(Mpm::Worker, WORKERS);
    for directory in DIRECTORIES {
        setup = setup.file(format!("{directory}/index.py"), &text(1)).directives(&format!(
            "<Directory \"${{HTDOCS}}/{directory}\">\nSetHandler mod_python\n{directives}\n</Directory>"
        ));
    }
    let server = setup.start().expect("a server");
    for directory in DIRECTORIES {
        let_all_write(&server.htdocs().join(directory)).expect("permissions");
    }
    server
}

/// Which directory's file answered, and in which version.
fn origin(answer: &Answer) -> (Option<&'static str>, u64) {
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let file = body["file"].as_str().unwrap_or_default();
    let directory = DIRECTORIES.into_iter().find(|name| file.ends_with(&format!("/{name}/index.py")));
    (directory, body["version"].as_u64().unwrap_or_default())
}

fn directory(client: usize, turn: usize) -> &'static str {
    DIRECTORIES[(client + turn) % DIRECTORIES.len()]
}

fn path(client: usize, turn: usize) -> String {
    format!("/{}/index.py", directory(client, turn))
}

/// Which of the answers came from the other directory's file. Answers come client by client, in the order of turns.
fn wrong(answers: &[Answer]) -> Vec<&Answer> {
    let (mut client, mut turn) = (0, 0);
    let mut wrong = Vec::new();
    for answer in answers {
        if answer.client != client {
            (client, turn) = (answer.client, 0);
        }
        if origin(answer).0 != Some(directory(client, turn)) {
            wrong.push(answer);
        }
        turn += 1;
    }
    wrong
}

/// Under load from the first request on, while both files change again and again.
fn each_directory_answers_for_itself(directives: &str, text: fn(u32) -> String) {
    let server = start(Module::Relinked, directives, text);
    let load = Load::new(server.port(), CLIENTS);
    let (record, ()) = meanwhile(&load, path, || {
        for version in 1..=VERSIONS {
            for directory in DIRECTORIES.into_iter().filter(|_| version > 1) {
                replace(&server.htdocs().join(directory).join("index.py"), &text(version)).expect("a new version");
            }
            // Where stock looks at a file once a second, one look serves for a tick of the coarse clock, 10 ms at most.
            std::thread::sleep(std::time::Duration::from_millis(20));
            // A client of its own, so that each version is asked for.
            let seen = Load::new(server.port(), 1).run_times(TURNS, path).answers;
            assert!(seen.iter().all(|answer| origin(answer).1 == u64::from(version)), "{:?}", seen[0]);
            assert!(wrong(&seen).is_empty(), "{:?}", wrong(&seen)[0]);
        }
    });
    all_good(&record.answers);
    assert!(wrong(&record.answers).is_empty(), "{:?}", wrong(&record.answers)[0]);
    println!("{directives}: {} answers, each from its own directory", record.answers.len());
    for directory in DIRECTORIES {
        let loads = loads_of(&server.notes(), &format!("{directory}/index.py")).expect("the notes");
        let versions: Vec<_> = loads.iter().map(|load| load.version).collect();
        assert_eq!(versions, (1..=VERSIONS).collect::<Vec<_>>(), "{directory}");
    }
    clean_stop(server);
}

const PLAIN: &str = "PythonHandler index";
const WSGI: &str = "PythonHandler mod_python.wsgi\nPythonOption mod_python.wsgi.application index";
const PUBLISHER: &str = "PythonHandler mod_python.publisher";

fn plain_handlers_of_one_name_answer_each_for_its_directory() {
    each_directory_answers_for_itself(PLAIN, plain);
}

fn wsgi_applications_of_one_name_answer_each_for_its_directory() {
    each_directory_answers_for_itself(WSGI, application);
}

/// The publisher has a cache of its own, by file and not by name: this is not to change.
fn published_pages_of_one_name_answer_each_for_its_directory() {
    let server = start(Module::Relinked, PUBLISHER, page);
    let record = Load::new(server.port(), CLIENTS).run_times(TURNS, path);
    all_good(&record.answers);
    assert!(wrong(&record.answers).is_empty(), "{:?}", wrong(&record.answers)[0]);
    clean_stop(server);
}

/// One client, one request after the other, so no race: the name alone decides.
fn stock_answers_from_the_other_directory() {
    half_is_from_the_other_directory(PLAIN, plain);
}

fn stock_answers_from_the_other_directorys_wsgi_application() {
    half_is_from_the_other_directory(WSGI, application);
}

fn half_is_from_the_other_directory(directives: &str, text: fn(u32) -> String) {
    let server = start(Module::Stock, directives, text);
    let answers = Load::new(server.port(), 1).run_times(TURNS, path).answers;
    let wrong = wrong(&answers).len();
    println!("stock, {directives}: {wrong} of {} answers from the other directory", answers.len());
    assert_eq!(wrong, TURNS / 2);
}
