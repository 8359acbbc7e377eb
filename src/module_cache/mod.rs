//! The table behind `import_module`: which module a file gave, which version of the file that was, whether its code
//! runs just now, and whether the module is still fresh.
//!
//! One [`Modules`] per interpreter, reached only with that interpreter's GIL held, so there is no lock in this room.
//! It calls neither CPython nor the system: the module is an opaque handle, and the caller brings the answer of
//! `stat(2)`. That makes one decision serve both places where freshness is decided: without a lock, for the hit, and
//! again under the file's lock, before anything is run (I6).

#![forbid(unsafe_code)]

mod content;
mod filesystem;
mod modules;
mod version;

pub use content::Content;
pub use filesystem::FileSystemKind;
pub use modules::{Entry, EntryId, Modules, Verdict};
pub use version::Version;
