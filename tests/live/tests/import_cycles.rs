//! Handlers that import each other, or themselves (I4): nobody hangs, and what is answered from is complete (I2).

use std::time::Duration;

use modpython_live::clients::{Answer, Load};
use modpython_live::expect::{all_answered, all_good, clean_stop, shown};
use modpython_live::loads::{all_at_once, loads_of};
use modpython_live::observe::{field, outcomes};
use modpython_live::subjects::EVERYWHERE;
use modpython_live::{Module, Server, Setup, site, subject};

crate::live_tests! {
    two_handlers_that_import_each_other: EVERYWHERE.shaped(&["3.1"]),
    a_plain_import_of_a_helper_that_imports_the_handler: EVERYWHERE.shaped(&["3.1"]),
    a_plain_import_of_a_helper_that_is_a_handler_too: EVERYWHERE.shaped(&["3.1"]),
    a_handler_that_imports_itself: EVERYWHERE.shaped(&["3.1"]),
    a_plain_import_beside_import_module_runs_the_file_once: EVERYWHERE.shaped(&["3.1"]),
    stock_answers_from_modules_that_are_half_loaded: EVERYWHERE.shaped(&["3.1"]).from_source(),
}

const CLIENTS: usize = 32;
/// Each cycle is met so many times, each time with modules that nobody has loaded yet.
const ROUNDS: usize = 4;
/// A client that waits longer than this for an answer hangs.
const DEADLINE: Duration = Duration::from_secs(8);

/// A handler module that gets hold of another one half way through its load, by the statement `import`.
fn module(version: usize, name: &str, other: &str, import: &str) -> String {
    format!(
        "import time\n\
         import loadnotes\n\
         from mod_python import apache\n\
         load = loadnotes.Load(__file__, {version})\n\
         # Long enough for the load of the other one to have begun.\n\
         time.sleep(0.1)\n\
         {import}\n\
         def handler(req):\n    \
             # A request is no load: all that it is given has run to its end.\n    \
             mine, other = apache.import_module('{name}'), apache.import_module('{other}')\n    \
             return loadnotes.answer(req, complete=[COMPLETE, mine.COMPLETE, other.COMPLETE])\n\
         COMPLETE = True\n\
         load.over()\n"
    )
}

/// The modules of a cycle, each with the one that it imports and how.
struct Cycle {
    modules: &'static [(&'static str, &'static str, Import)],
    /// Those of them that are asked for.
    handlers: &'static [&'static str],
}

#[derive(Clone, Copy)]
enum Import {
    /// By apache.import_module.
    ByFunction,
    /// By a plain import statement.
    Plainly,
    /// By a plain import statement when a request comes, so that it meets the other's load.
    NotAtLoad,
}

const OPPOSITE_ORDERS: Cycle = Cycle {
    modules: &[("left", "right", Import::ByFunction), ("right", "left", Import::ByFunction)],
    handlers: &["left", "right"],
};

const PLAIN_HELPER: Cycle = Cycle {
    modules: &[("host", "helper", Import::Plainly), ("helper", "host", Import::ByFunction)],
    handlers: &["host"],
};

/// The same, where requests for the helper come in from the other end.
const PLAIN_HELPER_FROM_BOTH_ENDS: Cycle = Cycle {
    modules: &[("host", "helper", Import::Plainly), ("helper", "host", Import::ByFunction)],
    handlers: &["host", "helper"],
};

const SELF: Cycle = Cycle { modules: &[("selfish", "selfish", Import::ByFunction)], handlers: &["selfish"] };

/// No cycle, but two ways to the same file at one moment.
const PLAIN_BESIDE_FUNCTION: Cycle = Cycle {
    modules: &[("plain", "shared", Import::NotAtLoad), ("shared", "shared", Import::NotAtLoad)],
    handlers: &["plain", "shared"],
};

impl Cycle {
    fn text(round: usize, &(name, other, import): &(&str, &str, Import)) -> String {
        let (name, other) = (format!("{name}{round}"), format!("{other}{round}"));
        match import {
            Import::ByFunction => module(round, &name, &other, &format!("other = apache.import_module('{other}')")),
            Import::Plainly => module(round, &name, &other, &format!("import {other}")),
            Import::NotAtLoad => module(round, &name, &other, "pass")
                .replace("# A request is no load: all", &format!("import {other}\n    # All")),
        }
    }

    fn start(&self, which: Module) -> Server {
        let mut setup = Setup::new(which).preload("who loadnotes").directives(&site::handler("who"));
        let mut directives = "<Directory \"${HTDOCS}/app\">\nSetHandler mod_python\n".to_owned();
        for round in 0..ROUNDS {
            for module in self.modules {
                let name = format!("{}{round}", module.0);
                directives.push_str(&format!("PythonHandler {name} | .{name}\n"));
                setup = setup.file(format!("app/{name}.py"), &Self::text(round, module));
            }
        }
        let server = setup.directives(&format!("{directives}</Directory>")).start().expect("a server");
        // One client makes the interpreter: with several of them, stock has none of these cycles.
        all_good(&Load::new(server.port(), 1).run_times(1, |_, _| "/who".to_owned()).answers);
        server
    }

    /// All clients ask at once, each time for modules that are still to be loaded.
    fn ask(&self, server: &Server, round: usize) -> Vec<Answer> {
        let mut load = Load::new(server.port(), CLIENTS);
        load.timeout = DEADLINE;
        load.run_times(2, |client, _| {
            let handler = self.handlers[client % self.handlers.len()];
            format!("/app/page.{handler}{round}")
        })
        .answers
    }

    fn is_stood(&self) {
        let server = self.start(Module::Relinked);
        let mut crossed = 0;
        for round in 0..ROUNDS {
            let answers = self.ask(&server, round);
            all_answered(&answers);
            if let Some(bad) = answers.iter().find(|answer| !answer.is_good()) {
                panic!("round {round}: {:?}, for one {bad:?}\n{}", outcomes(&answers), server.error_log());
            }
            for answer in &answers {
                assert_eq!(field(answer, "complete").as_deref(), Some("[true,true,true]"), "{answer:?}");
            }
            let mut all = Vec::new();
            for (name, ..) in self.modules {
                let loads = loads_of(&server.notes(), &format!("app/{name}{round}.py")).expect("the notes");
                assert_eq!(loads.len(), 1, "round {round}: {loads:?}");
                assert!(loads.iter().all(|load| load.end.is_some()), "round {round}: {loads:?}");
                all.extend(loads);
            }
            crossed += usize::from(all_at_once(&all));
        }
        println!("relinked: in {crossed} of {ROUNDS} rounds all loads of the cycle were under way at once");
        if self.modules.iter().all(|(.., import)| !matches!(import, Import::NotAtLoad)) {
            assert!(crossed > 0, "no cycle was closed");
        }
        clean_stop(server);
    }

    fn is_not_stood_by_stock(&self) {
        shown("a bad answer for modules that import each other, or a second load in 3.1", || {
            let server = self.start(Module::Stock);
            (0..ROUNDS).any(|round| {
                let answers = self.ask(&server, round);
                // 3.1.x takes a module that is being loaded for one that has changed, and runs its file again: each of
                // its threads then answers from a module that is whole, or loads without end.
                let again = subject().is_lookalike()
                    && self.modules.iter().any(|(name, ..)| {
                        loads_of(&server.notes(), &format!("app/{name}{round}.py")).expect("the notes").len() > 1
                    });
                println!("stock: {:?}{}", outcomes(&answers), if again { ", some files ran again" } else { "" });
                again || answers.iter().any(|answer| !answer.is_good())
            })
        });
    }
}

fn two_handlers_that_import_each_other() {
    OPPOSITE_ORDERS.is_stood();
}

fn a_plain_import_of_a_helper_that_imports_the_handler() {
    PLAIN_HELPER.is_stood();
}

fn a_plain_import_of_a_helper_that_is_a_handler_too() {
    PLAIN_HELPER_FROM_BOTH_ENDS.is_stood();
}

fn a_handler_that_imports_itself() {
    SELF.is_stood();
}

fn a_plain_import_beside_import_module_runs_the_file_once() {
    PLAIN_BESIDE_FUNCTION.is_stood();
}

fn stock_answers_from_modules_that_are_half_loaded() {
    for cycle in [OPPOSITE_ORDERS, PLAIN_HELPER, SELF] {
        cycle.is_not_stood_by_stock();
    }
}
