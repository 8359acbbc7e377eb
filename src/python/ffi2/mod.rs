//! A mirror of the headers of Python 2.7 that this library needs, one file per header, under pyo3-ffi's names.
//!
//! pyo3-ffi begins at 3.9, and mod_python 3.1.x runs on Python 2. Nothing here is newer than Python 2.3, which 3.1.x
//! asks for, unless its line says so.
#![allow(non_camel_case_types, non_snake_case)]
// The functions are CPython's, whose manual describes them.
#![allow(missing_docs)]

mod abstract_;
mod boolobject;
mod bytesobject;
mod ceval;
mod cobject;
mod dictobject;
mod genobject;
mod import;
mod intobject;
mod listobject;
mod longobject;
mod marshal;
mod methodobject;
mod modsupport;
mod object;
mod pyerrors;
mod pystate;
mod pythonrun;
mod pythread;
mod stringobject;
mod sysmodule;
mod tupleobject;

pub use abstract_::*;
pub use boolobject::*;
pub use bytesobject::*;
pub use ceval::*;
pub use cobject::*;
pub use dictobject::*;
pub use genobject::*;
pub use import::*;
pub use intobject::*;
pub use listobject::*;
pub use longobject::*;
pub use marshal::*;
pub use methodobject::*;
pub use modsupport::*;
pub use object::*;
pub use pyerrors::*;
pub use pystate::*;
pub use pythonrun::*;
pub use pythread::*;
pub use stringobject::*;
pub use sysmodule::*;
pub use tupleobject::*;
