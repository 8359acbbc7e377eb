/*
 * The traces of a request in its thread state, and making the state as new again. Fields of PyThreadState, as the
 * headers of each version declare them; docs/thread-states.md has the table, version by version.
 *
 * Every function here is called with the GIL held.
 */
#include "glue.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Rounds of clearing before the rest is forgotten: destructors that run in one may put something new into the state. */
#define ROUNDS 1000

#if PY_MAJOR_VERSION >= 3
/*
 * A number that no state of this process has had (PyThreadState.id). ContextVar remembers a borrowed pointer to its
 * value under the state's id and its context's version, and asyncio its running loop under the id; PyThreadState_Clear
 * changes neither. CPython counts its own ids from 1 for each interpreter, so the upper half is free, and variables
 * that interpreters share (decimal's, up to 3.12) are not mixed up either. The GIL guards the counter.
 */
#define FIRST_ID (UINT64_C(1) << 63)

uint64_t mpc_glue_new_state_id(void)
{
    static uint64_t last = FIRST_ID;

    return ++last;
}
#endif

/* Whether nothing of a request is visible in the state. Twice a request, hence without a branch a field. */
static int is_as_new(const PyThreadState *state)
{
    uintptr_t any = (uintptr_t)state->dict | (uintptr_t)state->async_exc | (uintptr_t)state->c_profileobj |
                    (uintptr_t)state->c_traceobj | (uintptr_t)state->c_profilefunc | (uintptr_t)state->c_tracefunc;

#if PY_MAJOR_VERSION < 3
    any |= (uintptr_t)state->exc_type | (uintptr_t)state->exc_value | (uintptr_t)state->curexc_type |
           (uintptr_t)state->use_tracing;
#else
    any |= (uintptr_t)state->context | (uintptr_t)state->async_gen_firstiter | (uintptr_t)state->async_gen_finalizer |
           (uintptr_t)state->coroutine_origin_tracking_depth | (uintptr_t)state->exc_state.exc_value;
#if PY_VERSION_HEX < 0x030B0000
    any |= (uintptr_t)state->exc_state.exc_type;
#endif
#if PY_VERSION_HEX >= 0x030C0000
    any |= (uintptr_t)state->current_exception;
#else
    any |= (uintptr_t)state->curexc_type;
#endif
#if PY_VERSION_HEX >= 0x030D0000
    any |= (uintptr_t)state->threading_local_key | (uintptr_t)state->threading_local_sentinel;
#endif
#endif
    return any == 0;
}

/*
 * Takes trace and profile functions away. PyThreadState_Clear forgets the functions, but not that there were some: the
 * thread would go on in the slow loop of the evaluator, with stack tops that the cycle collector misreads.
 */
static void stop_tracing(PyThreadState *state)
{
    if (state->c_profilefunc != NULL || state->c_profileobj != NULL)
        PyEval_SetProfile(NULL, NULL);
    if (state->c_tracefunc != NULL || state->c_traceobj != NULL)
        PyEval_SetTrace(NULL, NULL);
    /* An audit hook may have forbidden both. */
#if PY_VERSION_HEX < 0x030A0000
    state->use_tracing = 0;
#elif PY_VERSION_HEX < 0x030C0000
    state->cframe->use_tracing = 0;
#endif
}

#if PY_VERSION_HEX >= 0x030D0000
/*
 * PyThreadState_Clear for a state that its thread goes on using, for what no header shows (asyncio's running loop). It
 * marks the state as one that is about to be deleted, which it is not. Before 3.13 every field is given up by name, and
 * the hook is left alone by which `threading` notices that a thread has ended: it has not, and a second clear would
 * call the hook with freed data (grisha/mod_python issues 100, 122, 124).
 */
static void clear_rest(PyThreadState *state)
{
    state->id = mpc_glue_new_state_id();
    PyThreadState_Clear(state);
    state->_status.finalizing = 0;
    state->_status.cleared = 0;
}
#endif

/* Takes a reference out of the state, and gives it up under an id that nothing has been remembered under. */
static void drop(PyThreadState *state, PyObject **field)
{
    PyObject *object = *field;

    if (object == NULL)
        return;
#if PY_MAJOR_VERSION >= 3
    state->id = mpc_glue_new_state_id();
#else
    (void)state;
#endif
    *field = NULL;
    Py_DECREF(object);
}

/* Leaves what a field refers to alive for good. */
static void leave(PyThreadState *state, PyObject **field)
{
    (void)state;
    *field = NULL;
}

/*
 * Does away with what the state holds, one thing after the other: by `drop`, or by `leave` where destructors never end.
 * PyThreadState_Clear gives up the dictionary, then the context: a destructor in the former that reads a variable
 * leaves a pointer which one in the latter follows, after the value has been freed (plain Python 3.11 crashes at the
 * end of such a thread).
 */
static void empty(PyThreadState *state, void (*away)(PyThreadState *, PyObject **))
{
    away(state, &state->dict);
    away(state, &state->async_exc);
#if PY_VERSION_HEX >= 0x030C0000
    away(state, &state->current_exception);
#else
    away(state, &state->curexc_type);
    away(state, &state->curexc_value);
    away(state, &state->curexc_traceback);
#endif
#if PY_MAJOR_VERSION < 3
    away(state, &state->exc_type);
    away(state, &state->exc_value);
    away(state, &state->exc_traceback);
#else
#if PY_VERSION_HEX < 0x030B0000
    away(state, &state->exc_state.exc_type);
    away(state, &state->exc_state.exc_traceback);
#endif
    away(state, &state->exc_state.exc_value);
    away(state, &state->async_gen_firstiter);
    away(state, &state->async_gen_finalizer);
#if PY_VERSION_HEX >= 0x030D0000
    away(state, &state->threading_local_key);
    away(state, &state->threading_local_sentinel);
#endif
    state->coroutine_origin_tracking_depth = 0;
    away(state, &state->context);
#endif
}

/*
 * Empties the state. Destructors may put something into it again; after many rounds of that the rest is forgotten. What
 * no header shows goes last: to clear all of it at once is what `empty` is there to avoid.
 */
void mpc_glue_empty_state(PyThreadState *state)
{
    int round = 0;
#if PY_VERSION_HEX >= 0x030D0000
    int rest = 1;
#else
    int rest = 0;
#endif

    while (rest || !is_as_new(state)) {
        if (round++ == ROUNDS) {
            stop_tracing(state);
            empty(state, leave);
#if PY_VERSION_HEX >= 0x030D0000
            clear_rest(state);
            empty(state, leave);
#endif
            break;
        }
        if (!is_as_new(state)) {
            stop_tracing(state);
            empty(state, drop);
#if PY_VERSION_HEX >= 0x030D0000
            rest = 1;
        } else {
            clear_rest(state);
            rest = 0;
#endif
        }
    }
#if PY_MAJOR_VERSION >= 3
    state->id = mpc_glue_new_state_id();
    state->context_ver = 1;
#endif
#if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030C0000
    /* The lines of the code object that was traced last. */
    state->trace_info.code = NULL;
#endif
}

/*
 * Makes the current state as new and puts it by.
 *
 * PyThreadState_SetAsyncExc takes the first state of a thread that it finds: an idle one would keep the exception for
 * the next request, and the running one never see it. So an idle state is nobody's.
 */
void mpc_glue_renew_thread_state(PyThreadState *state)
{
    mpc_glue_empty_state(state);
    state->thread_id = 0;
}

/* The state goes into use. C code that called PyGILState_Ensure between two requests may have left something. */
void mpc_glue_use_thread_state(PyThreadState *state, unsigned long thread)
{
    state->thread_id = thread;
#if PY_MAJOR_VERSION >= 3
    /* CPython's own id, in a state that has not been used before. */
    if (state->id < FIRST_ID)
        state->id = mpc_glue_new_state_id();
#endif
    if (!is_as_new(state))
        mpc_glue_empty_state(state);
}

/* Where Rust finds how often C code has called PyGILState_Ensure on a state; each begins with a count of 1. */
const size_t mpc_glue_ensured_offset = offsetof(PyThreadState, gilstate_counter);
