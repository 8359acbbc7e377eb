//! Compares the documents with the sources, the tests and each other: codes, promises and links.

mod links;
mod messages;
mod promises;
mod rooms;
mod sources;
mod versions;
