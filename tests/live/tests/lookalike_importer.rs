//! The importer of 3.3, which loads a file for each request that comes during its load, and does so once with our locks
//! (I1, I2). `make check-lookalike` runs it for that shape alone.

use std::time::Duration;

use modpython_live::clients::Load;
use modpython_live::coldstart::{ColdStart, Outcome};
use modpython_live::expect::{all_good, clean_stop, shown};
use modpython_live::loads::loads_of;
use modpython_live::subjects::LOOKALIKE;
use modpython_live::versions::{replace, versioned};
use modpython_live::{Module, Mpm, Server, Setup, observe, subject};

crate::live_tests! {
    importer33_loads_once_in_twenty_cold_starts: LOOKALIKE.shaped(&["3.3"]),
    importer33_of_stock_loads_for_each_of_the_first_requests: LOOKALIKE.shaped(&["3.3"]).from_source(),
    importer33_left_out_is_as_stock: LOOKALIKE.shaped(&["3.3"]),
    importer33_loads_each_version_once_under_load: LOOKALIKE.shaped(&["3.3"]),
}

const CLIENTS: usize = 32;
const COLD_STARTS: u32 = 20;
/// Beyond the 0.2 s of the import, so that many ask while it is under way and after it.
const LOAD: Duration = Duration::from_millis(400);
const TOUCHES: u32 = 10;

fn cold_start(module: Module, autoreload: bool) -> Outcome {
    ColdStart { module, mpm: Mpm::Worker, autoreload, load: LOAD }.run().expect("a cold start")
}

fn importer33_loads_once_in_twenty_cold_starts() {
    for number in 0..subject().times(COLD_STARTS) {
        let outcome = cold_start(Module::Relinked, number % 2 == 0);
        all_good(&outcome.answers);
        assert_eq!((outcome.interpreters(), outcome.loads()), (1, 1), "cold start {number}");
    }
}

fn importer33_of_stock_loads_for_each_of_the_first_requests() {
    for autoreload in [true, false] {
        shown("a second load of one module", || {
            let outcome = cold_start(Module::Stock, autoreload);
            println!("stock: {} loads, {} of {} answers bad", outcome.loads(), outcome.bad(), outcome.answers.len());
            outcome.loads() > 1
        });
    }
}

fn start(environment: &str) -> Server {
    Setup::new(Module::Relinked)
        .environment("MODPYTHON_CORE_DISABLE", environment)
        .directives("<Directory \"${HTDOCS}/app\">\nSetHandler mod_python\nPythonHandler touched\n</Directory>")
        .file("app/touched.py", &versioned(0, 0.1))
        .start()
        .expect("a server")
}

fn importer33_left_out_is_as_stock() {
    shown("a second load of one module", || {
        let server = start("importer");
        Load::new(server.port(), CLIENTS).run_for(LOAD, |_, _| "/app/x".to_owned());
        loads_of(&server.notes(), "app/touched.py").expect("notes").len() > 1
    });
}

fn importer33_loads_each_version_once_under_load() {
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
