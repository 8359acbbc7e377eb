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

/* The configuration of the directory is known by now: PythonInitHandler's turn, if it is there. */
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

#if SHAPE >= 30300
/* For other modules, which know 3.3 and later by it. */
PyObject *mp_acquire_interpreter(const char *name)
{
    interpreterdata *idata = get_interpreter(name);

    return idata == NULL ? NULL : idata->obcallback;
}

#endif
#if SHAPE >= 30500
const char mp_version_string[] = MPV_STRING;

#endif
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
