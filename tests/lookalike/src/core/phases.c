/* Calls the handlers of a phase, if it has any. */
static int python_handler(request_rec *req, const char *phase)
{
    py_config *conf = ap_get_module_config(req->per_dir_config, &python_module);
    py_req_config *own = ap_get_module_config(req->request_config, &python_module);
    const char *ext = extension_of(req), *interp_name;
    hl_entry *hle = NULL, *dynhle = NULL;
#if SHAPE >= 30300
    hl_entry *hlohle;
#endif
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

#if SHAPE >= 30300
    hlohle = hlist_copy(req->pool, hle != NULL ? hle : dynhle);
    if (hle != NULL && dynhle != NULL)
        hlist_extend(req->pool, hlohle, dynhle);
#endif
#if SHAPE < 30300
    /* Of the directive's own entry, be there one or not (MODPYTHON-160). */
    interp_name = select_interp_name(req, req->server, conf, &hle->directory);
#else
    interp_name = select_interp_name(req, req->server, conf, &hlohle->directory);
#endif
    idata = ENTER(interp_name, req->server);
    if (idata == NULL)
        return HTTP_INTERNAL_SERVER_ERROR;
    request_obj = get_request_object(req, interp_name, phase);
    if (ext != NULL)
        request_obj->extension = apr_pstrdup(req->pool, ext);
#if SHAPE < 30200
    /* The list of the phase before is forgotten, not given up; without a directive for this phase NULL is copied. */
    request_obj->hlo = (hlistobject *)MpHList_FromHLEntry(hle);
    if (dynhle != NULL)
        MpHList_Append(request_obj->hlo, dynhle);
#elif SHAPE < 30300
    /* The list of the phase before is forgotten, not given up. */
    if (hle == NULL) {
        request_obj->hlo = (hlistobject *)MpHList_FromHLEntry(dynhle);
    } else {
        request_obj->hlo = (hlistobject *)MpHList_FromHLEntry(hle);
        if (dynhle != NULL)
            MpHList_Append(request_obj->hlo, dynhle);
    }
#else
    /* The list of the phase before is given up here, and the field still points to it during the next call. */
    Py_XDECREF(request_obj->hlo);
    request_obj->hlo = (hlistobject *)MpHList_FromHLEntry(hlohle);
#endif
    resultobject = PyObject_CallMethod(idata->obcallback, "HandlerDispatch", "O", request_obj);
#if SHAPE >= 30300
    Py_XDECREF(request_obj->phase);
    request_obj->phase = NULL;
#endif
    LEAVE(idata);

    return status_of(resultobject, req->server, "python_handler");
}

/* The end of a request that has a Python object: PythonCleanupHandler, then the object, in the main interpreter. */
static apr_status_t python_cleanup_handler(void *data)
{
    request_rec *req = data;
    apr_status_t status = python_handler(req, "PythonCleanupHandler");
    py_req_config *own = ap_get_module_config(req->request_config, &python_module);

    if (own != NULL && own->request_obj != NULL) {
        interpreterdata *idata = ENTER(NULL, req->server);

        if (idata != NULL) {
            Py_DECREF(own->request_obj);
            LEAVE(idata);
        }
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
    idata = ENTER(select_interp_name(NULL, con->base_server, conf, &hle->directory), con->base_server);
    if (idata == NULL)
        return HTTP_INTERNAL_SERVER_ERROR;
    conn_obj = (connobject *)MpConn_FromConn(con);
    conn_obj->hlo = (hlistobject *)MpHList_FromHLEntry(hle);
    resultobject = PyObject_CallMethod(idata->obcallback, "ConnectionDispatch", "O", conn_obj);
    LEAVE(idata);

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
    PyObject *resultobject;

    if (f->ctx == NULL)
        f->ctx = apr_pcalloc(req->pool, sizeof(python_filter_ctx));
    /* The directive may be in another section than the one that serves the request now. */
    if (fh == NULL || ((python_filter_ctx *)f->ctx)->transparent)
        return is_input ? ap_get_brigade(f->next, bb, mode, block, readbytes) : ap_pass_brigade(f->next, bb);

    interp_name = select_interp_name(req, req->server, conf, (const char *const *)&fh->dir);
    idata = ENTER(interp_name, req->server);
    if (idata == NULL)
        return HTTP_INTERNAL_SERVER_ERROR;
    filter = (filterobject *)MpFilter_FromFilter(f, bb, is_input, mode, readbytes, fh->handler, fh->dir);
    filter->request_obj = get_request_object(req, interp_name, is_input ? "PythonInputFilter" : "PythonOutputFilter");
    Py_INCREF(filter->request_obj);
    resultobject = PyObject_CallMethod(idata->obcallback, "FilterDispatch", "O", filter);
    /* Python 2's macro looks at its argument several times. */
    Py_XDECREF(resultobject);
    LEAVE(idata);

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

