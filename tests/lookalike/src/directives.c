/*
 * The directives. Each gets its own name by cmd->info.
 */

#include "mod_python.h"

static const char *const phases[] = {
    "PythonPostReadRequestHandler", "PythonTransHandler", "PythonHeaderParserHandler", "PythonInitHandler",
    "PythonAccessHandler", "PythonTypeHandler", "PythonFixupHandler", "PythonHandler", "PythonLogHandler",
};

int valid_phase(const char *phase)
{
    size_t i;

    for (i = 0; i < sizeof(phases) / sizeof(*phases); i++)
        if (strcmp(phase, phases[i]) == 0)
            return 1;
    return 0;
}

static py_config *server_config(cmd_parms *cmd)
{
    return ap_get_module_config(cmd->server->module_config, &python_module);
}

static void add_handlers(apr_pool_t *pool, py_config *conf, const char *phase, const char *handlers)
{
    hl_entry *list = apr_hash_get(conf->hlists, phase, APR_HASH_KEY_STRING);
    char *handler;

    while (*(handler = ap_getword_white(pool, &handlers)) != '\0') {
        if (list != NULL) {
            hlist_append(pool, list, handler, conf->config_dir, 0);
        } else {
            list = hlist_new(pool, handler, conf->config_dir, 0);
            apr_hash_set(conf->hlists, phase, APR_HASH_KEY_STRING, list);
        }
    }
}

/* Python...Handler: "module::object ...", or the same for files with some extensions: "module | .ext ..." */
static const char *set_handlers(cmd_parms *cmd, py_config *conf, const char *value)
{
    const char *phase = cmd->info, *extensions = strchr(value, '|');
    char *extension;

    if (extensions == NULL) {
        add_handlers(cmd->pool, conf, phase, value);
        return NULL;
    }
    value = apr_pstrmemdup(cmd->pool, value, extensions - value);
    extensions++;
    while (apr_isspace(*extensions))
        extensions++;
    while (*(extension = ap_getword_white(cmd->pool, &extensions)) != '\0')
        add_handlers(cmd->pool, conf, apr_pstrcat(cmd->pool, phase, extension, NULL), value);
    return NULL;
}

static const char *directive_handler(cmd_parms *cmd, void *conf, const char *value)
{
    return set_handlers(cmd, conf, value);
}

static const char *directive_server_handler(cmd_parms *cmd, void *unused, const char *value)
{
    return set_handlers(cmd, server_config(cmd), value);
}

/* A directive in a section counts for its server too, as in 3.1.x: PythonPath is read there when a child starts. */
static const char *directive_text(cmd_parms *cmd, void *conf, const char *value)
{
    apr_table_set(((py_config *)conf)->directives, cmd->info, value);
    apr_table_set(server_config(cmd)->directives, cmd->info, value);
    return NULL;
}

static const char *directive_flag(cmd_parms *cmd, void *conf, int on)
{
    const char *name = cmd->info;
    apr_table_t *tables[] = {((py_config *)conf)->directives, server_config(cmd)->directives};
    int i, both = strcmp(name, "PythonInterpPerDirectory") != 0;

    for (i = 0; i <= both; i++) {
        if (on)
            apr_table_set(tables[i], name, "1");
        else if (strcmp(name, "PythonAutoReload") == 0)
            /* On is the default, so Off has to be there to be seen. */
            apr_table_set(tables[i], name, "0");
        else
            apr_table_unset(tables[i], name);
    }
    return NULL;
}

static const char *directive_optimize(cmd_parms *cmd, void *unused, int on)
{
    if (on)
        Py_OptimizeFlag = 2;
    return NULL;
}

static const char *directive_option(cmd_parms *cmd, void *conf, const char *key, const char *value)
{
    apr_table_set(((py_config *)conf)->options, key, value);
    apr_table_set(server_config(cmd)->options, key, value);
    return NULL;
}

static const char *directive_import(cmd_parms *cmd, void *unused, const char *module_name, const char *interpreter)
{
    py_config *conf = server_config(cmd);

    if (conf->imports == NULL)
        conf->imports = hlist_new(cmd->pool, module_name, interpreter, 0);
    else
        hlist_append(cmd->pool, conf->imports, module_name, interpreter, 0);
    return NULL;
}

static py_handler *filter_handler(cmd_parms *cmd, py_config *conf, const char *handler)
{
    py_handler *made = apr_pcalloc(cmd->pool, sizeof(*made));

    made->handler = apr_pstrdup(cmd->pool, handler);
    made->dir = conf->config_dir;
    return made;
}

static const char *directive_input_filter(cmd_parms *cmd, void *mconfig, const char *handler, const char *name)
{
    py_config *conf = mconfig;
    ap_filter_rec_t *frec;

    frec = ap_register_input_filter(name == NULL ? handler : name, python_input_filter, NULL, AP_FTYPE_RESOURCE);
    apr_hash_set(conf->in_filters, frec->name, APR_HASH_KEY_STRING, filter_handler(cmd, conf, handler));
    return NULL;
}

static const char *directive_output_filter(cmd_parms *cmd, void *mconfig, const char *handler, const char *name)
{
    py_config *conf = mconfig;
    ap_filter_rec_t *frec;

    frec = ap_register_output_filter(name == NULL ? handler : name, python_output_filter, NULL, AP_FTYPE_RESOURCE);
    apr_hash_set(conf->out_filters, frec->name, APR_HASH_KEY_STRING, filter_handler(cmd, conf, handler));
    return NULL;
}

#define HANDLER(name, where) AP_INIT_RAW_ARGS(name, directive_handler, name, where, "handlers of this phase")
#define TEXT(name, help) AP_INIT_TAKE1(name, directive_text, name, OR_ALL, help)
#define FLAG(name, help) AP_INIT_FLAG(name, directive_flag, name, OR_ALL, help)

DIRECTIVES python_commands[] = {
    HANDLER("PythonPostReadRequestHandler", RSRC_CONF),
    HANDLER("PythonTransHandler", RSRC_CONF),
    HANDLER("PythonHeaderParserHandler", OR_ALL),
    HANDLER("PythonInitHandler", OR_ALL),
    HANDLER("PythonAccessHandler", OR_ALL),
    HANDLER("PythonTypeHandler", OR_ALL),
    HANDLER("PythonFixupHandler", OR_ALL),
    HANDLER("PythonHandler", OR_ALL),
    HANDLER("PythonLogHandler", OR_ALL),
    HANDLER("PythonCleanupHandler", OR_ALL),
    AP_INIT_RAW_ARGS("PythonConnectionHandler", directive_server_handler, "PythonConnectionHandler", RSRC_CONF,
                     "handlers of connections"),
    AP_INIT_TAKE12("PythonInputFilter", directive_input_filter, NULL, RSRC_CONF | ACCESS_CONF,
                   "module::object, and the name of the filter"),
    AP_INIT_TAKE12("PythonOutputFilter", directive_output_filter, NULL, RSRC_CONF | ACCESS_CONF,
                   "module::object, and the name of the filter"),
    AP_INIT_TAKE2("PythonImport", directive_import, NULL, RSRC_CONF,
                  "a module to import when a child starts, and the interpreter to do so in"),
    AP_INIT_TAKE2("PythonOption", directive_option, NULL, OR_ALL, "a key and its value, for handlers"),
    AP_INIT_FLAG("PythonOptimize", directive_optimize, NULL, RSRC_CONF, "python -OO"),
    TEXT("PythonPath", "a Python expression for sys.path"),
    TEXT("PythonInterpreter", "the name of the interpreter to use"),
    FLAG("PythonInterpPerDirectory", "an interpreter for each directory of files"),
    FLAG("PythonInterpPerDirective", "an interpreter for each section with a handler"),
    FLAG("PythonAutoReload", "whether changed modules are imported again"),
    FLAG("PythonDebug", "whether the client is shown errors"),
    FLAG("PythonEnablePdb", "whether handlers run in the debugger"),
    {NULL},
};
