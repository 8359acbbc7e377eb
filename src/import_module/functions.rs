//! The functions of the extension module `_modpython_core` that are the same for Python 2 and 3, in words of the macros
//! `many`, `one` and `none`, which `module2` and `module3` have each in its own way.

/// So many are the same.
pub(super) const SAME: usize = 28 + 2 * cfg!(lowered) as usize;

/// The table of the module's functions: its own rows, those that are the same, and the end.
macro_rules! functions {
    ($end:expr, $($own:expr),* $(,)?) => {
        [
            $($own,)*
            one!(c"install", super::activate_named, c"install(name): puts import_module in the place of the module's own"),
            many!(c"setup", table::setup, c"setup(load, import_lock_edges, apache, wsgi, once_a_tick, stock_reloads)"),
            many!(c"hit", table::hit, c"hit(origin, name, autoreload): the module if it is at hand and fresh, else None"),
            many!(c"verdict", table::verdict, c"verdict(file, autoreload): ('hit' | 'load' | 'reload', served, sys_name, ran)"),
            many!(c"adopt", table::adopt, c"adopt(origin, name, file, module, sys_name, version): a plain import has run it"),
            many!(c"link", table::link, c"link(origin, name, file): the name, asked for there, means this file"),
            many!(c"hidden_file", table::hidden_file, c"hidden_file(origin, name): the file of a module that has hidden itself"),
            many!(c"refuse", table::refuse, c"refuse(origin, name, version): (module, news): that version of the file is not used"),
            many!(c"exchange", lists::exchange, c"exchange(list, items): gives the list these items, and gives those that it had"),
            one!(c"watch_pickles", pickles::watch, c"watch_pickles(reader): what reads pickles asks the shim for modules"),
            many!(c"scope", siblings::scope, c"scope(sys_name, name, directory): that module is of a handler's directory"),
            many!(c"watch_imports", siblings::watch_imports, c"watch_imports(builtins, owner, name, sibling, named, failed): puts ours in the place of Python's"),
            one!(c"directory_of", siblings::directory_of, c"directory_of(name): the handler's directory that the module of that name is of"),
            one!(c"name_of", siblings::name_of, c"name_of(file): the name in sys.modules under which it runs or has run"),
            one!(c"running", table::running, c"running(file): the module in which it runs, or that it gave"),
            one!(c"is_running", table::is_running, c"is_running(file): whether a thread runs it"),
            one!(c"run_alone", first::run_alone, c"run_alone(file): others wait for the end of this request"),
            many!(c"await_first", first::await_first, c"await_first(origin, name, seconds)"),
            many!(c"claim", table::claim, c"claim(name, file): whether its load may have the name"),
            many!(c"locked", locked::locked, c"locked(file, real_file, decide, failed): decide(nested) under the lock of the file"),
            one!(c"version", files::version, c"version(file): of a name (bytes) or a descriptor, None if unseen"),
            one!(c"waiting", locks::waiting, c"waiting(file): how many threads wait for its load"),
            one!(c"is_complete", half_made::is_complete, c"is_complete(file): whether no other thread keeps its module back"),
            one!(c"drive", steps::drive_to_the_end, c"drive(answer): what a function of the shim gives in the end, that has returned this"),
            one!(c"waits", locks::waits, c"waits(thread): whether it waits for a lock"),
            none!(c"is_reloading", run::is_reloading, c"is_reloading(): whether this thread is running a module's code again"),
            none!(c"seconds_alone", first::seconds_alone, c"seconds_alone(): how long the first request runs alone"),
            none!(c"locks", locks::locks, c"locks(): how many locks are held in this process"),
            #[cfg(lowered)]
            none!(c"answer", answers::answer, c"answer(): what the step has given, or raised, that the caller has yielded"),
            #[cfg(lowered)]
            none!(c"frames", frames::frames, c"frames(): the threads of the interpreter and their frames"),
            $end,
        ]
    };
}
pub(super) use functions;
