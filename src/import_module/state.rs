//! The state of the extension module, one per interpreter: nothing of this room is static but the lock table.

use super::imports::Imports;
use crate::module_cache::Modules;
use crate::python::dict;
use crate::python::ffi;
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned};
use crate::python::text::interned;
use std::cell::{Cell, RefCell};

/// The module that a file has given.
pub(super) struct Loaded {
    /// The object that is handed out: the code has left it in `sys.modules`.
    pub(super) module: Owned,
    /// The module in which the code ran; another, if the code has put something else in its place.
    pub(super) ran: Owned,
    /// The name in `sys.modules`.
    pub(super) name: Owned,
}

/// The shim's functions and facts, as `setup` got them.
pub(super) struct Shim {
    /// Does what is no hit.
    pub(super) load: Owned,
    /// Says who waits for whom in Python's own import locks.
    pub(super) import_lock_edges: Owned,
    /// The globals of `mod_python.apache`: a call from there carries its directory in the dispatcher's frame.
    pub(super) apache: Owned,
    /// The globals of `mod_python.wsgi`, likewise; those of `mod_python.apache` again where there is no such module.
    pub(super) wsgi: Owned,
}

/// Names that the hit path looks up, made once.
pub(super) struct Names {
    pub(super) module_name: Owned,
    pub(super) autoreload: Owned,
    pub(super) log: Owned,
    pub(super) path: Owned,
    pub(super) config: Owned,
    pub(super) python_path: Owned,
    /// The dispatchers call the expression of PythonPath so.
    pub(super) pathstring: Owned,
    pub(super) request: Owned,
    /// A filter's dispatcher calls it so in 3.5 and 3.3.
    pub(super) fltr: Owned,
    /// And so in 3.1.
    pub(super) filter: Owned,
    pub(super) hlist: Owned,
    pub(super) directory: Owned,
    pub(super) is_location: Owned,
    pub(super) dir: Owned,
    pub(super) filename: Owned,
    pub(super) dunder_name: Owned,
    /// The methods that drive the shim's generators.
    #[cfg(not(lowered))]
    pub(super) send: Owned,
    #[cfg(not(lowered))]
    pub(super) throw: Owned,
    #[cfg(lowered)]
    pub(super) next: Owned,
    #[cfg(feature = "python3")]
    pub(super) gi_code: Owned,
    #[cfg(not(feature = "python3"))]
    pub(super) gi_frame: Owned,
    #[cfg(not(feature = "python3"))]
    pub(super) f_code: Owned,
    pub(super) co_filename: Owned,
}

/// Does what a step of the shim names, with these arguments.
pub(super) type Operations = fn(&mut Gil, &State, &[u8], &[Object<'_>]) -> Option<Owned>;

/// The state of the module in one interpreter. All of it is used with that interpreter's GIL held.
pub(super) struct State {
    pub(super) interpreter: i64,
    pub(super) operations: Operations,
    /// Borrowed only for steps that cannot call Python: a collection may visit it between any two bytecodes.
    pub(super) modules: RefCell<Modules<Loaded>>,
    /// Whether one look at a file is enough for a tick of the coarse clock, as with stock that looks once a second.
    pub(super) once_a_tick: Cell<bool>,
    /// Whether the stock core runs a changed module again.
    pub(super) stock_reloads: Cell<bool>,
    /// How often the process had forked when names were last claimed.
    pub(super) epoch: Cell<usize>,
    pub(super) shim: RefCell<Option<Shim>>,
    pub(super) names: Names,
    /// Where a module was asked for, name by name: dicts of (name: number of the entry). `plain` is one such dict; the
    /// others have one per directory, search path (a tuple) or PythonPath expression.
    pub(super) plain: Owned,
    pub(super) directories: Owned,
    pub(super) paths: Owned,
    pub(super) expressions: Owned,
    /// Name in `sys.modules` to the handler's directory that its module is of; and names that files of such directories
    /// are asked for by.
    pub(super) scopes: Owned,
    pub(super) contested: Owned,
    /// Whether there are any.
    pub(super) has_scopes: Cell<bool>,
    pub(super) imports: RefCell<Option<Imports>>,
    /// File to version, of what import statements run; see `noting`.
    #[cfg(not(feature = "python3"))]
    pub(super) imported: Owned,
    /// The finder of modules by their private names.
    #[cfg(not(feature = "python3"))]
    pub(super) private_names: RefCell<Option<Owned>>,
}

impl State {
    /// None with an exception set on failure.
    pub(super) fn new(gil: &Gil, operations: Operations) -> Option<Self> {
        Some(Self {
            interpreter: interpreter(gil),
            operations,
            modules: RefCell::default(),
            once_a_tick: Cell::new(false),
            stock_reloads: Cell::new(true),
            epoch: Cell::new(super::epoch::current()),
            shim: RefCell::default(),
            names: Names {
                module_name: interned(gil, c"module_name")?,
                autoreload: interned(gil, c"autoreload")?,
                log: interned(gil, c"log")?,
                path: interned(gil, c"path")?,
                config: interned(gil, c"config")?,
                python_path: interned(gil, c"PythonPath")?,
                pathstring: interned(gil, c"pathstring")?,
                request: interned(gil, c"req")?,
                fltr: interned(gil, c"fltr")?,
                filter: interned(gil, c"filter")?,
                hlist: interned(gil, c"hlist")?,
                directory: interned(gil, c"directory")?,
                is_location: interned(gil, c"is_location")?,
                dir: interned(gil, c"dir")?,
                filename: interned(gil, c"filename")?,
                dunder_name: interned(gil, c"__name__")?,
                #[cfg(not(lowered))]
                send: interned(gil, c"send")?,
                #[cfg(not(lowered))]
                throw: interned(gil, c"throw")?,
                #[cfg(lowered)]
                next: interned(gil, c"next")?,
                #[cfg(feature = "python3")]
                gi_code: interned(gil, c"gi_code")?,
                #[cfg(not(feature = "python3"))]
                gi_frame: interned(gil, c"gi_frame")?,
                #[cfg(not(feature = "python3"))]
                f_code: interned(gil, c"f_code")?,
                co_filename: interned(gil, c"co_filename")?,
            },
            plain: dict::new(gil)?,
            directories: dict::new(gil)?,
            paths: dict::new(gil)?,
            expressions: dict::new(gil)?,
            scopes: dict::new(gil)?,
            contested: dict::new(gil)?,
            has_scopes: Cell::new(false),
            imports: RefCell::default(),
            #[cfg(not(feature = "python3"))]
            imported: dict::new(gil)?,
            #[cfg(not(feature = "python3"))]
            private_names: RefCell::default(),
        })
    }
}

/// A number that no other interpreter of this process has.
fn interpreter(_: &Gil) -> i64 {
    // SAFETY: the GIL is held, in an interpreter.
    #[cfg(feature = "python3")]
    return unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
    // Python 2 has no numbers; interpreters are not destroyed, so that their addresses serve.
    // SAFETY: as above; a current state is alive.
    #[cfg(not(feature = "python3"))]
    return unsafe { (*ffi::PyThreadState_Get()).interp as i64 };
}
