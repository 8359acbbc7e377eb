/* The path of 3.2 to 3.4: the look-up is behind a mutex; 3.2 gives it up before the callback is made. */
static apr_thread_mutex_t *interpreters_lock = NULL;

#if SHAPE < 30300
#define SERVER srv
#else
#define SERVER main_server
#endif

/* Makes an interpreter. The GIL is held, with no thread state before and after; while modules are imported it is given
 * up now and then. */
#if SHAPE < 30300
static PyInterpreterState *make_interpreter(const char *name, server_rec *srv)
#else
static PyInterpreterState *make_interpreter(const char *name)
#endif
{
    PyThreadState *first = Py_NewInterpreter();

    if (first == NULL) {
        COMPLAIN(SERVER, "make_interpreter: Py_NewInterpreter() gave no interpreter '%s'", name);
        return NULL;
    }
    PyThreadState_Swap(NULL);
    return first->interp;
}

/* Makes the object whose methods are called for requests, in the current interpreter. */
#if SHAPE < 30300
static PyObject *make_obcallback(char *name, server_rec *srv)
#elif SHAPE < 30400
static PyObject *make_obcallback(char *name)
#else
static PyObject *make_obcallback(const char *name)
#endif
{
    PyObject *module, *callback = NULL, *server = MpServer_FromServer(SERVER);

    init_apache();
    module = PyImport_ImportModule(MODULENAME);
    if (module != NULL && server != NULL)
        callback = PyObject_CallMethod(module, INITFUNC, "sO", name, server);
    Py_XDECREF(server);
    if (callback == NULL) {
        COMPLAIN(SERVER, "make_obcallback: %s %s", module == NULL ? "cannot import" : "no callback from", MODULENAME);
        PyErr_Print();
    }
    Py_XDECREF(module);
    return callback;
}

/* Keeps an interpreter under its name, without a callback yet. */
#if SHAPE < 30210
static interpreterdata *keep_interpreter(const char *name, PyInterpreterState *istate)
#else
static interpreterdata *save_interpreter(const char *name, PyInterpreterState *istate)
#endif
{
    interpreterdata *idata = calloc(1, sizeof(*idata));
    PyObject *wrapped;

    idata->istate = istate;
#if SHAPE < 30400
    wrapped = PyCObject_FromVoidPtr(idata, NULL);
#else
    wrapped = PyCapsule_New(idata, NULL, NULL);
#endif
    PyDict_SetItemString(interpreters, name, wrapped);
    Py_DECREF(wrapped);
    return idata;
}

/* Finds or makes the interpreter of that name, and takes the GIL in it. NULL on failure, without the GIL; but in 3.2
 * with it, and with the mutex, if there is no dict. */
#if SHAPE < 30300
static interpreterdata *get_interpreter(const char *name, server_rec *srv)
#else
static interpreterdata *get_interpreter(const char *name)
#endif
{
    interpreterdata *idata = NULL;
    PyThreadState *tstate;
    PyObject *known;

    if (name == NULL)
        name = MAIN_INTERPRETER;

    apr_thread_mutex_lock(interpreters_lock);
    PyEval_AcquireLock();
    if (interpreters == NULL) {
#if SHAPE >= 30300
        PyEval_ReleaseLock();
        apr_thread_mutex_unlock(interpreters_lock);
#endif
        return NULL;
    }
    known = PyDict_GetItemString(interpreters, name);
    if (known == NULL) {
#if SHAPE < 30300
        PyInterpreterState *istate = make_interpreter(name, srv);
#else
        PyInterpreterState *istate = make_interpreter(name);
#endif

        if (istate != NULL)
#if SHAPE < 30210
            idata = keep_interpreter(name, istate);
#else
            idata = save_interpreter(name, istate);
#endif
    } else {
#if SHAPE < 30400
        idata = PyCObject_AsVoidPtr(known);
#else
        idata = PyCapsule_GetPointer(known, NULL);
#endif
    }
    PyEval_ReleaseLock();
#if SHAPE < 30300
    apr_thread_mutex_unlock(interpreters_lock);
#endif
    if (idata == NULL) {
        COMPLAIN(SERVER, "get_interpreter: no interpreter '%s'", name);
#if SHAPE >= 30300
        apr_thread_mutex_unlock(interpreters_lock);
#endif
        return NULL;
    }

    tstate = PyThreadState_New(idata->istate);
    PyEval_AcquireThread(tstate);
    if (idata->obcallback == NULL)
#if SHAPE < 30300
        idata->obcallback = make_obcallback((char *)name, srv);
#else
        idata->obcallback = make_obcallback((char *)name);
#endif
    if (idata->obcallback == NULL) {
#if SHAPE >= 30300
        PyThreadState_Clear(tstate);
#endif
        PyEval_ReleaseThread(tstate);
        PyThreadState_Delete(tstate);
        idata = NULL;
    }
#if SHAPE >= 30300
    apr_thread_mutex_unlock(interpreters_lock);
#endif
    return idata;
}

/* Gives the GIL up, and the thread state with it, which 3.2 does not clear. */
static void release_interpreter(void)
{
    PyThreadState *tstate = PyThreadState_Get();

#if SHAPE >= 30300
    PyThreadState_Clear(tstate);
#endif
    PyEval_ReleaseThread(tstate);
    PyThreadState_Delete(tstate);
}

