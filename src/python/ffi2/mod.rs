//! A mirror of the headers of Python 2.7 that this library needs, one file per header, under pyo3-ffi's names.
//!
//! pyo3-ffi begins at 3.9, and mod_python 3.1.x runs on Python 2. Nothing here is newer than Python 2.3, which 3.1.x
//! asks for, unless its file says so.
#![allow(non_camel_case_types, non_snake_case)]

mod ceval;
mod object;
mod pystate;
mod pythonrun;

pub use ceval::*;
pub use object::*;
pub use pystate::*;
pub use pythonrun::*;
