static apr_status_t python_cleanup_handler(void *data);

/* The request's Python object, made in the first phase that needs it. */
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

/* The name of the interpreter that serves; NULL is the main one. `place` points to the directory of the directive. */
static const char *select_interp_name(request_rec *req, server_rec *server, py_config *conf,
                                      const char *const *place)
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
        return *place != NULL && **place != '\0' ? *place : NULL;
    return server->server_hostname;
}

/* The status in the dispatcher's answer. Read, and released, without the GIL, as in all releases. */
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

