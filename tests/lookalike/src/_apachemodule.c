/*
 * The built-in module _apache: what mod_python/apache.py needs of httpd.
 */

#include "mod_python.h"

static PyObject *log_error(PyObject *self, PyObject *args)
{
    const char *text;
    int level = APLOG_ERR;
    PyObject *server = Py_None;
    server_rec *s = NULL;

    if (!PyArg_ParseTuple(args, "s|iO", &text, &level, &server))
        return NULL;
    if (server != Py_None) {
        if (Py_TYPE(server) != &MpServer_Type) {
            PyErr_SetString(PyExc_TypeError, "the third argument must be a server");
            return NULL;
        }
        s = ((serverobject *)server)->server;
    }
    ap_log_error(APLOG_MARK, level & APLOG_LEVELMASK, 0, s, "%s", text);
    Py_RETURN_NONE;
}

static PyObject *server_root(PyObject *self, PyObject *unused)
{
    return text_from(ap_server_root);
}

/* Takes or gives up the lock of a session; without the GIL, since another process may have it. */
static PyObject *use_lock(PyObject *args, apr_status_t (*use)(apr_global_mutex_t *))
{
    apr_status_t rc;
    int number;

    if (!PyArg_ParseTuple(args, "i", &number))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    rc = use(session_locks[number % SESSION_LOCKS]);
    Py_END_ALLOW_THREADS
    if (rc != APR_SUCCESS) {
        PyErr_Format(PyExc_ValueError, "the lock of the session cannot be used: %d", (int)rc);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *global_lock(PyObject *self, PyObject *args)
{
    return use_lock(args, apr_global_mutex_lock);
}

static PyObject *global_unlock(PyObject *self, PyObject *args)
{
    return use_lock(args, apr_global_mutex_unlock);
}

/* Pairs of a query, as they are. Up to 3.1 each pair that is appended is given up by nobody. */
static PyObject *parse_qsl(PyObject *self, PyObject *args)
{
    PyObject *pairs;
    const char *text;
    char *copy, *rest = NULL, *part;

    if (!PyArg_ParseTuple(args, "s", &text))
        return NULL;
    pairs = PyList_New(0);
    copy = strdup(text);
    for (part = strtok_r(copy, "&", &rest); part != NULL; part = strtok_r(NULL, "&", &rest)) {
        char *value = strchr(part, '=');
        PyObject *pair;

        if (value == NULL)
            continue;
        *value++ = '\0';
        pair = Py_BuildValue("(s,s)", part, value);
        PyList_Append(pairs, pair);
#if HOST_SHAPE >= 30200
        Py_DECREF(pair);
#endif
    }
    free(copy);
    return pairs;
}

static PyMethodDef methods[] = {
    {"_global_lock", global_lock, METH_VARARGS, "Takes the lock of a session."},
    {"_global_unlock", global_unlock, METH_VARARGS, "Gives it up."},
    {"parse_qsl", parse_qsl, METH_VARARGS, "Pairs of a query."},
    {"log_error", log_error, METH_VARARGS, "Writes a line to the error log."},
    {"server_root", server_root, METH_NOARGS, "The ServerRoot."},
    {NULL},
};

#if PY_MAJOR_VERSION >= 3
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_apache", .m_size = -1, .m_methods = methods,
};
#endif

static int ready_types(void)
{
    PyTypeObject *types[] = {
        &MpTable_Type, &MpServer_Type, &MpConn_Type, &MpRequest_Type, &MpFilter_Type, &MpHList_Type,
    };
    size_t i;

    for (i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (PyType_Ready(types[i]) < 0)
            return -1;
    return 0;
}

/* Puts _apache into sys.modules of the current interpreter: in each as all releases before 3.5 do, without Python's
 * table of built-in modules, which must not be changed once Python runs. Errors show at the import that follows. On
 * Python 2 that table, which 3.5 uses, has this very function. */
void init_apache(void)
{
    PyObject *m;

    if (ready_types() < 0)
        return;
#if PY_MAJOR_VERSION >= 3
    m = PyModule_Create(&definition);
    if (m == NULL)
        return;
    PyModule_AddIntConstant(m, "shape", HOST_SHAPE);
    PyDict_SetItemString(PyImport_GetModuleDict(), "_apache", m);
    Py_DECREF(m);
#else
    m = Py_InitModule("_apache", methods);
    if (m != NULL)
        PyModule_AddIntConstant(m, "shape", HOST_SHAPE);
#endif
}

#if PY_MAJOR_VERSION >= 3
/* The entry in the table of built-in modules in 3.5. */
PyObject *PyInit_apache(void)
{
    PyObject *m = ready_types() < 0 ? NULL : PyModule_Create(&definition);

    if (m != NULL)
        PyModule_AddIntConstant(m, "shape", HOST_SHAPE);
    return m;
}
#endif
