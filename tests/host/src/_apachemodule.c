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

static PyMethodDef methods[] = {
    {"log_error", log_error, METH_VARARGS, "Writes a line to the error log."},
    {"server_root", server_root, METH_NOARGS, "The ServerRoot."},
    {NULL},
};

#if PY_MAJOR_VERSION >= 3
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_apache", .m_size = -1, .m_methods = methods,
};
#endif

/* Puts _apache into sys.modules of the current interpreter: in each as 3.1.x does, without Python's table of built-in
 * modules, which must not be changed once Python runs. Errors show at the import that follows. */
void init_apache(void)
{
    PyTypeObject *types[] = {
        &MpTable_Type, &MpServer_Type, &MpConn_Type, &MpRequest_Type, &MpFilter_Type, &MpHList_Type,
    };
    PyObject *m;
    size_t i;

    for (i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (PyType_Ready(types[i]) < 0)
            return;
#if PY_MAJOR_VERSION >= 3
    m = PyModule_Create(&definition);
    if (m == NULL)
        return;
    PyDict_SetItemString(PyImport_GetModuleDict(), "_apache", m);
    Py_DECREF(m);
#else
    m = Py_InitModule("_apache", methods);
    (void)m;
#endif
}
