//! Generation 3.1 (3.1.3, 3.1.4): the whole interpreter path of a finished module, or of one linked again from its
//! objects with `--wrap`.
//!
//! The module acquires an interpreter by this sequence of calls, here with what each does in our place:
//!
//! | the module calls | stock | here |
//! |---|---|---|
//! | `PyEval_AcquireLock()` | takes the GIL, without a thread state | remembers that an acquisition begins |
//! | `PyDict_GetItemString(interpreters, name)` | looks into a dict | asks the registry; waits without the GIL |
//! | (absent) `Py_NewInterpreter` | makes one of several | only reached after a refusal; answers NULL |
//! | `PyCObject_AsVoidPtr(item)` | `interpreterdata *` | the one of this thread |
//! | `PyEval_ReleaseLock()` | gives the GIL up | nothing: it is not held |
//! | `PyThreadState_New(istate)` | a new state | this thread's own state |
//! | `PyEval_AcquireThread(state)` | takes the GIL again | takes the GIL with it, the one time |
//! | `init` of mod_python.apache | callback, made by several threads | its return publishes the interpreter |
//!
//! and releases it by `PyEval_ReleaseThread` and `PyThreadState_Delete`; all is done in the former.
//!
//! After a graceful restart stock finds Python initialised and never makes its dict: get_interpreter then returns NULL
//! with the GIL held, and the child hangs. So the module is told that Python is not initialised; see
//! [`start::initialize`](crate::embedding::start::initialize).

mod imports;
mod pools;
