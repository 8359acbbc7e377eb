/**
 * pytho_cleanup
 *
 * Runs a function that req.register_cleanup or server.register_cleanup has registered, when the pool of the request or
 * of the process is destroyed. (The name's spelling is that of all releases, by which patches find this place.)
 */
apr_status_t python_cleanup(void *data)
{
    cleanup_info *info = data;
    server_rec *server = info->request_rec != NULL ? info->request_rec->server : info->server_rec;
    interpreterdata *idata = ENTER(info->interpreter, server);
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
#if SHAPE >= 30200
    free((void *)info->interpreter);
#endif
    free(info);
    if (idata != NULL)
        LEAVE(idata);
    return APR_SUCCESS;
}

