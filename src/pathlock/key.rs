//! The names of locks, and of the threads that own them.

/// A thread, named by the number that Python's `threading.get_ident()` has for it, so that the edges of importlib's
/// own locks can be followed together with ours.
pub type ThreadId = u64;

/// The name of a lock: one file in one interpreter. Interpreters share no modules, so the same file in two of them
/// is two locks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The interpreter, by `PyInterpreterState_GetID`.
    pub interpreter: i64,
    /// The path of the file, as bytes: a name of the file system need not be UTF-8.
    pub file: std::sync::Arc<[u8]>,
}

impl Key {
    /// In the place of an interpreter: a lock that all of them share. No interpreter has that number.
    pub const EVERY_INTERPRETER: i64 = -1;

    /// A key for `file` in `interpreter`.
    pub fn new(interpreter: i64, file: &[u8]) -> Self {
        Self { interpreter, file: file.into() }
    }
}
