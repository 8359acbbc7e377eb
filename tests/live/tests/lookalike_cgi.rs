//! mod_python.cgihandler deletes the modules of every other handler of its interpreter; ours keeps it to the scripts'.

use std::time::Duration;
use std::{fs, thread};

use modpython_live::clients::{Answer, Load};
use modpython_live::expect::{all_good, clean_stop};
use modpython_live::http;
use modpython_live::subjects::LOOKALIKE;
use modpython_live::wait::wait_until;
use modpython_live::{Module, Server, Setup};

/// In 3.3 a script waits for the load of another handler's helper before it comes to delete it.
const BUT_3_3: &[&str] = &["3.1", "3.2.8", "3.2.10", "3.4", "3.5"];

crate::live_tests! {
    scripts_leave_the_modules_of_other_handlers_alone: LOOKALIKE,
    a_script_and_its_helpers_run_anew_each_time: LOOKALIKE,
    what_other_handlers_import_is_not_loaded_again_for_a_script: LOOKALIKE,
    a_module_that_is_being_loaded_when_a_script_comes_stays: LOOKALIKE,
    stock_loads_again_what_other_handlers_import: LOOKALIKE.from_source(),
    stock_ruins_other_handlers_by_scripts: LOOKALIKE.shaped(BUT_3_3).from_source(),
    scripts_are_as_in_stock_when_the_remedy_is_left_out: LOOKALIKE.shaped(BUT_3_3).from_source(),
}

const CLIENTS: usize = 16;
const LOAD: Duration = Duration::from_secs(4);

/// A script and its helper, which says how often it was loaded by this process.
const SCRIPT: &str = "import script_helper\nprint('Content-Type: text/plain\\n\\nscript %d' % script_helper.number)\n";
const HELPER: &str = "import sys\nsys.script_helper_loads = getattr(sys, 'script_helper_loads', 0) + 1\n\
                      number = sys.script_helper_loads\n";

/// A handler that needs its globals and its own module while it runs, and imports in the midst of it.
/// 3.3 puts no directory of a handler into sys.path.
const PAGE: &str = "import os, sys, time\nfrom mod_python import apache\nif os.path.dirname(__file__) not in sys.path:\n    \
                    sys.path.append(os.path.dirname(__file__))\nimport page_helper\nANSWER = 'page'\n\n\
                    def handler(req):\n    for _ in range(20):\n        time.sleep(0)\n        import page_helper\n    \
                    req.write(ANSWER + page_helper.REST)\n    return apache.OK\n";

/// A helper whose load takes until somebody deletes it, for 3 seconds at most.
const WAITING_HELPER: &str = "import notes, os, sys, time\n\
                              open(os.path.join(notes.directory, 'helper-loads'), 'w').close()\n\
                              end = time.time() + 3\n\
                              while __name__ in sys.modules and time.time() < end:\n    time.sleep(0.01)\n\
                              REST = ' and helper\\n'\n";

fn start(module: Module, environment: &str) -> Server {
    let section = |name: &str, handler: &str| {
        format!("<Directory \"${{HTDOCS}}/{name}\">\nSetHandler mod_python\nPythonHandler {handler}\n</Directory>\n")
    };
    Setup::new(module)
        .environment("MODPYTHON_CORE_DISABLE", environment)
        .file("scripts/script.py", SCRIPT)
        .file("scripts/script_helper.py", HELPER)
        .file("pages/page.py", PAGE)
        .file("pages/page_helper.py", "REST = ' and helper\\n'\n")
        .directives(&section("scripts", "mod_python.cgihandler"))
        .directives(&section("pages", "page"))
        .start()
        .expect("a server")
}

fn is_right(answer: &Answer) -> bool {
    let wanted = if answer.client % 4 == 0 { "script " } else { "page and helper" };
    answer.is_good() && answer.body.starts_with(wanted)
}

fn ask(server: &Server) -> Vec<Answer> {
    let path = |client, _| if client % 4 == 0 { "/scripts/script.py".to_owned() } else { "/pages/x".to_owned() };
    Load::new(server.port(), CLIENTS).run_for(LOAD, path).answers
}

/// The status of a page whose helper is being loaded when a script comes.
fn status_beside_a_script(module: Module, environment: &str) -> u16 {
    let server = start(module, environment);
    fs::write(server.htdocs().join("pages/page_helper.py"), WAITING_HELPER).expect("a file");
    let script = || assert_eq!(http::get(server.port(), "/scripts/script.py").expect("an answer").status, 200);
    // Stock leaves modules alone that were loaded before its first script.
    script();
    thread::scope(|scope| {
        let page = scope.spawn(|| http::get(server.port(), "/pages/x").expect("an answer"));
        let loads = || Ok(server.notes().join("helper-loads").exists().then_some(()));
        wait_until("the helper's load", Duration::from_secs(10), loads).expect("a load");
        script();
        page.join().expect("the page").status
    })
}

fn scripts_leave_the_modules_of_other_handlers_alone() {
    let server = start(Module::Relinked, "");
    let answers = ask(&server);
    all_good(&answers);
    if let Some(answer) = answers.iter().find(|answer| !is_right(answer)) {
        panic!("{answer:?}\n{}", server.error_log());
    }
    clean_stop(server);
}

/// As in stock, a script runs anew for each request, and so does what it imports from its own directory.
fn a_script_and_its_helpers_run_anew_each_time() {
    for module in [Module::Stock, Module::Relinked] {
        let server = start(module, "");
        let numbers: Vec<_> = (0..5)
            .map(|_| http::get(server.port(), "/scripts/script.py").expect("an answer").body)
            .map(|body| String::from_utf8_lossy(&body).trim().to_owned())
            .collect();
        let wanted: Vec<_> = (1..=5).map(|number| format!("script {number}")).collect();
        assert_eq!(numbers, wanted, "{module}: {}", server.error_log());
    }
}

/// How often a page's helper was loaded, for a page that came after each of two scripts.
fn loads_of_a_helper(module: Module, environment: &str) -> String {
    let server = start(module, environment);
    let counts = "import sys\nsys.page_helper_loads = getattr(sys, 'page_helper_loads', 0) + 1\n\
                  REST = ' %d' % sys.page_helper_loads\n";
    fs::write(server.htdocs().join("pages/page_helper.py"), counts).expect("a file");
    let ask = |path| http::get(server.port(), path).expect("an answer").body;
    // Stock leaves modules alone that were loaded before its first script.
    ask("/scripts/script.py");
    ask("/pages/x");
    for _ in 0..2 {
        ask("/scripts/script.py");
    }
    String::from_utf8_lossy(&ask("/pages/x")).into_owned()
}

fn what_other_handlers_import_is_not_loaded_again_for_a_script() {
    assert_eq!(loads_of_a_helper(Module::Relinked, ""), "page 1");
}

fn stock_loads_again_what_other_handlers_import() {
    assert_eq!(loads_of_a_helper(Module::Stock, ""), "page 2");
    assert_eq!(loads_of_a_helper(Module::Relinked, "cgihandler"), "page 2");
}

fn a_module_that_is_being_loaded_when_a_script_comes_stays() {
    assert_eq!(status_beside_a_script(Module::Relinked, ""), 200);
}

fn stock_ruins_other_handlers_by_scripts() {
    assert_eq!(status_beside_a_script(Module::Stock, ""), 500);
}

fn scripts_are_as_in_stock_when_the_remedy_is_left_out() {
    assert_eq!(status_beside_a_script(Module::Relinked, "cgihandler"), 500);
}
