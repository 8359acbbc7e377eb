/*
 * What a request leaves in its thread state, and how the state is made as new again. Fields of PyThreadState, as the
 * headers of each version declare them; docs/thread-states.md has the table, version by version.
 *
 * Every function here is called with the GIL held.
 */
#include "glue.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Rounds of clearing before a state is given up: destructors that run in one may put something new into it. */
#define ROUNDS 16

#if PY_MAJOR_VERSION >= 3
/*
 * A number that no state of this process has had (PyThreadState.id). ContextVar remembers a borrowed pointer to its
 * value under the state's id and its context's version, and asyncio its running loop under the id; PyThreadState_Clear
 * changes neither. CPython counts its own ids from 1 for each interpreter, so the upper half is free, and variables
 * that interpreters share (decimal's, up to 3.12) are not mixed up either. The GIL guards the counter.
 */
#define FIRST_ID (UINT64_C(1) << 63)

static uint64_t new_id(void)
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
    state->id = new_id();
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
    state->id = new_id();
#else
    (void)state;
#endif
    *field = NULL;
    Py_DECREF(object);
}

/*
 * Gives up what the state holds, one thing after the other. PyThreadState_Clear gives up the dictionary, then the
 * context: a destructor in the former that reads a variable leaves a pointer which one in the latter follows, after
 * the value has been freed (plain Python 3.11 crashes at the end of such a thread).
 */
static void empty(PyThreadState *state)
{
    drop(state, &state->dict);
    drop(state, &state->async_exc);
#if PY_VERSION_HEX >= 0x030C0000
    drop(state, &state->current_exception);
#else
    drop(state, &state->curexc_type);
    drop(state, &state->curexc_value);
    drop(state, &state->curexc_traceback);
#endif
#if PY_MAJOR_VERSION < 3
    drop(state, &state->exc_type);
    drop(state, &state->exc_value);
    drop(state, &state->exc_traceback);
#else
#if PY_VERSION_HEX < 0x030B0000
    drop(state, &state->exc_state.exc_type);
    drop(state, &state->exc_state.exc_traceback);
#endif
    drop(state, &state->exc_state.exc_value);
    drop(state, &state->async_gen_firstiter);
    drop(state, &state->async_gen_finalizer);
#if PY_VERSION_HEX >= 0x030D0000
    drop(state, &state->threading_local_key);
    drop(state, &state->threading_local_sentinel);
#endif
    state->coroutine_origin_tracking_depth = 0;
    drop(state, &state->context);
#endif
}

/*
 * Empties the state. 0 if destructors put something into it again in every round. What no header shows goes last: to
 * clear all of it at once is what `empty` is there to avoid.
 */
static int renew(PyThreadState *state)
{
    int round = 0;
#if PY_VERSION_HEX >= 0x030D0000
    int rest = 1;
#else
    int rest = 0;
#endif

    while (rest || !is_as_new(state)) {
        if (round++ == ROUNDS)
            return 0;
        if (!is_as_new(state)) {
            stop_tracing(state);
            empty(state);
#if PY_VERSION_HEX >= 0x030D0000
            rest = 1;
        } else {
            clear_rest(state);
            rest = 0;
#endif
        }
    }
#if PY_MAJOR_VERSION >= 3
    state->id = new_id();
    state->context_ver = 1;
#endif
#if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030C0000
    /* The lines of the code object that was traced last. */
    state->trace_info.code = NULL;
#endif
    return 1;
}

/*
 * Makes the current state as new and puts it by. 0 if that cannot be: then it must not serve another request.
 *
 * PyThreadState_SetAsyncExc takes the first state of a thread that it finds: an idle one would keep the exception for
 * the next request, and the running one never see it. So an idle state is nobody's.
 */
int mpc_glue_renew_thread_state(PyThreadState *state)
{
    if (!renew(state))
        return 0;
    state->thread_id = 0;
    return 1;
}

/* The state goes into use. C code that called PyGILState_Ensure between two requests may have left something. */
void mpc_glue_use_thread_state(PyThreadState *state, unsigned long thread)
{
    state->thread_id = thread;
#if PY_MAJOR_VERSION >= 3
    /* CPython's own id, in a state that has not been used before. */
    if (state->id < FIRST_ID)
        state->id = new_id();
#endif
    if (!is_as_new(state))
        renew(state);
}

/*
 * What a request takes along from one acquisition to its next, if one thread runs both: see threads/requests.rs. Trace
 * functions, exceptions and asyncio's running loop do not travel.
 */
struct mpc_luggage {
    PyObject *dict;
#if PY_MAJOR_VERSION >= 3
    PyObject *context, *async_gen_firstiter, *async_gen_finalizer;
    int coroutine_origin_tracking_depth;
#endif
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *threading_local_key, *threading_local_sentinel;
#endif
};

/* Rust gives this many words to hold one. */
typedef char mpc_luggage_fits[sizeof(struct mpc_luggage) <= 8 * sizeof(void *) ? 1 : -1];

/* Exchanges a field of the state with one of the luggage, and notes whether there was something in the state. */
#define EXCHANGE(type, field)              \
    do {                                   \
        type mine = state->field;          \
                                           \
        state->field = luggage->field;     \
        luggage->field = mine;             \
        any |= (uintptr_t)mine;            \
    } while (0)

static int exchange(PyThreadState *state, struct mpc_luggage *luggage)
{
    uintptr_t any = 0;

    EXCHANGE(PyObject *, dict);
#if PY_MAJOR_VERSION >= 3
    EXCHANGE(PyObject *, context);
    EXCHANGE(PyObject *, async_gen_firstiter);
    EXCHANGE(PyObject *, async_gen_finalizer);
    EXCHANGE(int, coroutine_origin_tracking_depth);
    state->id = new_id();
#endif
#if PY_VERSION_HEX >= 0x030D0000
    EXCHANGE(PyObject *, threading_local_key);
    EXCHANGE(PyObject *, threading_local_sentinel);
#endif
    return any != 0;
}

/* Takes what travels out of the current state. 0 if there is nothing. */
int mpc_glue_pack(PyThreadState *state, struct mpc_luggage *luggage)
{
    memset(luggage, 0, sizeof *luggage);
    return exchange(state, luggage);
}

/* Puts it into the current state, in the place of what is there. */
void mpc_glue_unpack(PyThreadState *state, struct mpc_luggage *luggage)
{
    if (!exchange(state, luggage))
        return;
    Py_XDECREF(luggage->dict);
#if PY_MAJOR_VERSION >= 3
    Py_XDECREF(luggage->async_gen_firstiter);
    Py_XDECREF(luggage->async_gen_finalizer);
    Py_XDECREF(luggage->context);
#endif
#if PY_VERSION_HEX >= 0x030D0000
    Py_XDECREF(luggage->threading_local_key);
    Py_XDECREF(luggage->threading_local_sentinel);
#endif
}

/* Where Rust finds how often C code has called PyGILState_Ensure on a state; each begins with a count of 1. */
const size_t mpc_glue_ensured_offset = offsetof(PyThreadState, gilstate_counter);

#if PY_VERSION_HEX < 0x030C0000
/*
 * What is set aside of a state while a nested request runs on it. Up to 3.11 PyGILState_* knows one state per thread,
 * so that requests in its interpreter have to share it.
 */
struct mpc_set_aside {
#if PY_VERSION_HEX < 0x030B0000
    struct _frame *frame;
#endif
#if PY_VERSION_HEX < 0x030A0000
    int use_tracing;
#elif PY_VERSION_HEX < 0x030B0000
    CFrame *cframe, nested_cframe;
#else
    _PyCFrame *cframe, nested_cframe;
#endif
    int tracing;
    Py_tracefunc c_profilefunc, c_tracefunc;
    PyObject *c_profileobj, *c_traceobj;
    PyObject *curexc_type, *curexc_value, *curexc_traceback;
    PyObject *dict, *async_exc;
#if PY_MAJOR_VERSION < 3
    PyObject *exc_type, *exc_value, *exc_traceback;
#else
    _PyErr_StackItem exc_state, *exc_info;
    int coroutine_origin_tracking_depth;
    PyObject *async_gen_firstiter, *async_gen_finalizer;
    PyObject *context;
    uint64_t id, context_ver;
#endif
};

/* Rust gives this many words to hold one. */
typedef char mpc_set_aside_fits[sizeof(struct mpc_set_aside) <= 32 * sizeof(void *) ? 1 : -1];

/* Moves a field over and leaves nothing. */
#define TAKE(field) (aside->field = state->field, memset(&state->field, 0, sizeof state->field))
#define GIVE(field) (state->field = aside->field)

/* Sets aside what the state holds of whoever runs on it, so that it is as new. */
void mpc_glue_set_aside(PyThreadState *state, struct mpc_set_aside *aside)
{
#if PY_VERSION_HEX < 0x030A0000
    TAKE(frame);
    TAKE(use_tracing);
#else
#if PY_VERSION_HEX < 0x030B0000
    TAKE(frame);
#endif
    aside->cframe = state->cframe;
    memset(&aside->nested_cframe, 0, sizeof aside->nested_cframe);
    state->cframe = &aside->nested_cframe;
#endif
    TAKE(tracing);
    TAKE(c_profilefunc);
    TAKE(c_tracefunc);
    TAKE(c_profileobj);
    TAKE(c_traceobj);
    TAKE(curexc_type);
    TAKE(curexc_value);
    TAKE(curexc_traceback);
    TAKE(dict);
    TAKE(async_exc);
#if PY_MAJOR_VERSION < 3
    TAKE(exc_type);
    TAKE(exc_value);
    TAKE(exc_traceback);
#else
    TAKE(exc_state);
    aside->exc_info = state->exc_info;
    state->exc_info = &state->exc_state;
    TAKE(coroutine_origin_tracking_depth);
    TAKE(async_gen_firstiter);
    TAKE(async_gen_finalizer);
    TAKE(context);
    aside->id = state->id;
    aside->context_ver = state->context_ver;
    state->id = new_id();
#endif
}

/* Makes the state as new, and puts back what was set aside. */
void mpc_glue_put_back(PyThreadState *state, struct mpc_set_aside *aside)
{
    PyObject *thrown = NULL;

    /* An exception that somebody threw at the thread since is for whoever runs on. */
    if (state->async_exc != NULL) {
        thrown = state->async_exc;
        state->async_exc = NULL;
    }
    renew(state);
    /* What could not be cleared stays alive: it belongs to destructors that never end. */
#if PY_VERSION_HEX < 0x030A0000
    GIVE(frame);
    GIVE(use_tracing);
#else
#if PY_VERSION_HEX < 0x030B0000
    GIVE(frame);
#endif
    GIVE(cframe);
#endif
    GIVE(tracing);
    GIVE(c_profilefunc);
    GIVE(c_tracefunc);
    GIVE(c_profileobj);
    GIVE(c_traceobj);
    GIVE(curexc_type);
    GIVE(curexc_value);
    GIVE(curexc_traceback);
    GIVE(dict);
    GIVE(async_exc);
#if PY_MAJOR_VERSION < 3
    GIVE(exc_type);
    GIVE(exc_value);
    GIVE(exc_traceback);
#else
    GIVE(exc_state);
    GIVE(exc_info);
    GIVE(coroutine_origin_tracking_depth);
    GIVE(async_gen_firstiter);
    GIVE(async_gen_finalizer);
    GIVE(context);
    GIVE(id);
    GIVE(context_ver);
#endif
    if (thrown != NULL) {
        PyObject *before = state->async_exc;

        state->async_exc = thrown;
        Py_XDECREF(before);
    }
}
#endif
