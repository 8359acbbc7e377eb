static int python_init(apr_pool_t *p, apr_pool_t *ptemp, apr_pool_t *plog, server_rec *s)
{
    static const char key[] = "python_init";
    void *seen = NULL;

    /* httpd reads its configuration twice when it starts, and loads this module anew in between. */
    apr_pool_userdata_get(&seen, key, s->process->pool);
    if (seen == NULL) {
        apr_pool_userdata_set(key, key, apr_pool_cleanup_null, s->process->pool);
        return OK;
    }
    ap_add_version_component(p, VERSION_COMPONENT);
    ap_add_version_component(p, apr_psprintf(p, "Python/%d.%d", PY_MAJOR_VERSION, PY_MINOR_VERSION));

#if SHAPE >= 30300
    main_server = s;
#endif
    if (init_mutexes(s, p) != APR_SUCCESS)
        return HTTP_INTERNAL_SERVER_ERROR;

#if SHAPE < 30200
    if (!Py_IsInitialized()) {
        PyThreadState *before;

        Py_Initialize();
        PyEval_InitThreads();
        before = HOST_STATE_BEFORE();
        PyThreadState_Swap(HOST_NO_STATE(before));
        interpreters = PyDict_New();
        if (interpreters == NULL) {
            COMPLAIN(s, "python_init: no memory for the interpreters");
            exit(1);
        }
        PyEval_ReleaseLock();
    }
#else
    static int initialized = 0;

    if (initialized && Py_IsInitialized())
        return OK;
    initialized = 1;
#if SHAPE < 30500
    Py_Initialize();
    apr_thread_mutex_create(&interpreters_lock, APR_THREAD_MUTEX_UNNESTED, p);
    PyEval_InitThreads();
#if SHAPE < 30210
    PyThreadState_Swap(NULL);
#endif
    interpreters = PyDict_New();
    if (interpreters == NULL) {
        COMPLAIN(s, "python_init: no memory for the interpreters");
        exit(1);
    }
    /* From 3.2.9 on the state stays current in a thread that has given the GIL up. */
    PyEval_ReleaseLock();
#else
    PyImport_AppendInittab("_apache", HOST_INIT_APACHE);
    Py_Initialize();
    PyEval_InitThreads();
    interpreters = apr_hash_make(p);
    interp_pool = p;
    global_tstate = PyEval_SaveThread();
#endif
#endif
    return OK;
}

