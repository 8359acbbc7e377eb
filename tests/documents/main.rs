//! What the documents say of the sources, the tests and each other.

mod messages;
mod sources;
