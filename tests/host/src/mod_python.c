/*
 * A small mod_python in the shape of 3.1.x, for tests: see README.md, which says what is broken on purpose.
 */

#include "mod_python.h"

static PyObject *interpreters = NULL;

apr_pool_t *child_init_pool = NULL;

#define COMPLAIN(srv, ...) ap_log_error(APLOG_MARK, APLOG_ERR, 0, srv, __VA_ARGS__)

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
 * where there is no dict, as after a graceful restart. */
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

/**
 * pytho_cleanup
 *
 * What req.register_cleanup and server.register_cleanup have registered runs here, when the pool of the request or of
 * the process is destroyed. (The name's spelling is that of 3.1.x, by which patches find this place.)
 */
apr_status_t python_cleanup(void *data)
{
    cleanup_info *info = data;
    server_rec *server = info->request_rec != NULL ? info->request_rec->server : info->server_rec;
    interpreterdata *idata = get_interpreter(info->interpreter, server);
    PyObject *result;

    if (idata != NULL) {
        result = PyObject_CallFunction(info->handler, "O", info->data);
        if (result == NULL) {
            COMPLAIN(server, "python_cleanup: a cleanup failed; its error follows on standard error");
            PyErr_Print();
        }
        Py_XDECREF(result);
    }
    Py_DECREF(info->handler);
    Py_DECREF(info->data);
    free(info);
    if (idata != NULL)
        release_interpreter();
    return APR_SUCCESS;
}

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
    return OK;
}

static py_config *new_config(apr_pool_t *p)
{
    py_config *conf = apr_pcalloc(p, sizeof(*conf));

    conf->directives = apr_table_make(p, 4);
    conf->options = apr_table_make(p, 4);
    conf->hlists = apr_hash_make(p);
    conf->in_filters = apr_hash_make(p);
    conf->out_filters = apr_hash_make(p);
    return conf;
}

static void *python_create_dir_config(apr_pool_t *p, char *dir)
{
    py_config *conf = new_config(p);

    if (dir != NULL && *dir != '\0' && dir[strlen(dir) - 1] != '/')
        conf->config_dir = apr_pstrcat(p, dir, "/", NULL);
    else
        conf->config_dir = apr_pstrdup(p, dir);
    return conf;
}

static void *python_create_srv_config(apr_pool_t *p, server_rec *srv)
{
    return new_config(p);
}

static void lay_over(apr_hash_t *below, apr_hash_t *above, apr_pool_t *p)
{
    apr_hash_index_t *at;

    for (at = apr_hash_first(p, above); at != NULL; at = apr_hash_next(at)) {
        const void *key;
        apr_ssize_t length;
        void *value;

        apr_hash_this(at, &key, &length, &value);
        apr_hash_set(below, key, length, value);
    }
}

/* What is in `newer` counts. apr_table_overlap allocates in the pool of its second table, here one of the whole
 * process, and this runs for each request, in all threads at once (MODPYTHON-75). */
static void *python_merge_config(apr_pool_t *p, void *older, void *newer)
{
    py_config *merged = new_config(p), *layers[] = {older, newer};
    int i;

    for (i = 0; i < 2; i++) {
        if (layers[i]->config_dir != NULL)
            merged->config_dir = apr_pstrdup(p, layers[i]->config_dir);
        apr_table_overlap(merged->directives, layers[i]->directives, APR_OVERLAP_TABLES_SET);
        apr_table_overlap(merged->options, layers[i]->options, APR_OVERLAP_TABLES_SET);
        lay_over(merged->hlists, layers[i]->hlists, p);
        lay_over(merged->in_filters, layers[i]->in_filters, p);
        lay_over(merged->out_filters, layers[i]->out_filters, p);
    }
    return merged;
}

static apr_status_t python_cleanup_handler(void *data);

/* The object that stands for the request, made in the first phase that needs it. */
static requestobject *get_request_object(request_rec *req, const char *interp_name, const char *phase)
{
    py_req_config *own = ap_get_module_config(req->request_config, &python_module);

    if (own == NULL) {
        Py_BEGIN_ALLOW_THREADS
        ap_add_cgi_vars(req);
        Py_END_ALLOW_THREADS
        own = apr_pcalloc(req->pool, sizeof(*own));
        own->request_obj = (requestobject *)MpRequest_FromRequest(req);
        if (own->request_obj == NULL)
            return NULL;
        own->dynhls = apr_hash_make(req->pool);
        ap_set_module_config(req->request_config, &python_module, own);
        apr_pool_cleanup_register(req->pool, req, python_cleanup_handler, apr_pool_cleanup_null);
    }
    own->request_obj->interpreter = apr_pstrdup(req->pool, interp_name != NULL ? interp_name : MAIN_INTERPRETER);
    Py_XDECREF(own->request_obj->phase);
    own->request_obj->phase = text_from(phase);
    return own->request_obj;
}

/* The name of the interpreter that serves; NULL is the main one. `place` is where the handler's directive stands. */
static const char *select_interp_name(request_rec *req, server_rec *server, py_config *conf, const char *place)
{
    const char *forced = apr_table_get(conf->directives, "PythonInterpreter");

    if (forced != NULL)
        return forced;
    if (apr_table_get(conf->directives, "PythonInterpPerDirectory") != NULL) {
        const char *file = req == NULL ? NULL : req->filename;

        if (file == NULL)
            return NULL;
        if (ap_is_directory(req->pool, file))
            file = apr_pstrcat(req->pool, file, "/", NULL);
        return ap_make_dirstr_parent(req->pool, file);
    }
    if (apr_table_get(conf->directives, "PythonInterpPerDirective") != NULL)
        return place != NULL && *place != '\0' ? place : NULL;
    return server->server_hostname;
}

/* What the dispatcher's answer means to httpd. Looked at, and given up, without the GIL, as in 3.1.x. */
static int status_of(PyObject *resultobject, server_rec *s, const char *who)
{
    int result = HTTP_INTERNAL_SERVER_ERROR;

    if (resultobject == NULL) {
        COMPLAIN(s, "%s: the dispatcher returned nothing", who);
        return result;
    }
    if (PyInt_Check(resultobject))
        result = PyInt_AsLong(resultobject);
    else
        COMPLAIN(s, "%s: the dispatcher returned a non-integer", who);
    Py_DECREF(resultobject);
    return result;
}

/* From the first dot of the file's name on, or NULL. */
static const char *extension_of(request_rec *req)
{
    const char *slash = req->filename == NULL ? NULL : ap_strrchr_c(req->filename, '/');
    const char *file = slash == NULL ? req->filename : slash + 1;

    return file == NULL ? NULL : ap_strchr_c(file, '.');
}

/* Calls the handlers of a phase, if it has any. */
static int python_handler(request_rec *req, const char *phase)
{
    py_config *conf = ap_get_module_config(req->per_dir_config, &python_module);
    py_req_config *own = ap_get_module_config(req->request_config, &python_module);
    const char *ext = extension_of(req), *interp_name;
    hl_entry *hle = NULL, *dynhle = NULL;
    interpreterdata *idata;
    requestobject *request_obj;
    PyObject *resultobject;

    if (ext != NULL)
        hle = apr_hash_get(conf->hlists, apr_pstrcat(req->pool, phase, ext, NULL), APR_HASH_KEY_STRING);
    if (hle == NULL) {
        hle = apr_hash_get(conf->hlists, phase, APR_HASH_KEY_STRING);
        ext = NULL;
    }
    if (own != NULL)
        dynhle = apr_hash_get(own->dynhls, phase, APR_HASH_KEY_STRING);
    if (hle == NULL && dynhle == NULL)
        return DECLINED;

    interp_name = select_interp_name(req, req->server, conf, hle == NULL ? NULL : hle->directory);
    idata = get_interpreter(interp_name, req->server);
    if (idata == NULL)
        return HTTP_INTERNAL_SERVER_ERROR;
    request_obj = get_request_object(req, interp_name, phase);
    if (ext != NULL)
        request_obj->extension = apr_pstrdup(req->pool, ext);
    /* The list of the phase before is forgotten, not given up; without a directive for this phase NULL is copied. */
    request_obj->hlo = (hlistobject *)MpHList_FromHLEntry(hle);
    if (dynhle != NULL)
        MpHList_Append(request_obj->hlo, dynhle);
    resultobject = PyObject_CallMethod(idata->obcallback, "HandlerDispatch", "O", request_obj);
    release_interpreter();

    return status_of(resultobject, req->server, "python_handler");
}

/* The end of a request that has a Python object: PythonCleanupHandler, then the object, in the main interpreter. */
static apr_status_t python_cleanup_handler(void *data)
{
    request_rec *req = data;
    apr_status_t status = python_handler(req, "PythonCleanupHandler");
    py_req_config *own = ap_get_module_config(req->request_config, &python_module);

    if (own != NULL && own->request_obj != NULL && get_interpreter(NULL, req->server) != NULL) {
        Py_DECREF(own->request_obj);
        release_interpreter();
    }
    return status;
}

static int python_connection(conn_rec *con)
{
    py_config *conf = ap_get_module_config(con->base_server->module_config, &python_module);
    hl_entry *hle = apr_hash_get(conf->hlists, "PythonConnectionHandler", APR_HASH_KEY_STRING);
    interpreterdata *idata;
    connobject *conn_obj;
    PyObject *resultobject;

    if (hle == NULL)
        return DECLINED;
    idata = get_interpreter(select_interp_name(NULL, con->base_server, conf, hle->directory), con->base_server);
    if (idata == NULL)
        return HTTP_INTERNAL_SERVER_ERROR;
    conn_obj = (connobject *)MpConn_FromConn(con);
    conn_obj->hlo = (hlistobject *)MpHList_FromHLEntry(hle);
    resultobject = PyObject_CallMethod(idata->obcallback, "ConnectionDispatch", "O", conn_obj);
    release_interpreter();

    return status_of(resultobject, con->base_server, "python_connection");
}

/* Calls a filter. Past an error of Python's the data goes by it, so that the error itself can be sent. */
static apr_status_t python_filter(int is_input, ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
                                  apr_read_type_e block, apr_size_t readbytes)
{
    request_rec *req = f->r;
    py_config *conf = ap_get_module_config(req->per_dir_config, &python_module);
    py_handler *fh = apr_hash_get(is_input ? conf->in_filters : conf->out_filters, f->frec->name, APR_HASH_KEY_STRING);
    const char *interp_name;
    interpreterdata *idata;
    filterobject *filter;

    if (f->ctx == NULL)
        f->ctx = apr_pcalloc(req->pool, sizeof(python_filter_ctx));
    /* The directive may stand in another section than the one that serves the request now. */
    if (fh == NULL || ((python_filter_ctx *)f->ctx)->transparent)
        return is_input ? ap_get_brigade(f->next, bb, mode, block, readbytes) : ap_pass_brigade(f->next, bb);

    interp_name = select_interp_name(req, req->server, conf, fh->dir);
    idata = get_interpreter(interp_name, req->server);
    if (idata == NULL)
        return HTTP_INTERNAL_SERVER_ERROR;
    filter = (filterobject *)MpFilter_FromFilter(f, bb, is_input, mode, readbytes, fh->handler, fh->dir);
    filter->request_obj = get_request_object(req, interp_name, is_input ? "PythonInputFilter" : "PythonOutputFilter");
    Py_INCREF(filter->request_obj);
    Py_XDECREF(PyObject_CallMethod(idata->obcallback, "FilterDispatch", "O", filter));
    release_interpreter();

    return filter->rc;
}

apr_status_t python_input_filter(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode, apr_read_type_e block,
                                 apr_off_t readbytes)
{
    return python_filter(1, f, bb, mode, block, readbytes);
}

apr_status_t python_output_filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    return python_filter(0, f, bb, 0, 0, 0);
}

/* The end of the process. It may run in a signal's handler, and wait there for the GIL (MODPYTHON-109). */
static apr_status_t python_finalize(void *data)
{
    if (get_interpreter(NULL, NULL) != NULL) {
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

static void PythonChildInitHandler(apr_pool_t *p, server_rec *s)
{
    py_config *conf = ap_get_module_config(s->module_config, &python_module);
    const char *path = apr_table_get(conf->directives, "PythonPath");
    hl_entry *import;

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

    /* The first to be registered is the last to run. */
    apr_pool_cleanup_register(p, NULL, python_finalize, apr_pool_cleanup_null);
    child_init_pool = p;

    for (import = conf->imports; import != NULL; import = import->next) {
        if (get_interpreter(import->directory, s) == NULL)
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
}

#define PHASE(phase)                         \
    static int phase(request_rec *req)       \
    {                                        \
        return python_handler(req, #phase);  \
    }

PHASE(PythonTransHandler)
PHASE(PythonAccessHandler)
PHASE(PythonTypeHandler)
PHASE(PythonFixupHandler)
PHASE(PythonLogHandler)

static int PythonPostReadRequestHandler(request_rec *req)
{
    int result = python_handler(req, "PythonInitHandler");

    apr_table_set(req->notes, "python_init_ran", "1");
    return result == OK || result == DECLINED ? python_handler(req, "PythonPostReadRequestHandler") : result;
}

/* The configuration of the directory is known by now: PythonInitHandler's turn, if it stands there. */
static int PythonHeaderParserHandler(request_rec *req)
{
    int result = OK;

    if (apr_table_get(req->notes, "python_init_ran") == NULL)
        result = python_handler(req, "PythonInitHandler");
    return result == OK || result == DECLINED ? python_handler(req, "PythonHeaderParserHandler") : result;
}

static int PythonHandler(request_rec *req)
{
    if (req->handler == NULL)
        return DECLINED;
    if (strcmp(req->handler, "mod_python") != 0 && strcmp(req->handler, "python-program") != 0)
        return DECLINED;
    return python_handler(req, "PythonHandler");
}

static void python_register_hooks(apr_pool_t *p)
{
    ap_hook_post_config(python_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(PythonChildInitHandler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_process_connection(python_connection, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_read_request(PythonPostReadRequestHandler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_translate_name(PythonTransHandler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_header_parser(PythonHeaderParserHandler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_access_checker(PythonAccessHandler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_type_checker(PythonTypeHandler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_fixups(PythonFixupHandler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(PythonHandler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_log_transaction(PythonLogHandler, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(python) = {
    STANDARD20_MODULE_STUFF,
    python_create_dir_config,
    python_merge_config,
    python_create_srv_config,
    python_merge_config,
    python_commands,
    python_register_hooks,
};
