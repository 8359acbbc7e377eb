/*
 * Stands for mod_python.c with the two headers of the patch in it: the functions that start Python in the server and
 * in a child, and the callers of get_interpreter, in each generation. Generation 3.5 is for Python 3, the others are
 * for Python 2.
 */
#include "consumer.h"

int broken;
unsigned interpreters_made, callbacks_made, filters_ended;

apr_status_t python_decref(void *object)
{
    Py_DECREF((PyObject *)object);
    return 0;
}

/* The built-in module _apache, of which the stand-in for apache.py needs one function. */

static PyObject *filter_ended(PyObject *self, PyObject *nothing)
{
    (void)self, (void)nothing;
    /* The GIL is held: it is the lock of the counter. */
    filters_ended++;
    Py_RETURN_NONE;
}

static PyMethodDef apache_functions[] = {
    {"filter_ended", filter_ended, METH_NOARGS, "Counts."},
    {NULL, NULL, 0, NULL},
};

#if PY_MAJOR_VERSION >= 3
static PyModuleDef apache_module = {PyModuleDef_HEAD_INIT, "_apache", NULL, -1, apache_functions, NULL, NULL, NULL,
                                    NULL};

static void *init_apache(void)
{
    return PyModule_Create(&apache_module);
}
#else
static void *init_apache(void)
{
    Py_InitModule("_apache", apache_functions);
    return NULL;
}
#endif

/* The callback, made by mod_python's own function. The name may hold any byte, which the library's default may not. */
static PyObject *callback_for(const char *name)
{
    PyObject *apache, *callback = NULL;

    callbacks_made++;
    /* Not even where the main interpreter was asked for by NULL: Python code relies on its name. */
    CHECK(name != NULL);
    if (broken && strcmp(name, BREAKABLE) == 0)
        return NULL;
    apache = PyImport_ImportModule("mod_python.apache");
    if (apache != NULL) {
#if PY_MAJOR_VERSION >= 3
        PyObject *text = PyUnicode_DecodeFSDefault(name);

        callback = text != NULL ? PyObject_CallMethod(apache, "init", "OO", text, Py_None) : NULL;
        Py_XDECREF(text);
#else
        callback = PyObject_CallMethod(apache, "init", "sO", name, Py_None);
#endif
        Py_DECREF(apache);
    }
    if (callback == NULL)
        PyErr_Print();
    return callback;
}

#if PY_MAJOR_VERSION >= 3

/* Generation 3.5: as in its source, but for what the two headers put in the place of a call. */

typedef struct {
    void *tstates;
    PyInterpreterState *interp;
    PyObject *obcallback;
} interpreterdata;

static PyThreadState *global_tstate;

static void init_35(void)
{
    CHECK(modpython_core_append_inittab("_apache", init_apache) == 0);
    modpython_core_initialize();
    global_tstate = PyEval_SaveThread();
    CHECK(global_tstate != NULL);
}

static void child_35(void)
{
    interpreterdata *data;

    PyEval_RestoreThread(global_tstate);
    mpc35_after_fork();
    data = (interpreterdata *)mpc35_save_interpreter(MAIN_INTERPRETER, PyThreadState_Get());
    CHECK(data != NULL && data->interp == PyInterpreterState_Main() && data->obcallback == NULL);
    CHECK(PyEval_SaveThread() == global_tstate);
}

static acquired get_35(const char *name)
{
    interpreterdata *data = (interpreterdata *)mpc35_get_interpreter(name);
    acquired found = {data, NULL, NULL};

    if (data != NULL) {
        CHECK(data->tstates != NULL);
        found.interpreter = data->interp;
        found.callback = data->obcallback;
    }
    return found;
}

static void release_35(void *data)
{
    mpc35_release_interpreter(data);
}

static PyObject *make_obcallback_35(const char *name)
{
    return callback_for(name);
}

static void register_35(int own)
{
    static const mpc35_host host = {NULL, NULL, NULL, make_obcallback_35};

    mpc35_register_host(own ? &host : NULL);
}

const generation generations[] = {
    {"35", "3.5", 0, init_35, child_35, get_35, release_35, register_35},
    {NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL},
};

#else

/* Generations 3.1 to 3.3: as in their sources, but for what the two headers put in the place of a call. */

typedef struct {
    PyInterpreterState *istate;
    PyObject *obcallback;
} interpreterdata;

static acquired acquired_31(mpc31_interpreterdata *data)
{
    interpreterdata *theirs = (interpreterdata *)data;
    acquired found = {theirs, NULL, NULL};

    if (theirs != NULL) {
        found.interpreter = theirs->istate;
        found.callback = theirs->obcallback;
    }
    return found;
}

static PyInterpreterState *make_31(const char *name)
{
    PyThreadState *state = Py_NewInterpreter();
    PyInterpreterState *made = state != NULL ? state->interp : NULL;

    (void)name;
    interpreters_made++;
    /* The GIL stays held, with no state. */
    PyThreadState_Swap(NULL);
    return made;
}

static void start(void)
{
    CHECK(modpython_core_append_inittab("_apache", init_apache) == 0);
    modpython_core_initialize();
    PyEval_InitThreads();
}

static void init_31(void)
{
    start();
    PyThreadState_Swap(NULL);
    PyEval_ReleaseLock();
}

static void child_31(void)
{
    PyEval_AcquireLock();
    mpc31_after_fork();
    PyEval_ReleaseLock();
}

static PyInterpreterState *make_interpreter_31(const char *name, void *server)
{
    CHECK(server == &the_server && name != NULL);
    return make_31(name);
}

static PyObject *make_obcallback_31(void *server)
{
    CHECK(server == &the_server);
    /* 3.1 does not say for which interpreter; while one is broken, no other is asked for. */
    return callback_for(broken ? BREAKABLE : MAIN_INTERPRETER);
}

static acquired get_31(const char *name)
{
    return acquired_31(get_interpreter(name, &the_server));
}

static void release_31(void *data)
{
    (void)data;
    release_interpreter();
}

static void register_31(int own)
{
    static const mpc31_host host = {NULL, NULL, make_interpreter_31, make_obcallback_31};

    mpc31_register_host(own ? &host : NULL);
}

static void init_32(void)
{
    start();
    modpython_core_release_lock();
}

static void child_32(void)
{
    PyEval_AcquireLock();
    mpc32_after_fork();
    CHECK(mpc32_save_interpreter(MAIN_INTERPRETER, PyThreadState_Get()->interp) != NULL);
    modpython_core_release_lock();
}

static PyInterpreterState *make_interpreter_32(const char *name, void *server)
{
    return make_interpreter_31(name, server);
}

static PyObject *make_obcallback_32(char *name, void *server)
{
    CHECK(server == &the_server);
    return callback_for(name);
}

static acquired get_32(const char *name)
{
    return acquired_31(mpc32_get_interpreter(name, &the_server));
}

static void release_32(void *data)
{
    (void)data;
    mpc32_release_interpreter();
}

static void register_32(int own)
{
    static const mpc32_host host = {NULL, NULL, NULL, make_interpreter_32, make_obcallback_32};

    mpc32_register_host(own ? &host : NULL);
}

static void child_33(void)
{
    PyEval_AcquireLock();
    mpc33_after_fork();
    CHECK(mpc33_save_interpreter(MAIN_INTERPRETER, PyThreadState_Get()->interp) != NULL);
    modpython_core_release_lock();
}

static PyObject *make_obcallback_33(char *name)
{
    return callback_for(name);
}

static acquired get_33(const char *name)
{
    return acquired_31(mpc33_get_interpreter(name));
}

static void release_33(void *data)
{
    (void)data;
    mpc33_release_interpreter();
}

static void register_33(int own)
{
    static const mpc33_host host = {NULL, NULL, NULL, make_31, make_obcallback_33};

    mpc33_register_host(own ? &host : NULL);
}

const generation generations[] = {
    {"31", "3.1", 1, init_31, child_31, get_31, release_31, register_31},
    {"32", "3.2", 1, init_32, child_32, get_32, release_32, register_32},
    {"33", "3.3", 1, init_32, child_33, get_33, release_33, register_33},
    {NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL},
};

#endif
