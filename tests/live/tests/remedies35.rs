//! Remedies for defects of 3.5 alone, on the distribution's module: stock's answers, ours, and ours with that remedy
//! left out.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use modpython_live::clients::Load;
use modpython_live::expect::{clean_stop, shows_unless_cured};
use modpython_live::http;
use modpython_live::subjects::{EVERYWHERE, PACKAGE};
use modpython_live::wait::wait_until;
use modpython_live::{Module, Server, Setup, observe, site};

crate::live_tests! {
    distribution_fields_of_a_query_have_their_names: PACKAGE,
    distribution_the_status_of_a_wsgi_application_is_sent: PACKAGE,
    distribution_each_session_has_a_number_of_its_own: PACKAGE,
    distribution_what_a_client_that_hangs_up_has_sent_is_given_up: PACKAGE,
    distribution_a_body_that_comes_late_is_none: PACKAGE,
    distribution_code_in_pages_stands_load: PACKAGE,
    distribution_code_in_pages_may_fail: PACKAGE,
    a_failing_python_import_says_why: EVERYWHERE.shaped(&["3.1"]),
}

/// A race shows itself in one of so many attempts.
const CHANCES: u32 = 10;

fn setup(module: Module, disabled: &str) -> Setup {
    Setup::new(module).preload("remedies").environment("MODPYTHON_CORE_DISABLE", disabled)
}

fn start(module: Module, disabled: &str, directives: &str) -> Server {
    setup(module, disabled).directives(directives).start().expect("a server")
}

fn answer(server: &Server, path: &str) -> http::Response {
    http::get(server.port(), path).unwrap_or_else(|error| panic!("{error}\n{}", server.error_log()))
}

/// A field whose name is much shorter than the query is called what its value is, if the value's memory is where the
/// name's was: nearly always, but not for every length of the query.
fn distribution_fields_of_a_query_have_their_names() {
    shows_unless_cured("queries", 1, |module, disabled| {
        let server = start(module, disabled, &site::handler_in("/fields", "remedies::fields", ""));
        let wrong = (0..400).step_by(20).filter(|length| {
            let more = "m".repeat(*length);
            let body = answer(&server, &format!("/fields?x=2&name=value&%C3%A4=%E2%82%AC&more=1{more}")).text();
            body != format!("x=2 name=value ä=€ more=1{more}")
        });
        let wrong = wrong.count();
        println!("{module} {disabled}: {wrong} of 20 queries are wrong");
        wrong > 0
    });
}

/// Every answer of a WSGI application is sent as a 200.
fn distribution_the_status_of_a_wsgi_application_is_sent() {
    let options = "PythonOption mod_python.wsgi.application remedies::application\n\
                   PythonOption mod_python.wsgi.base_uri /wsgi";
    shows_unless_cured("wsgi-status", 1, |module, disabled| {
        let server = start(module, disabled, &site::handler_in("/wsgi", "mod_python.wsgi", options));
        let answer = answer(&server, "/wsgi/x");
        println!("{module} {disabled}: {}", answer.status);
        assert_eq!(answer.text(), "not here");
        answer.status != 404
    });
}

/// Sessions that begin at the same moment have one number.
fn distribution_each_session_has_a_number_of_its_own() {
    shows_unless_cured("session-ids", 1, |module, disabled| {
        let server = start(module, disabled, &site::handler_in("/numbers", "remedies::numbers", ""));
        let same: u32 = answer(&server, "/numbers").text().parse().expect("a number");
        println!("{module} {disabled}: {same} sessions have the number of another one");
        same > 0
    });
}

/// Stock keeps for good the data that it reads for a client that hangs up.
fn distribution_what_a_client_that_hangs_up_has_sent_is_given_up() {
    const CLIENTS: u64 = 60;
    const SENT: u64 = 500_000;
    shows_unless_cured("reads", 1, |module, disabled| {
        let server = setup(module, disabled)
            // Freed data goes back at once, and not into the arenas of threads.
            .environment("MALLOC_MMAP_THRESHOLD_", "16384")
            .directives(&site::handler_in("/reads", "remedies::reads", ""))
            .start()
            .expect("a server");
        let leave = |times: u64| {
            for _ in 0..times {
                let mut client = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
                let head = "POST /reads HTTP/1.1\r\nHost: live.test\r\nContent-Length: 1000000\r\n\r\n";
                client.write_all(head.as_bytes()).expect("a client that writes");
                client.write_all(&vec![b'x'; SENT as usize]).expect("a client that writes");
            }
            server.settle().expect("connections to end");
        };
        let kept = || observe::private_memory(server.children().expect("the children")[0]).expect("a process");
        // Each of its threads keeps some memory for the next request.
        leave(CLIENTS);
        let before = kept();
        leave(CLIENTS);
        let grown = kept().saturating_sub(before);
        println!("{module} {disabled}: {} KiB more after {CLIENTS} clients", grown >> 10);
        grown > CLIENTS * SENT / 4
    });
}

/// A body that begins later than the server waits for it comes without its first byte.
fn distribution_a_body_that_comes_late_is_none() {
    shows_unless_cured("reads", 5, |module, disabled| {
        let directives = format!("Timeout 1\n{}", site::handler_in("/late", "remedies::late", ""));
        let server = start(module, disabled, &directives);
        let mut client = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
        let head = "POST /late HTTP/1.1\r\nHost: live.test\r\nContent-Length: 10\r\nConnection: close\r\n\r\n";
        client.write_all(head.as_bytes()).expect("a client that writes");
        // Ours answers when the time is over; stock reads again, and has to get the body before it is over once more.
        let is_cured = module == Module::Relinked && disabled.is_empty();
        let patience = if is_cured { Duration::from_secs(30) } else { Duration::from_millis(1500) };
        client.set_read_timeout(Some(patience)).expect("a time");
        let mut answer = String::new();
        if client.read_to_string(&mut answer).is_err() {
            client.set_read_timeout(None).expect("a time");
            // Of a client that has the answer already the server may hear no more.
            let _ = client.write_all(b"0123456789");
            client.read_to_string(&mut answer).expect("an answer");
        }
        let body = answer.rsplit("\r\n").next().expect("a last line");
        println!("{module} {disabled}: {body}");
        body != "nothing"
    });
}

const INCLUDES: &str = "AddType text/html .shtml\n<Directory \"${HTDOCS}\">\nOptions +Includes\n\
                        <Files \"*.shtml\">\nSetOutputFilter INCLUDES\n</Files>\n</Directory>";

fn includes(module: Module, disabled: &str, page: &str) -> Server {
    setup(module, disabled).load("include").directives(INCLUDES).file("page.shtml", page).start().expect("a server")
}

/// The code of a page is made a string without the GIL.
fn distribution_code_in_pages_stands_load() {
    let page: String = (0..10).map(|number| format!("<!--#python eval=\"'part{number}' + 'of10'\" -->")).collect();
    let wanted: String = (0..10).map(|number| format!("part{number}of10")).collect();
    shows_unless_cured("ssi", CHANCES, |module, disabled| {
        let server = includes(module, disabled, &page);
        let record = Load::new(server.port(), 16).run_for(Duration::from_secs(2), |_, _| "/page.shtml".to_owned());
        let wrong = record.answers.iter().filter(|answer| !answer.is_good() || answer.body != wanted).count();
        let crashes = server.crashes().len();
        println!("{module} {disabled}: {wrong} wrong, {crashes} crashes, {:?}", observe::outcomes(&record.answers));
        if module == Module::Relinked && disabled.is_empty() {
            clean_stop(server);
        }
        wrong > 0 || crashes > 0
    });
}

/// Code that fails has mod_python write into the data of mod_include.
fn distribution_code_in_pages_may_fail() {
    shows_unless_cured("ssi", CHANCES, |module, disabled| {
        let server = includes(module, disabled, "one <!--#python eval=\"1/0\" --> two");
        let record = Load::new(server.port(), 4).run_times(25, |_, _| "/page.shtml".to_owned());
        let wanted = "one [an error occurred while processing this directive] two";
        let wrong = record.answers.iter().filter(|answer| answer.body != wanted).count();
        println!("{module} {disabled}: {wrong} wrong of {:?}", observe::outcomes(&record.answers));
        wrong > 0 || !server.crashes().is_empty()
    });
}

/// Why a module could not be imported at the start of a child is in the log.
fn a_failing_python_import_says_why() {
    for module in [Module::Stock, Module::Relinked] {
        let server = Setup::new(module)
            .bare()
            .file("app/early.py", "raise ValueError('the reason of it')\n")
            .directives("PythonPath \"sys.path + ['${HTDOCS}/app']\"\nPythonImport early live.test")
            .start()
            .expect("a server");
        let said = wait_until("the reason", Duration::from_secs(10), || {
            Ok((!server.logged("ValueError: the reason of it").is_empty()).then_some(()))
        });
        assert!(said.is_ok(), "{module}: {}", server.error_log());
    }
}
