//! A handler that changes while the server runs (I1, I2, I6, I9).

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use modpython_live::clients::{Answer, Load, Record};
use modpython_live::expect::{all_good, clean_stop, shown};
use modpython_live::loads::{ModuleLoad, loads_of};
use modpython_live::meanwhile::meanwhile;
use modpython_live::observe::outcomes;
use modpython_live::subjects::{EVERYWHERE, LOOKALIKE, PACKAGE};
use modpython_live::versions::{let_all_write, overwrite, replace, versioned};
use modpython_live::wait::wait_until;
use modpython_live::{Module, Server, Setup, subject};

crate::live_tests! {
    each_version_runs_once_and_nobody_meets_it_half_loaded: EVERYWHERE.shaped(&["3.1"]),
    stock_never_sees_a_new_version: PACKAGE,
    stock_runs_a_version_several_times: LOOKALIKE.shaped(&["3.1"]).from_source(),
    versions_of_one_size_within_one_second_are_all_seen: EVERYWHERE.shaped(&["3.1"]),
}

/// And one more now and then: together they are as many as the server has threads, each of which stays with a
/// connection.
const CLIENTS: usize = 31;
/// Twice a second, for 30 s.
const TOUCHES: u32 = 60;
const INTERVAL: Duration = Duration::from_millis(500);
/// Seconds that one load takes: enough for many calls to arrive meanwhile.
const IMPORT: f64 = 0.1;
const FILE: &str = "app/touched.py";

/// The handler's report on one request.
struct Said {
    client: usize,
    /// When the request was sent, at the latest; on the clock of the notes, as all times here.
    sent: f64,
    dispatched: f64,
    looked: f64,
    version: u32,
    finished: u32,
}

fn said(record: &Record) -> Vec<Said> {
    record.answers.iter().map(|answer| said_in(record.began, answer)).collect()
}

fn said_in(began: f64, answer: &Answer) -> Said {
    let body: serde_json::Value = serde_json::from_str(&answer.body).expect("an answer of the handler");
    let number = |name: &str| body[name].as_u64().and_then(|number| u32::try_from(number).ok()).expect("a version");
    let time = |name: &str| body[name].as_f64().expect("a time");
    Said {
        client: answer.client,
        sent: began + answer.start as f64 / 1e6,
        dispatched: time("dispatched"),
        looked: time("looked"),
        version: number("version"),
        finished: number("finished"),
    }
}

fn start(module: Module) -> Server {
    let server = Setup::new(module)
        .directives("<Directory \"${HTDOCS}/app\">\nSetHandler mod_python\nPythonHandler touched\n</Directory>")
        .file(FILE, &versioned(0, IMPORT))
        .start()
        .expect("a server");
    let_all_write(&server.htdocs().join("app")).expect("permissions");
    // One client first, so that stock has one interpreter and is compared for its reloads alone.
    all_good(&ask_once(&server).answers);
    server
}

fn ask_once(server: &Server) -> Record {
    Load::new(server.port(), 1).run_times(1, |_, _| "/app/page".to_owned())
}

/// Under load, the file gets one version after the other, twice a second. Each stays for an interval, and until `seen`
/// returns: a load may rightly miss a version that a stalled disk or machine has left there for no time at all.
fn touched_under_load(server: &Server, touches: u32, mut seen: impl FnMut(u32)) -> Record {
    let load = Load::new(server.port(), CLIENTS);
    let (record, ()) = meanwhile(
        &load,
        |_, _| "/app/page".to_owned(),
        || {
            for version in 1..=touches {
                replace(&server.htdocs().join(FILE), &versioned(version, IMPORT)).expect("a new version");
                let written = Instant::now();
                seen(version);
                thread::sleep(INTERVAL.saturating_sub(written.elapsed()));
            }
        },
    );
    record
}

/// No call that arrives during a load is dispatched before its end.
fn nobody_came_in_during_a_load(said: &[Said], loads: &[ModuleLoad]) -> usize {
    let mut waited = 0;
    for said in said {
        let Some(load) = loads.iter().find(|load| load.touches(said.sent, said.sent)) else {
            continue;
        };
        let end = load.end.expect("the end of a load");
        assert!(said.dispatched >= end, "sent {}, dispatched {}, during {load:?}", said.sent, said.dispatched);
        waited += 1;
    }
    waited
}

fn each_version_runs_once_and_nobody_meets_it_half_loaded() {
    let touches = subject().times(TOUCHES);
    let server = start(Module::Relinked);
    // How many of the busy clients ask during a load is up to the machine (58 in 61 loads, once): one more asks then.
    let mut arrived = Vec::new();
    let record = touched_under_load(&server, touches, |version| {
        let loaded = || {
            let loads = loads_of(&server.notes(), FILE)?;
            Ok(loads.iter().any(|load| load.version == version).then_some(()))
        };
        wait_until(&format!("a load of version {version}"), Duration::from_secs(10), loaded).expect("a load");
        let record = ask_once(&server);
        all_good(&record.answers);
        arrived.extend(said(&record));
    });
    all_good(&record.answers);
    let loads = loads_of(&server.notes(), FILE).expect("the notes");
    let versions: Vec<_> = loads.iter().map(|load| load.version).collect();
    assert_eq!(versions, (0..=touches).collect::<Vec<_>>());
    let said = said(&record);
    let waited = nobody_came_in_during_a_load(&said, &loads) + nobody_came_in_during_a_load(&arrived, &loads);
    println!("relinked: {} answers, {} loads, {waited} calls arrived during one", said.len(), loads.len());
    assert!(waited >= touches as usize / 4, "too few calls arrived during a load: {waited}");
    let mut seen = BTreeMap::new();
    for said in &said {
        let before = seen.insert(said.client, said.version).unwrap_or_default();
        assert!(said.version >= before, "client {} had {before}, and then {}", said.client, said.version);
        // A request in flight may see new globals while a load puts them there; at any other time they fit together.
        if !loads.iter().any(|load| load.touches(said.dispatched, said.looked)) {
            assert_eq!(said.version, said.finished);
        }
    }
    clean_stop(server);
}

fn stock_never_sees_a_new_version() {
    let server = start(Module::Stock);
    let record = touched_under_load(&server, 5, |_| ());
    let newest = said(&record).iter().map(|said| said.version).max();
    println!("stock: the newest version that answered is {newest:?}");
    assert_eq!(newest, Some(0));
}

/// Each of its versions runs in several threads, and requests meet it half loaded.
fn stock_runs_a_version_several_times() {
    shown("one version run more than once", || {
        let server = start(Module::Stock);
        let record = touched_under_load(&server, 5, |_| ());
        let loads = loads_of(&server.notes(), FILE).expect("the notes").len();
        println!("stock: {loads} loads of 6 versions, {:?}", outcomes(&record.answers));
        loads > 6
    });
}

/// Only the fraction of a second in its time stamp tells such a file from the one before; bytecode has whole seconds.
fn versions_of_one_size_within_one_second_are_all_seen() {
    let server = start(Module::Relinked);
    let begin = Instant::now();
    // Two digits each.
    for version in 10..40 {
        let text = versioned(version, 0.0);
        let path = server.htdocs().join(FILE);
        if version % 2 == 0 { replace(&path, &text) } else { overwrite(&path, &text) }.expect("a new version");
        let record = ask_once(&server);
        all_good(&record.answers);
        assert_eq!(said(&record)[0].version, version);
    }
    let taken = begin.elapsed();
    println!("relinked: 30 versions of one size in {taken:?}");
    assert!(taken < Duration::from_secs(15), "no two of 30 versions came within one second: {taken:?}");
    clean_stop(server);
}
