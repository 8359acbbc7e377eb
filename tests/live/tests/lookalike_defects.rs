//! Defects of 3.1.x that crash or hang a child: each is shown by the stock look-alike, and cured in the relinked one.
//!
//! Defects by which the stock look-alike leaks or mixes up are in `lookalike_leaks`.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use modpython_live::clients::{Answer, Load, Outcome};
use modpython_live::expect::{all_good, clean_stop, shown};
use modpython_live::http;
use modpython_live::preload::Preload;
use modpython_live::subjects::{LOOKALIKE, UNTIL_3_2};
use modpython_live::wait::wait_until;
use modpython_live::{Module, Mpm, Server, Setup, observe, site};

crate::live_tests! {
    sections_with_directives_stand_load: LOOKALIKE,
    stock_crashes_with_directives_in_sections: LOOKALIKE.shaped(&["3.1"]).from_source(),
    a_computed_status_stands_load: LOOKALIKE,
    references_to_a_shared_status_are_counted_right: LOOKALIKE,
    stock_miscounts_references_to_a_shared_status: LOOKALIKE.from_source(),
    an_output_filter_stands_load: LOOKALIKE,
    stock_crashes_with_an_output_filter: LOOKALIKE.from_source(),
    a_handler_is_added_to_a_phase_without_directives: LOOKALIKE,
    stock_crashes_when_a_handler_is_added: LOOKALIKE.shaped(&["3.1"]).from_source(),
    a_handler_is_added_where_directives_have_interpreters: LOOKALIKE.shaped(UNTIL_3_2),
    stock_crashes_when_a_handler_is_added_where_directives_have_interpreters: LOOKALIKE.shaped(UNTIL_3_2).from_source(),
    a_busy_process_ends_at_once: LOOKALIKE,
    stock_hangs_when_a_busy_process_is_to_end: LOOKALIKE.shaped(UNTIL_3_2).from_source(),
}

const CLIENTS: usize = 32;
/// How long the stock module is given to crash at least, in each of several attempts.
const STOCK: Duration = Duration::from_secs(2);
/// And how many requests: it can mix up the name of the interpreter as well, and to make one for each of the
/// first requests takes a slow machine longer than that.
const REQUESTS: usize = 1000;
const STOCK_AT_MOST: Duration = Duration::from_secs(12);
/// And the relinked one, in its only attempt.
const RELINKED: Duration = Duration::from_secs(5);

fn crashed(server: &Server) -> bool {
    !server.crashes().is_empty()
}

/// Asks the stock module, again and again, until one of its children has crashed.
fn stock_crashes(defect: &str, start: impl Fn(Module) -> Server, path: impl Fn(usize, usize) -> String + Sync) {
    shown(defect, || {
        let server = start(Module::Stock);
        // One client makes the interpreter: several would make several, and take all the time for that.
        Load::new(server.port(), 1).run_times(1, &path);
        let asked = AtomicUsize::new(0);
        let record = Load::new(server.port(), CLIENTS).run(|client, turn, elapsed| {
            let enough = asked.fetch_add(1, Ordering::Relaxed) >= REQUESTS && elapsed >= STOCK;
            if turn > 0 && (enough || elapsed >= STOCK_AT_MOST || crashed(&server)) {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(path(client, turn))
        });
        println!("stock: {:?}", observe::outcomes(&record.answers));
        crashed(&server)
    });
}

/// Asks the relinked module, whose children stay and answer well.
fn relinked_stays(
    start: impl Fn(Module) -> Server,
    path: impl Fn(usize, usize) -> String + Sync,
    good: impl Fn(&Answer) -> bool,
) {
    let server = start(Module::Relinked);
    let record = Load::new(server.port(), CLIENTS).run_for(RELINKED, path);
    println!("relinked: {:?}", observe::outcomes(&record.answers));
    if let Some(bad) = record.answers.iter().find(|answer| !good(answer)) {
        panic!("{bad:?}\n{}", server.error_log());
    }
    clean_stop(server);
}

/// Of one kind, which all apply to each request.
const SECTIONS: usize = 24;

/// Sections with directives, in a server whose APR is as old as 3.1.x expects it to be (MODPYTHON-75).
fn with_sections(library: &Path) -> impl Fn(Module) -> Server {
    let options: String = (0..8).map(|number| format!("PythonOption option{number} value{number}\n")).collect();
    // Each section that a request is in is merged for it, and is a chance more.
    let section = format!("<LocationMatch \"^/hello\">\n{options}</LocationMatch>\n");
    let directives = format!(
        "{options}<Directory \"${{HTDOCS}}\">\n{options}</Directory>\n{}{}",
        section.repeat(SECTIONS),
        site::handler_in("/hello", "hello", &format!("PythonDebug Off\n{options}"))
    );
    let library = library.to_str().expect("a path in UTF-8").to_owned();
    move |module| {
        Setup::new(module)
            .preload("hello")
            .environment("LD_PRELOAD", &library)
            .directives(&directives)
            .start()
            .expect("a server")
    }
}

fn sections_with_directives_stand_load() {
    let preload = Preload::build("oldoverlap.c");
    relinked_stays(with_sections(preload.library()), |_, _| "/hello".to_owned(), |answer| answer.body == "hello\n");
}

fn stock_crashes_with_directives_in_sections() {
    let preload = Preload::build("oldoverlap.c");
    let hello = |_, _| "/hello".to_owned();
    stock_crashes("a crash where sections have directives", with_sections(preload.library()), hello);
}

/// Handlers whose status is an object that nobody else keeps, and one that everybody shares: it is given up without the
/// GIL.
fn with_status(module: Module) -> Server {
    Setup::new(module)
        .preload("defects")
        .directives(&site::handler_in("/status", "defects::status", ""))
        .directives(&site::handler_in("/constant", "defects::constant", ""))
        .directives(&site::handler_in("/count", "defects::count", ""))
        .start()
        .expect("a server")
}

const STATUSES: [u16; 4] = [403, 404, 409, 410];

fn a_computed_status_stands_load() {
    let path = |client, _| format!("/status?{}", STATUSES[client % STATUSES.len()]);
    relinked_stays(with_status, path, |answer| {
        answer.outcome == Outcome::Status(STATUSES[answer.client % STATUSES.len()])
    });
}

/// How many references to the shared status come or go under load.
fn drift(module: Module) -> i64 {
    let server = with_status(module);
    let count = || {
        let body = http::get(server.port(), "/count").expect("an answer").text();
        body.parse::<i64>().unwrap_or_else(|error| panic!("{error}: {body}\n{}", server.error_log()))
    };
    // The first load makes the references that the threads keep for good.
    let load = |duration| Load::new(server.port(), CLIENTS).run_for(duration, |_, _| "/constant".to_owned()).answers;
    for path in ["/count", "/constant"] {
        http::get(server.port(), path).expect("an answer");
    }
    all_good(&load(Duration::ZERO));
    let before = count();
    let answers = load(STOCK);
    let drift = count() - before;
    println!("{module}: {drift} references to a constant more after it has been returned {} times", answers.len());
    if module == Module::Relinked {
        all_good(&answers);
        clean_stop(server);
    }
    drift
}

fn references_to_a_shared_status_are_counted_right() {
    assert_eq!(drift(Module::Relinked), 0);
}

fn stock_miscounts_references_to_a_shared_status() {
    shown("wrong counts of references to a constant", || drift(Module::Stock) != 0);
}

/// A filter's object is given up without the GIL, when the pool of its request is destroyed, and the request with it.
fn with_filter(module: Module) -> Server {
    Setup::new(module)
        .preload("nest defects")
        .directives("PythonOutputFilter defects::filtered UPPER")
        .directives("<Location \"/page\">\nSetOutputFilter UPPER\n</Location>")
        .file("page", "a page\n")
        .start()
        .expect("a server")
}

fn page(_client: usize, _turn: usize) -> String {
    "/page".to_owned()
}

fn an_output_filter_stands_load() {
    relinked_stays(with_filter, page, |answer| answer.is_good() && answer.body == "A PAGE\n");
}

fn stock_crashes_with_an_output_filter() {
    stock_crashes("a crash with an output filter", with_filter, page);
}

/// `req.add_handler` for a phase that no directive names, in a directory.
fn with_added_handler(directives: &'static str) -> impl Fn(Module) -> Server {
    const PAGE: &str = "from mod_python import apache\nfrom defects import adds, added\n\n\
                        def here(req):\n    req.add_handler('PythonLogHandler', 'page::added')\n    return apache.OK\n";
    move |module| {
        let section = format!(
            "<Directory \"${{HTDOCS}}/adds\">\nSetHandler mod_python\nPythonHandler page::here\n{directives}\n</Directory>\n"
        );
        Setup::new(module)
            .preload("defects")
            .file("adds/page.py", PAGE)
            .directives(&section)
            .directives(&site::handler_in("/added", "defects::adds", ""))
            .start()
            .expect("a server")
    }
}

fn is_added(start: impl Fn(Module) -> Server, path: &str) {
    relinked_stays(&start, |_, _| path.to_owned(), Answer::is_good);
    let server = start(Module::Relinked);
    assert_eq!(http::get(server.port(), path).expect("an answer").status, 200);
    let added = || observe::events(&server.notes()).map(|events| events.iter().any(|event| event.kind == "added"));
    // The phase of logging comes after the answer.
    wait_until("the added handler to run", Duration::from_secs(5), || Ok(added()?.then_some(()))).expect("a note");
    clean_stop(server);
}

fn a_handler_is_added_to_a_phase_without_directives() {
    is_added(with_added_handler(""), "/added");
}

fn stock_crashes_when_a_handler_is_added() {
    stock_crashes("a crash with req.add_handler", with_added_handler(""), |_, _| "/added".to_owned());
}

/// The interpreter is named by a directive of that phase, which there is not (MODPYTHON-160).
const INTERPRETERS: &str = "PythonInterpPerDirective On";

fn a_handler_is_added_where_directives_have_interpreters() {
    is_added(with_added_handler(INTERPRETERS), "/adds/page");
}

fn stock_crashes_when_a_handler_is_added_where_directives_have_interpreters() {
    stock_crashes("a crash with PythonInterpPerDirective", with_added_handler(INTERPRETERS), |_, _| {
        "/adds/page".to_owned()
    });
}

/// A signal ends a process of prefork in the midst of a handler, and so with the GIL held (MODPYTHON-109).
fn stop_a_busy_server(module: Module) -> Server {
    let server = Setup::new(module)
        .mpm(Mpm::Prefork, 2)
        .preload("defects")
        .directives(&site::handler_in("/busy", "defects::busy", ""))
        .start()
        .expect("a server");
    let mut load = Load::new(server.port(), 1);
    // The answer never comes.
    load.timeout = Duration::from_millis(200);
    let answers = load.run_times(1, |_, _| "/busy".to_owned()).answers;
    assert_eq!(answers[0].outcome, Outcome::TimedOut);
    let busy = || observe::events(&server.notes()).map(|events| events.iter().any(|event| event.kind == "busy"));
    wait_until("the handler to be busy", Duration::from_secs(5), || Ok(busy()?.then_some(()))).expect("a note");
    server
}

fn a_busy_process_ends_at_once() {
    let mut server = stop_a_busy_server(Module::Relinked);
    let stop = server.stop().expect("a stop");
    assert!(!stop.hung && stop.took <= Duration::from_secs(5), "{stop:?}\n{}", server.error_log());
    assert!(!crashed(&server), "{:?}", server.crashes());
}

fn stock_hangs_when_a_busy_process_is_to_end() {
    shown("a process that has to be killed", || {
        let mut server = stop_a_busy_server(Module::Stock);
        server.stop().expect("a stop").hung
    });
}
