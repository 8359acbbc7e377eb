//! The lines that this library writes to Apache's error log, each with a code that keeps its meaning in all versions.
//!
//! docs/modpython-core.7 explains each of them, and `tests/documents/messages.rs` compares. A new message gets the next
//! number; the number of one that is removed is not used again.

/// How bad it is, with the number that syslog and Apache have for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something was not done.
    Error = 3,
    /// A condition that is not an error yet.
    Warning = 4,
    /// Information for an administrator to see once.
    Notice = 5,
}

impl Severity {
    /// The word for it in the man page.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
        }
    }
}

// An enumeration, so that the compiler refuses a number that is there twice.
macro_rules! messages {
    ($($name:ident = $number:literal, $severity:ident: $meaning:literal;)+) => {
        /// A kind of line in the error log.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub enum Message {
            $(#[doc = $meaning] $name = $number),+
        }

        impl Message {
            /// All of them, for the comparison with the man page: (its name in the sources, the message).
            pub const ALL: &[(&str, Message)] = &[$((stringify!($name), Message::$name)),+];

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self { $(Message::$name => Severity::$severity),+ }
            }
        }
    };
}

messages! {
    Active = 1, Notice: "A child has started, and the interpreter path is taken over.";
    SwitchedOff = 2, Notice: "A child has started with MODPYTHON_CORE=off.";
    UnknownVariable = 3, Warning: "A variable of the environment has our prefix, and nothing reads it.";
    SwitchValue = 4, Warning: "MODPYTHON_CORE is neither on nor off.";
    LimitValue = 5, Warning: "MODPYTHON_CORE_MAX_INTERPRETERS is not a number.";
    UnknownRemedy = 6, Warning: "MODPYTHON_CORE_DISABLE names something that is no remedy.";
    NotRecognised = 7, Warning: "The module makes other calls at its start than its generation does.";
    ForksUnguarded = 8, Warning: "The handlers for a fork could not be registered.";
    ChildWithoutState = 9, Error: "There is no memory for the first thread state of a child.";
    AttemptFailed = 10, Error: "mod_python.apache could not be started in an interpreter.";
    Limit = 11, Error: "The upper bound on named interpreters is reached.";
    Reentrant = 12, Error: "The thread that creates an interpreter asked for it.";
    Cycle = 13, Error: "Two threads that create interpreters asked for each other's.";
    NotCreated = 14, Error: "CPython could not create an interpreter.";
    NoMemory = 15, Error: "There is no memory for a thread state.";
    Finalizing = 16, Error: "An interpreter is asked for while Python is shutting down.";
    NotInitialised = 17, Error: "An interpreter is asked for before Python was initialised.";
    ReleasedTooOften = 18, Error: "`release_interpreter` without an interpreter of this thread.";
    SavedOther = 19, Error: "`save_interpreter` with another name than the main interpreter's.";
    CallbackFailed = 20, Error: "The default `make_obcallback` has failed; Python's own error follows.";
    ShimFailed = 21, Error: "Our import_module could not be put in the place of mod_python's.";
    NotPatched = 22, Warning: "The installed apache.py is not the one that came with the build.";
    LongWait = 23, Warning: "A request has waited long for a load.";
    LoadFailed = 24, Error: "A module could not be loaded. Written by the shim, under mod_python's name.";
    KeptOld = 25, Error: "A new version of a module could not be read. Written by the shim, under mod_python's name.";
    Bug = 26, Error: "Code of ours has panicked.";
    ImporterUnguarded = 27, Error: "The importer of mod_python 3.3 could not be given our locks.";
    SecondsValue = 28, Warning: "MODPYTHON_CORE_FIRST_REQUEST_ALONE is not a number.";
    ExtensionUnguarded = 29, Warning: "An import goes on while another interpreter makes the same extension module.";
}

impl Message {
    /// The code that begins the line, as `MPC0001`.
    pub fn code(self) -> String {
        format!("MPC{:04}", self as u16)
    }
}
