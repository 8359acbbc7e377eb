//! Generation 3.5 (3.5.0 to master, and the distributions' builds of it): the whole interpreter path.
//!
//! The module acquires an interpreter by this sequence of calls, here with what each does in our place:
//!
//! | the module calls | stock | here |
//! |---|---|---|
//! | `PyEval_RestoreThread(global)` | takes the GIL with a state of all threads | remembers that one begins |
//! | `apr_hash_get(interpreters, name)` | looks into an unlocked hash | asks the registry; waits without the GIL |
//! | (absent) `Py_NewInterpreter` | makes one of several | only reached after a refusal; answers NULL |
//! | `apr_array_pop(tstates)` | a state used by another request before | this thread's own state |
//! | `PyThreadState_Swap(state)` | goes over to it | takes the GIL with it, the one time |
//! | `init` of mod_python.apache | callback, seen by others too early | its return publishes the interpreter |
//!
//! and releases it by `PyThreadState_Clear` (in some builds), `apr_array_push` or `PyThreadState_Delete`, and
//! `PyEval_ReleaseThread`, which is where all of it is done here.
//!
//! The module takes a [token](global::token) of ours for its shared global state. So a call with it cannot be
//! mistaken for the end of a Py_BEGIN_ALLOW_THREADS in a request that happens to run on the real one (prefork).

mod global;
mod imports;
mod strings;
