#if SHAPE < 30300
/* The end of the process. It may run in a signal's handler, and wait there for the GIL (MODPYTHON-109). */
static apr_status_t python_finalize(void *data)
{
    if (ENTER(NULL, NULL) != NULL) {
        Py_Finalize();
        PyEval_ReleaseLock();
    }
    return APR_SUCCESS;
}

/* Sets sys.path to what the expression of PythonPath gives. -1 with an exception on failure. */
static int set_path(const char *expression)
{
    PyObject *globals = PyDict_New(), *sys = PyImport_ImportModule("sys"), *path = NULL;
    int done = -1;

    if (globals != NULL && sys != NULL && PyDict_SetItemString(globals, "sys", sys) == 0)
        path = PyRun_String(expression, Py_eval_input, globals, globals);
    if (path != NULL)
        done = PyObject_SetAttrString(sys, "path", path);
    Py_XDECREF(path);
    Py_XDECREF(sys);
    Py_XDECREF(globals);
    return done;
}

#endif
static void PythonChildInitHandler(apr_pool_t *p, server_rec *s)
{
    py_config *conf = ap_get_module_config(s->module_config, &python_module);
#if SHAPE < 30300
    const char *path = apr_table_get(conf->directives, "PythonPath");
#elif SHAPE < 30500
    interpreterdata *idata;
#endif
    hl_entry *import;

#if SHAPE >= 30500
    interpreterdata *idata;

    PyEval_RestoreThread(global_tstate);
#if PY_VERSION_HEX < 0x03070000
    PyOS_AfterFork();
#else
    PyOS_AfterFork_Child();
#endif
    if (save_interpreter(MAIN_INTERPRETER, PyThreadState_Get()) == NULL)
        COMPLAIN(s, "no memory for the main interpreter");
    if (PyEval_SaveThread() != global_tstate) {
        COMPLAIN(s, "the child does not start with the state that Python started with");
        return;
    }
#elif SHAPE >= 30210
    PyEval_AcquireLock();
    PyOS_AfterFork();
    save_interpreter(MAIN_INTERPRETER, PyThreadState_Get()->interp);
    PyThreadState_Swap(NULL);
    PyEval_ReleaseLock();
#else
    PyEval_AcquireLock();
#if defined(HOST_MENDS_FORK) && PY_MAJOR_VERSION < 3
    /* PyOS_AfterFork of Python 2.7 crashes without a thread state. That of the thread which started Python is this
     * thread's still. */
    PyThreadState_Swap(PyGILState_GetThisThreadState());
    PyOS_AfterFork();
    PyThreadState_Swap(NULL);
#else
    PyOS_AfterFork();
#endif
    PyEval_ReleaseLock();
#endif

#if SHAPE < 30300
    /* The first to be registered is the last to run. */
    apr_pool_cleanup_register(p, NULL, python_finalize, apr_pool_cleanup_null);
#endif
    child_init_pool = p;

#if SHAPE < 30300
    for (import = conf->imports; import != NULL; import = import->next) {
        if (ENTER(import->directory, s) == NULL)
            return;
        if (path != NULL && set_path(path) < 0) {
            PyErr_Print();
            release_interpreter();
            return;
        }
        if (PyImport_ImportModule(import->handler) == NULL) {
            PyErr_Print();
            COMPLAIN(s, "PythonImport: cannot import %s", import->handler);
        }
        release_interpreter();
    }
#else
    for (import = conf->imports; import != NULL; import = import->next) {
        PyObject *result;

        idata = ENTER(import->directory, s);
        if (idata == NULL)
            return;
        result = PyObject_CallMethod(idata->obcallback, "ImportDispatch", "s", import->handler);
        if (result == NULL) {
            PyErr_Print();
            COMPLAIN(s, "PythonImport: cannot import %s", import->handler);
        }
        Py_XDECREF(result);
        LEAVE(idata);
    }
#endif
}

#define PHASE(phase)                         \
    static int phase(request_rec *req)       \
    {                                        \
        return python_handler(req, #phase);  \
