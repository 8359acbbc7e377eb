//! The calls of a relinked, finished mod_python.so.
//!
//! `modpython-relink` renames imports of the module, so that its calls into CPython and APR that make up the
//! interpreter path arrive here. Each generation of mod_python has its own sequence of calls, hence its own file; what
//! is not part of that sequence goes on to the function that was meant.

mod calls;
mod startup;
// Each generation with the Pythons that its finished modules are for: 3.1 to 3.3 were never brought to Python 3.
#[cfg(not(feature = "python3"))]
pub mod v31;
#[cfg(not(feature = "python3"))]
pub mod v33;
#[cfg(feature = "python3")]
pub mod v35;
