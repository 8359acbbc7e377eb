//! The application bed: real applications of the distribution, each a small site, and whether each of their answers is
//! the one it should be.
//!
//! | room | job |
//! |---|---|
//! | `ground` | the sites' files and databases, and a server's configuration for them |
//! | `visit` | what one visitor asks for, step by step, and what has to be equal in two answers |
//! | `visits` | the visitors |
//! | `oracle` | what stock answers in one process to one client |
//! | `run` | a cold start and a mixed load, counted |
//! | `memory` | what a child keeps of many requests |

pub mod ground;
pub mod memory;
pub mod oracle;
pub mod run;
pub mod visit;
pub mod visits;
