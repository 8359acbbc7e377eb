//! The calls of a relinked, finished mod_python.so.
//!
//! `modpython-relink` renames imports of the module, so that its calls into CPython and APR that make up the
//! interpreter path arrive here. Each generation of mod_python has its own sequence of calls, hence its own file; what
//! is not part of that sequence goes on to the function that was meant.

mod learn;
// A module of this generation calls PyEval_AcquireLock, which Python 3.13 has no more.
#[cfg(not(Py_3_13))]
pub mod v31;
#[cfg(feature = "python3")]
pub mod v35;
