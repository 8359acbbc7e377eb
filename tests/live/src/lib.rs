//! Runs mod_python in a real Apache 2.4 under load, with the stock module or the relinked one: Debian's, or our own
//! look-alike (`tests/lookalike`).
//!
//! | room | job |
//! |---|---|
//! | `prerequisites` | what must be installed, and one sentence for each thing that is not |
//! | `subject` | whose mod_python is under test |
//! | `preload` | libraries in C that a test has httpd load first |
//! | `config` | the text of httpd's configuration file |
//! | `setup` | what a server consists of, laid out and started |
//! | `server` | one running Apache: its log and processes, until it has stopped |
//! | `site` | the Python files that answer, and those that take notes |
//! | `http`, `clients` | the client: one connection, and many of them at one moment |
//! | `meanwhile` | doing something to a server while clients ask it |
//! | `bed` | real applications, and whether each of their answers is the one it should be |
//! | `observe` | notes and answers, counted |
//! | `loads` | runs of handlers' module code |
//! | `versions` | handlers that change while the server runs |
//! | `coldstart` | the experiment that shows the defect: many first requests at once |
//! | `expect` | assertions that several live tests share |
//! | `crash` | where a child has crashed, or stands |
//! | `soak` | a mixed site for minutes, stock and relinked in turn: faults and growth |
//! | `subjects` | which subjects a test says something of |
//! | `report`, `picture` | what a person sees of it |
//!
//! The demo and the benchmarks are the two programs of this package, the live tests its integration tests.

pub mod bed;
pub mod clients;
pub mod coldstart;
pub mod config;
pub mod counts;
pub mod crash;
pub mod expect;
pub mod http;
pub mod loads;
pub mod meanwhile;
pub mod observe;
pub mod picture;
pub mod preload;
pub mod prerequisites;
pub mod report;
pub mod server;
pub mod setup;
pub mod site;
pub mod soak;
pub mod subject;
pub mod subjects;
pub mod versions;
pub mod wait;

pub use config::{Module, Mpm};
pub use server::{Server, Stop};
pub use setup::Setup;
pub use subject::subject;
