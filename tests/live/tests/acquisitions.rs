//! How often a request takes the GIL (R5).

use std::time::Duration;

use modpython_live::expect::clean_stop;
use modpython_live::http::Client;
use modpython_live::preload::Preload;
use modpython_live::subjects::EVERYWHERE;
use modpython_live::{Module, Setup, site, subject};

crate::live_tests! {
    a_request_takes_the_gil_no_more_than_needed: EVERYWHERE.shaped(&["3.1"]),
}

const REQUESTS: u64 = 100;
/// One for the handler, and one for the cleanup that gives the request object back, in the main interpreter.
const NEEDED: u64 = 2;
/// 3.1.x gives the GIL up while httpd collects the variables for CGI, and takes it again.
const OF_MAKING_A_REQUEST_IN_3_1: u64 = 1;

fn acquisitions_per_request(module: Module) -> u64 {
    let library = Preload::build("gilcount.c");
    let server = Setup::new(module)
        .environment("LD_PRELOAD", library.library().to_str().expect("a path in UTF-8"))
        .directives(&site::handler("plain"))
        .directives(&site::handler("gilcount"))
        .start()
        .expect("a server");
    let mut client = Client::new(server.port(), true, Duration::from_secs(20));
    let mut count_after = |requests: u64| {
        for _ in 0..requests {
            assert_eq!(client.get("/plain").expect("an answer").status, 200);
        }
        let answer = client.get("/gilcount").expect("an answer");
        let answer: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        answer["taken"].as_u64().expect("a number")
    };
    // Imports happen, and then looking costs something itself: the surplus of twice as many requests is theirs alone.
    count_after(1);
    let begin = count_after(1);
    let once = count_after(REQUESTS);
    let twice = count_after(2 * REQUESTS);
    let taken = (twice - once) - (once - begin);
    // The server does not settle while this connection is kept.
    drop(client);
    assert_eq!(taken % REQUESTS, 0, "{taken} in {REQUESTS} requests: not the same number in each");
    clean_stop(server);
    taken / REQUESTS
}

fn a_request_takes_the_gil_no_more_than_needed() {
    let stock = acquisitions_per_request(Module::Stock);
    let relinked = acquisitions_per_request(Module::Relinked);
    println!("acquisitions of the GIL per request: stock {stock}, relinked {relinked}");
    // The counter sees the stock module's too, so it does count.
    let needed = if subject().is_lookalike() { NEEDED + OF_MAKING_A_REQUEST_IN_3_1 } else { NEEDED };
    assert!(stock >= needed, "stock: {stock}");
    assert_eq!(relinked, needed);
}
