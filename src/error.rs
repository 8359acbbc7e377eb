//! The failures of a request for an interpreter, in words for the administrator who reads the error log.

use crate::server::messages::Message;

/// Why a request for an interpreter got none.
///
/// Every one of them reaches the caller as mod_python's own failure value (NULL); the sentence goes to the error log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The attempt to create it that this thread waited for has failed (R4).
    #[error("its creation failed; the next request for it tries again")]
    AttemptFailed,
    /// The thread that asks is the one that is creating it, and would wait for itself (R7).
    #[error(
        "the thread that is creating it asked for it again; code that runs while an interpreter starts cannot use it"
    )]
    Reentrant,
    /// The thread that is creating it waits, possibly by way of others, for one that this thread is creating (R7).
    #[error(
        "the thread that is creating it waits for an interpreter that this thread is creating; code that runs while an interpreter starts cannot use another that is starting for the same reason"
    )]
    Cycle,
    /// The upper bound on named interpreters is reached (R10).
    #[error(
        "the limit of {0} interpreters is reached; raise MODPYTHON_CORE_MAX_INTERPRETERS, or let fewer names arise (PythonInterpPerDirectory and PythonInterpPerDirective make one per directory)"
    )]
    Limit(usize),
    /// CPython could not make the interpreter.
    #[error("Py_NewInterpreter has failed; the next request for it tries again")]
    NotCreated,
    /// There is no memory for a thread state.
    #[error("there is no memory for a thread state")]
    NoMemory,
    /// Python is shutting down, and a thread that takes the GIL now would never come back (cpython issue 87135).
    #[error("Python is shutting down")]
    Finalizing,
}

impl Refusal {
    /// The message that it is logged as; none if somebody else's line says why.
    pub fn message(self) -> Option<Message> {
        match self {
            Refusal::AttemptFailed => None,
            Refusal::Reentrant => Some(Message::Reentrant),
            Refusal::Cycle => Some(Message::Cycle),
            Refusal::Limit(_) => Some(Message::Limit),
            Refusal::NotCreated => Some(Message::NotCreated),
            Refusal::NoMemory => Some(Message::NoMemory),
            Refusal::Finalizing => Some(Message::Finalizing),
        }
    }
}
