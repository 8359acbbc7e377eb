//! The importer of 3.3, which loads a file for each request that comes during its load, and does so once with our locks
//! (I1, I2). `make check-host` runs it for that shape alone.

use std::time::Duration;

use modpython_live::coldstart::{ColdStart, Outcome};
use modpython_live::expect::{all_good, alone, clean_stop, shown};
use modpython_live::load::Load;
use modpython_live::loads::loads_of;
use modpython_live::subject::only_where;
use modpython_live::versions::{replace, versioned};
use modpython_live::{Module, Mpm, Server, Setup, observe, subject};

const CLIENTS: usize = 32;
const COLD_STARTS: u32 = 20;
/// Beyond the 0.2 s of the import, so that many ask while it is under way and after it.
const LOAD: Duration = Duration::from_millis(400);
const TOUCHES: u32 = 10;

fn cold_start(module: Module, autoreload: bool) -> Outcome {
    only_where(subject().shape() == "3.3", "3.3 alone has an importer of its own");
    ColdStart { module, mpm: Mpm::Worker, autoreload, load: LOAD }.run().expect("a cold start")
}

#[test]
#[ignore = "the host alone: make check-host"]
fn importer33_loads_once_in_twenty_cold_starts() {
    let _alone = alone();
    for number in 0..subject().times(COLD_STARTS) {
        let outcome = cold_start(Module::Relinked, number % 2 == 0);
        all_good(&outcome.answers);
        assert_eq!((outcome.interpreters(), outcome.loads()), (1, 1), "cold start {number}");
    }
}

#[test]
#[ignore = "the host alone: make check-host"]
fn importer33_of_stock_loads_for_each_of_the_first_requests() {
    let _alone = alone();
    for autoreload in [true, false] {
        shown("a second load of one module", || {
            let outcome = cold_start(Module::Stock, autoreload);
            println!("stock: {} loads, {} of {} answers bad", outcome.loads(), outcome.bad(), outcome.answers.len());
            outcome.loads() > 1
        });
    }
}

fn start(environment: &str) -> Server {
    only_where(subject().shape() == "3.3", "3.3 alone has an importer of its own");
    Setup::new(Module::Relinked)
        .environment("MODPYTHON_CORE_DISABLE", environment)
        .directives("<Directory \"${HTDOCS}/app\">\nSetHandler mod_python\nPythonHandler touched\n</Directory>")
        .file("app/touched.py", &versioned(0, 0.1))
        .start()
        .expect("a server")
}

#[test]
#[ignore = "the host alone: make check-host"]
fn importer33_left_out_is_as_stock() {
    let _alone = alone();
    shown("a second load of one module", || {
        let server = start("importer");
        Load::new(server.port(), CLIENTS).run_for(LOAD, |_, _| "/app/x".to_owned());
        loads_of(&server.notes(), "app/touched.py").expect("notes").len() > 1
    });
}

#[test]
#[ignore = "the host alone: make check-host"]
fn importer33_loads_each_version_once_under_load() {
    let _alone = alone();
    let server = start("");
    for version in 0..TOUCHES {
        if version > 0 {
            replace(&server.htdocs().join("app/touched.py"), &versioned(version, 0.1)).expect("a new version");
        }
        let answers = Load::new(server.port(), CLIENTS).run_for(LOAD, |_, _| "/app/x".to_owned()).answers;
        all_good(&answers);
        let wanted = Some(version.to_string());
        let old = answers.iter().find(|answer| observe::field(answer, "version") != wanted);
        assert_eq!(old.map(|answer| &answer.body), None, "version {version}");
    }
    let loads = loads_of(&server.notes(), "app/touched.py").expect("notes");
    assert_eq!(loads.iter().map(|load| load.version).collect::<Vec<_>>(), (0..TOUCHES).collect::<Vec<_>>());
    clean_stop(server);
}
