/*
 * Fields taken out of a thread state and put back: those that a request takes along to its next phase, and those set
 * aside while a nested request runs on the state. Every function here is called with the GIL held.
 */
#include "glue.h"
#include <stdint.h>
#include <string.h>

#if PY_VERSION_HEX < 0x030D0000
/*
 * Whether this is the entry of a threading.local in a thread's dictionary, and the object has ended or is about to. It
 * keeps a weak reference to its entry, whose callback is bound to a weak reference to the object: that one is cleared
 * first. The other goes with the object's data, which CPython may put off where many objects end at once.
 */
static int is_of_ended_local(PyObject *entry)
{
    PyTypeObject *type = Py_TYPE(entry);
    PyWeakReference *reference;
    PyObject *callback, *local;

    if (strcmp(type->tp_name, "_thread._localdummy") != 0 || type->tp_weaklistoffset <= 0)
        return 0;
    reference = *(PyWeakReference **)((char *)entry + type->tp_weaklistoffset);
    while (reference != NULL && reference->wr_callback == NULL)
        reference = reference->wr_next;
    callback = reference != NULL ? reference->wr_callback : NULL;
    local = callback != NULL && PyCFunction_Check(callback) ? PyCFunction_GET_SELF(callback) : NULL;
    return local == NULL || !PyWeakref_Check(local) || PyWeakref_GET_OBJECT(local) == Py_None;
}

/*
 * Takes out of a thread's dictionary what is left of each threading.local that has ended. An entry of one has the
 * address of its object as the key, and a pointer to what the object keeps for the thread. When the object ends, it
 * takes its entries out of the dictionaries of all states, but it does not see one that is put by here: another object,
 * which has got that address since, would use what is freed.
 */
static void forget_ended_locals(PyObject *dict)
{
    PyObject *key, *entry;
    Py_ssize_t at = 0;

    if (dict == NULL)
        return;
    while (PyDict_Next(dict, &at, &key, &entry)) {
        if (!is_of_ended_local(entry))
            continue;
        /* No code of anybody's runs: the key is a string, and such an entry has nothing to give up. */
        if (PyDict_DelItem(dict, key) != 0)
            PyErr_Clear();
        else
            at = 0;
    }
}
#else
/* From 3.13 on the data of a threading.local is not found by an address. */
static void forget_ended_locals(PyObject *dict)
{
    (void)dict;
}
#endif

/*
 * The fields a request takes from one acquisition to its next, if one thread runs both: see threads/requests.rs. Trace
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

static int has_luggage(const PyThreadState *state)
{
    uintptr_t any = (uintptr_t)state->dict;

#if PY_MAJOR_VERSION >= 3
    any |= (uintptr_t)state->context | (uintptr_t)state->async_gen_firstiter | (uintptr_t)state->async_gen_finalizer |
           (uintptr_t)state->coroutine_origin_tracking_depth;
#endif
#if PY_VERSION_HEX >= 0x030D0000
    any |= (uintptr_t)state->threading_local_key | (uintptr_t)state->threading_local_sentinel;
#endif
    return any != 0;
}

/* Exchanges a field of the state with one of the luggage. */
#define EXCHANGE(type, field)              \
    do {                                   \
        type mine = state->field;          \
                                           \
        state->field = luggage->field;     \
        luggage->field = mine;             \
    } while (0)

static void exchange(PyThreadState *state, struct mpc_luggage *luggage)
{
    EXCHANGE(PyObject *, dict);
#if PY_MAJOR_VERSION >= 3
    EXCHANGE(PyObject *, context);
    EXCHANGE(PyObject *, async_gen_firstiter);
    EXCHANGE(PyObject *, async_gen_finalizer);
    EXCHANGE(int, coroutine_origin_tracking_depth);
    state->id = mpc_glue_new_state_id();
#endif
#if PY_VERSION_HEX >= 0x030D0000
    EXCHANGE(PyObject *, threading_local_key);
    EXCHANGE(PyObject *, threading_local_sentinel);
#endif
}

/* Takes what travels out of the current state. 0 if there is nothing; then nothing is written. */
int mpc_glue_pack(PyThreadState *state, struct mpc_luggage *luggage)
{
    if (!has_luggage(state))
        return 0;
    memset(luggage, 0, sizeof *luggage);
    exchange(state, luggage);
    return 1;
}

/* Puts it into the current state, in the place of what is there. */
void mpc_glue_unpack(PyThreadState *state, struct mpc_luggage *luggage)
{
    forget_ended_locals(luggage->dict);
    exchange(state, luggage);
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

#if PY_VERSION_HEX < 0x030C0000
/*
 * The fields set aside while a nested request runs on a state. Up to 3.11 PyGILState_* knows one state per thread, so
 * that requests in its interpreter have to share it.
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
    state->id = mpc_glue_new_state_id();
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
    mpc_glue_empty_state(state);
    forget_ended_locals(aside->dict);
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
