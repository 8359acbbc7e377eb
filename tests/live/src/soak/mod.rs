//! A mixed site for minutes, stock and relinked in turn: faults and growth.
//!
//! | part | job |
//! |---|---|
//! | `ground` | the site's files and configuration, and what of it the subject has |
//! | `ask` | one request, and what the answer has to be |
//! | `mix` | which requests a visitor makes |
//! | `visitor` | one client, which may be slow or hang up |
//! | `count` | what became of the requests |
//! | `memory` | what the serving children keep |
//! | `run` | one server under all of this, with its restarts |
//! | `table`, `chart` | what a person sees of it |

mod ask;
mod chart;
mod count;
mod ground;
mod memory;
mod mix;
mod run;
mod table;
mod visitor;

pub use chart::write as write_charts;
pub use count::Tally;
pub use ground::left_out;
pub use memory::{Child, Growth, PER_100_000};
pub use run::{Outcome, Soak};
pub use table::terminal;
