/* Makes an interpreter. The GIL is held, with no thread state before and after; while modules are imported it is given
 * up now and then, so another thread may come here for the same name. */
static PyInterpreterState *make_interpreter(const char *name, server_rec *srv)
{
    PyThreadState *before = HOST_STATE_BEFORE(), *first = Py_NewInterpreter();

    if (first == NULL) {
        COMPLAIN(srv, "make_interpreter: Py_NewInterpreter() gave no interpreter '%s'", name);
        return NULL;
    }
    PyThreadState_Swap(HOST_NO_STATE(before));
    return first->interp;
}

/* Makes the object whose methods are called for requests, in the current interpreter. */
static PyObject *make_obcallback(server_rec *s)
{
    PyObject *module, *callback = NULL;

    init_apache();
    module = PyImport_ImportModule(MODULENAME);
    if (module != NULL)
        callback = PyObject_CallMethod(module, INITFUNC, NULL);
    if (callback == NULL) {
        COMPLAIN(s, "make_obcallback: %s %s", module == NULL ? "cannot import" : "no callback from", MODULENAME);
        PyErr_Print();
    }
    return callback;
}

static interpreterdata *unwrap(PyObject *wrapped)
{
#if PY_MAJOR_VERSION >= 3
    return PyCapsule_GetPointer(wrapped, NULL);
#else
    return PyCObject_AsVoidPtr(wrapped);
#endif
}

static interpreterdata *add_interpreter(const char *name, server_rec *srv)
{
    PyInterpreterState *istate = make_interpreter(name, srv);
    interpreterdata *idata = istate == NULL ? NULL : calloc(1, sizeof(*idata));
    PyObject *wrapped;

    if (idata == NULL)
        return NULL;
    idata->istate = istate;
#if PY_MAJOR_VERSION >= 3
    wrapped = PyCapsule_New(idata, NULL, NULL);
#else
    wrapped = PyCObject_FromVoidPtr(idata, NULL);
#endif
    PyDict_SetItemString(interpreters, name, wrapped);
    return idata;
}

/* Finds or makes the interpreter of that name, and takes the GIL in it. NULL on failure, without the GIL; but with it
 * if the dict is absent, as after a graceful restart. */
static interpreterdata *get_interpreter(const char *name, server_rec *srv)
{
    interpreterdata *idata;
    PyThreadState *tstate;
    PyObject *known;

    if (name == NULL)
        name = MAIN_INTERPRETER;

    PyEval_AcquireLock();
    if (interpreters == NULL)
        return NULL;
    known = PyDict_GetItemString(interpreters, name);
    idata = known != NULL ? unwrap(known) : add_interpreter(name, srv);
    PyEval_ReleaseLock();

    if (idata == NULL) {
        COMPLAIN(srv, "get_interpreter: no interpreter '%s'", name);
        return NULL;
    }
    tstate = PyThreadState_New(idata->istate);
    PyEval_AcquireThread(tstate);
    if (idata->obcallback == NULL)
        idata->obcallback = make_obcallback(srv);
    if (idata->obcallback != NULL)
        return idata;
    PyEval_ReleaseThread(tstate);
    PyThreadState_Delete(tstate);
    return NULL;
}

/* Gives the GIL up, and the thread state with it, which is not cleared. */
static void release_interpreter(void)
{
    PyThreadState *tstate = PyThreadState_Get();

    PyEval_ReleaseThread(tstate);
    PyThreadState_Delete(tstate);
}

