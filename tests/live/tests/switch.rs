//! The switch that turns everything off, and the line that says what is on.

use modpython_live::clients::Load;
use modpython_live::expect::{all_good, clean_stop, shown};
use modpython_live::subjects::EVERYWHERE;
use modpython_live::{Module, Server, Setup, http, observe, site, subject};

crate::live_tests! {
    one_notice_at_child_start_says_what_is_active: EVERYWHERE,
    switched_off_the_module_is_as_stock: EVERYWHERE,
}

const SWITCH: &str = "MODPYTHON_CORE";
const CLIENTS: usize = 32;

fn start(value: Option<&str>) -> Server {
    let setup = Setup::new(Module::Relinked).two_processes().preload("who").directives(&site::handler("who"));
    value.map_or(setup.clone(), |value| setup.environment(SWITCH, value)).start().expect("a server")
}

fn one_notice_at_child_start_says_what_is_active() {
    let server = start(None);
    assert_eq!(http::get(server.port(), "/who").expect("an answer").status, 200);
    let lines = server.logged("modpython-core");
    assert_eq!(lines.len(), server.children().expect("the children").len(), "{lines:?}");
    let (generation, python) =
        (format!("generation {}", subject().generation()), format!("Python {}", subject().python()));
    for part in ["notice", "active", env!("CARGO_PKG_VERSION"), &generation, &python] {
        assert!(lines[0].contains(part), "no {part:?} in {:?}", lines[0]);
    }
    clean_stop(server);
}

/// Switched off, the relinked module is the stock one, with the stock one's defect.
fn switched_off_the_module_is_as_stock() {
    // 3.2 to 3.4 have a mutex there.
    if matches!(subject().generation(), "3.1" | "3.5") {
        shown("a second interpreter, with the library switched off", || {
            let server = start(Some("off"));
            site::set_flag(&server.notes(), site::SLOW_START).expect("a flag");
            let record = Load::new(server.port(), CLIENTS).run_times(20, |_, _| "/who".to_owned());
            let events = observe::events(&server.notes()).expect("the notes");
            observe::most_interpreters(&events, &record.answers) > 1
        });
    }
    let mut server = start(Some("off"));
    assert_eq!(http::get(server.port(), "/who").expect("an answer").status, 200);
    let lines = server.logged("modpython-core");
    assert!(lines.iter().any(|line| line.contains("off")), "{}", server.error_log());
    assert!(lines.iter().all(|line| !line.contains(" active")), "{lines:?}");
    // Stock survives this restart: nothing keeps its libpython in memory. Ours keeps it, switched off or not.
    server.graceful().expect("a graceful restart");
    let record = Load::new(server.port(), 1).run_times(50, |_, _| "/who".to_owned());
    all_good(&record.answers);
    clean_stop(server);
}
