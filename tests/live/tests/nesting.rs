//! Requests within requests, under load.

use std::time::Duration;

use modpython_live::clients::{Load, Outcome};
use modpython_live::expect::clean_stop;
use modpython_live::subjects::EVERYWHERE;
use modpython_live::{Module, Mpm, Setup, site};

crate::live_tests! {
    redirects_filters_and_subrequests_under_worker: EVERYWHERE.shaped(&["3.1"]),
    redirects_filters_and_subrequests_under_event: EVERYWHERE.shaped(&["3.1"]),
    redirects_filters_and_subrequests_under_prefork: EVERYWHERE.shaped(&["3.1"]),
}

/// Pages, and the answers that have to come back.
const PAGES: [(&str, &str); 4] = [
    // A handler hands its request on to another one, in another interpreter.
    ("/redirect/x?/hello/x", "hello\n"),
    // A filter written in Python changes what a handler wrote.
    ("/filtered/x", "HELLO\n"),
    // A page of mod_include takes in what a handler answers to a subrequest.
    ("/page.shtml", "<p>hello\n</p>\n"),
    // All of it: the redirect leads to the filtered handler.
    ("/redirect/x?/filtered/x", "HELLO\n"),
];

fn nested(mpm: Mpm, clients: u16) {
    let server = Setup::new(Module::Relinked)
        .preload("hello nest")
        .mpm(mpm, clients.into())
        .load("include")
        .file("page.shtml", "<p><!--#include virtual=\"/hello/x\" --></p>\n")
        .directives(
            "PythonOutputFilter nest::upper UPPER\n\
             <Directory \"${HTDOCS}\">\nOptions +Includes\nAddType text/html .shtml\n\
             AddOutputFilter INCLUDES .shtml\n</Directory>",
        )
        .directives(&site::handler("hello"))
        .directives(&site::handler_in("/redirect", "nest::redirect", "PythonInterpreter outer"))
        .directives(&site::handler_in("/filtered", "hello", "SetOutputFilter UPPER"))
        .start()
        .expect("a server");
    let record = Load::new(server.port(), clients.into())
        .run_for(Duration::from_secs(4), |client, turn| PAGES[(client + turn) % PAGES.len()].0.to_owned());
    let mut turn = 0;
    let mut client = 0;
    for answer in &record.answers {
        if answer.client != client {
            (client, turn) = (answer.client, 0);
        }
        let (path, body) = PAGES[(client + turn) % PAGES.len()];
        assert_eq!((answer.outcome, answer.body.as_str()), (Outcome::Status(200), body), "{mpm}, {path}");
        turn += 1;
    }
    println!("{mpm}: {} nested requests", record.answers.len());
    clean_stop(server);
}

fn redirects_filters_and_subrequests_under_worker() {
    nested(Mpm::Worker, 32);
}

fn redirects_filters_and_subrequests_under_event() {
    nested(Mpm::Event, 32);
}

fn redirects_filters_and_subrequests_under_prefork() {
    // Each child makes three interpreters, which is what takes the time.
    nested(Mpm::Prefork, 16);
}
