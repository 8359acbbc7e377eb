//! Other loaders of Python files: pages of psp and publisher, and PythonImport at the start of a child.

use std::collections::BTreeSet;
use std::time::Duration;

use modpython_live::clients::Load;
use modpython_live::expect::{all_good, clean_stop};
use modpython_live::loads::loads_of;
use modpython_live::observe::field;
use modpython_live::subjects::{EVERYWHERE, PACKAGE};
use modpython_live::wait::wait_until;
use modpython_live::{Module, Setup, subject};

crate::live_tests! {
    psp_and_publisher_pages_answer_under_load: PACKAGE,
    python_import_loads_once_and_handlers_get_that_module: EVERYWHERE.shaped(&["3.1"]),
}

const CLIENTS: usize = 32;
/// The time that a child may take to start.
const START: Duration = Duration::from_secs(10);

// The comment takes psp back to the left margin.
const PSP: &str = "<html><%\nfor number in range(3):\n    req.write('%d;' % number)\n# done\n%><%= 6 * 7 %></html>\n";
const PUBLISHED: &str = "def index(req, name='nobody'):\n    return 'hello ' + name\n\n\
                         def count(req):\n    return str(6 * 7)\n";
const HANDLER: &str = "from mod_python import apache\n\n\
                       def handler(req):\n    req.write('plain')\n    return apache.OK\n";

/// Pages, and the answers that have to come back.
const PAGES: [(&str, &str); 4] = [
    ("/app/page.psp", "<html>0;1;2;42</html>\n"),
    ("/app/page.py?name=you", "hello you"),
    ("/app/page.py/count", "42"),
    ("/app/page.plain", "plain"),
];

fn psp_and_publisher_pages_answer_under_load() {
    let server = Setup::new(Module::Relinked)
        .file("app/page.psp", PSP)
        .file("app/page.py", PUBLISHED)
        .file("app/plain.py", HANDLER)
        .directives(
            "<Directory \"${HTDOCS}/app\">\nSetHandler mod_python\nPythonHandler mod_python.psp | .psp\n\
             PythonHandler mod_python.publisher | .py\nPythonHandler plain | .plain\n</Directory>",
        )
        .start()
        .expect("a server");
    let load = Load::new(server.port(), CLIENTS);
    let record = load.run_for(Duration::from_secs(2), |client, _| PAGES[client % PAGES.len()].0.to_owned());
    all_good(&record.answers);
    for answer in &record.answers {
        let (path, body) = PAGES[answer.client % PAGES.len()];
        assert_eq!(answer.body, body, "{path}");
    }
    println!("relinked: {} pages of psp, publisher and a plain handler", record.answers.len());
    clean_stop(server);
}

/// A module that PythonImport loads, and that is a handler too. It knows which run of its code it is.
const EARLY: &str = "import os, time\nimport loadnotes\n\
                     load = loadnotes.Load(__file__)\n\
                     time.sleep(0.3)\n\
                     begun = []\n\
                     def begin():\n    begun.append(os.getpid())\n\
                     def handler(req):\n    \
                         return loadnotes.answer(req, run=load.fields['run'], begun=begun == [os.getpid()])\n\
                     load.over()\n";
/// The directive's module, and a function of it where the generation knows of that.
const WITH_FUNCTION: &str = "early::begin";

/// The module lies where the handler's directory is.
const IN_DIRECTORY: &str = "PythonPath \"sys.path + ['${HTDOCS}/app']\"\nPythonImport early::begin live.test\n\
                            <Directory \"${HTDOCS}/app\">\nSetHandler mod_python\nPythonHandler early\n</Directory>";
/// The handler has a directory without a file of that name, and so means the module that is there.
const ELSEWHERE: &str = "PythonPath \"sys.path + ['${HTDOCS}/app']\"\nPythonImport early::begin live.test\n\
                         <Directory \"${HTDOCS}/app/below\">\nPythonHandler early\nSetHandler mod_python\n\
                         </Directory>";
/// The handler's section has a PythonPath of its own, that leads to the same directory.
const OWN_PATH: &str = "PythonPath \"sys.path + ['${HTDOCS}/app']\"\nPythonImport early::begin live.test\n\
                        <Directory \"${HTDOCS}/app\">\nSetHandler mod_python\nPythonHandler early\n\
                        PythonPath \"['${HTDOCS}/app'] + sys.path\"\n</Directory>";

fn python_import_loads_once_and_handlers_get_that_module() {
    let is_lookalike = subject().is_lookalike();
    for (directives, path) in [(IN_DIRECTORY, "/app/page"), (ELSEWHERE, "/app/below/page"), (OWN_PATH, "/app/page")] {
        // 3.1.x imports a module, by the name that is there, and calls nothing.
        let directives = if is_lookalike { directives.replace(WITH_FUNCTION, "early") } else { directives.to_owned() };
        let server = Setup::new(Module::Relinked)
            .file("app/early.py", EARLY)
            .file("app/below/page", "")
            .directives(&directives)
            .start()
            .expect("a server");
        let loads = || loads_of(&server.notes(), "app/early.py");
        // Nobody has asked for it yet.
        wait_until("a load at the start of the child", START, || Ok((!loads()?.is_empty()).then_some(())))
            .unwrap_or_else(|error| panic!("{error}\n{}", server.error_log()));
        let record = Load::new(server.port(), CLIENTS).run_times(10, |_, _| path.to_owned());
        all_good(&record.answers);
        let loads = loads().expect("the notes");
        assert_eq!(loads.len(), 1, "{directives}: {loads:?}");
        let runs: BTreeSet<_> = record.answers.iter().map(|answer| field(answer, "run")).collect();
        assert_eq!(runs.len(), 1, "{directives}: {runs:?}");
        let began = record.answers.iter().all(|answer| field(answer, "begun").as_deref() == Some("true"));
        assert!(
            began || is_lookalike,
            "{directives}: a handler got another module than the one whose function was called"
        );
        clean_stop(server);
    }
}
