/* The path of 3.5: no lock but the GIL, which is taken by the one state that all threads share. */
static void release_interpreter(interpreterdata *idata);

/* Makes the object whose methods are called for requests, in the current interpreter. */
static PyObject *make_obcallback(const char *name)
{
    PyObject *module = PyImport_ImportModule(MODULENAME), *callback = NULL;

    if (module != NULL)
        callback = PyObject_CallMethod(module, INITFUNC, "sO", name, MpServer_FromServer(main_server));
    if (callback == NULL) {
        COMPLAIN(main_server, "make_obcallback: %s %s", module == NULL ? "cannot import" : "no callback from",
                 MODULENAME);
        PyErr_Print();
    }
    Py_XDECREF(module);
    return callback;
}

/* Keeps an interpreter under its name, which stays where it is: PythonInterpPerDirectory has it in a request's pool. */
static interpreterdata *save_interpreter(const char *name, PyThreadState *tstate)
{
    interpreterdata *idata = calloc(1, sizeof(*idata));

    if (idata == NULL)
        return NULL;
    idata->tstates = apr_array_make(interp_pool, 128, sizeof(PyThreadState *));
    idata->interp = tstate->interp;
    apr_hash_set(interpreters, name, APR_HASH_KEY_STRING, idata);
    return idata;
}

/* Finds or makes the interpreter of that name, and takes the GIL in it. NULL on failure: without the GIL if it is the
 * callback that has failed. */
static interpreterdata *get_interpreter(const char *name)
{
    interpreterdata *idata;
    PyThreadState *tstate;

    if (name == NULL)
        name = MAIN_INTERPRETER;
    PyEval_RestoreThread(global_tstate);
    idata = apr_hash_get(interpreters, name, APR_HASH_KEY_STRING);
    if (idata == NULL) {
        tstate = Py_NewInterpreter();
        idata = tstate == NULL ? NULL : save_interpreter(name, tstate);
        if (idata == NULL) {
            COMPLAIN(main_server, "get_interpreter: no interpreter '%s'", name);
            return NULL;
        }
    } else {
        PyThreadState **idle = apr_array_pop(idata->tstates);

        tstate = idle == NULL ? PyThreadState_New(idata->interp) : *idle;
        PyThreadState_Swap(tstate);
    }
    if (idata->obcallback == NULL) {
        idata->obcallback = make_obcallback(name);
        if (idata->obcallback == NULL) {
            release_interpreter(idata);
            return NULL;
        }
    }
    return idata;
}

/* Gives the GIL up. The thread state keeps its data and waits for the next request, which takes it. */
static void release_interpreter(interpreterdata *idata)
{
    PyThreadState *tstate = PyThreadState_Get();

    if (idata != NULL)
        *(PyThreadState **)apr_array_push(idata->tstates) = tstate;
    else
        PyThreadState_Delete(tstate);
    PyEval_ReleaseThread(tstate);
}

