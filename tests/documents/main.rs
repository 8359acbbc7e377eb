//! What the documents say of the sources, the tests and each other: codes, promises and links are compared.

mod links;
mod messages;
mod promises;
mod rooms;
mod sources;
mod versions;
