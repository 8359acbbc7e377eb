/*
 * server_rec for Python.
 */

#include "mod_python.h"

PyObject *MpServer_FromServer(server_rec *s)
{
    serverobject *self = PyObject_New(serverobject, &MpServer_Type);

    if (self == NULL)
        return NULL;
    self->server = s;
    self->dict = NULL;
    return (PyObject *)self;
}

static void server_dealloc(PyObject *self)
{
    Py_XDECREF(((serverobject *)self)->dict);
    PyObject_Del(self);
}

static py_config *server_config(PyObject *self)
{
    return ap_get_module_config(((serverobject *)self)->server->module_config, &python_module);
}

static PyObject *server_get_config(PyObject *self, PyObject *unused)
{
    return MpTable_FromTable(server_config(self)->directives);
}

static PyObject *server_get_options(PyObject *self, PyObject *unused)
{
    return MpTable_FromTable(server_config(self)->options);
}

/* In 3.1 the interpreter's name stays where it is, in the pool of the request that registers: it is long gone when the
 * process ends and python_cleanup reads it. */
static PyObject *server_register_cleanup(PyObject *self, PyObject *args)
{
    PyObject *req, *handler, *data = Py_None;
    cleanup_info *info;

    if (!PyArg_ParseTuple(args, "OO|O", &req, &handler, &data))
        return NULL;
    if (!MpRequest_Check(req)) {
        PyErr_SetString(PyExc_ValueError, "the first argument must be the request");
        return NULL;
    }
    info = make_cleanup(handler, data, ((requestobject *)req)->interpreter);
    if (info == NULL)
        return NULL;
    info->server_rec = ((serverobject *)self)->server;
    apr_pool_cleanup_register(child_init_pool, info, python_cleanup, apr_pool_cleanup_null);
    Py_RETURN_NONE;
}

static PyObject *server_get_text(PyObject *self, void *offset)
{
    return text_from(*(const char **)((char *)((serverobject *)self)->server + (size_t)offset));
}

static PyObject *server_get_port(PyObject *self, void *unused)
{
    return PyInt_FromLong(((serverobject *)self)->server->port);
}

static PyMethodDef server_methods[] = {
    {"get_config", server_get_config, METH_NOARGS, "The directives of the server."},
    {"get_options", server_get_options, METH_NOARGS, "The PythonOptions of the server."},
    {"register_cleanup", server_register_cleanup, METH_VARARGS, "Has a function called when the process ends."},
    {NULL},
};

static PyGetSetDef server_getsets[] = {
    {"server_hostname", server_get_text, NULL, NULL, (void *)offsetof(server_rec, server_hostname)},
    {"server_admin", server_get_text, NULL, NULL, (void *)offsetof(server_rec, server_admin)},
    {"error_fname", server_get_text, NULL, NULL, (void *)offsetof(server_rec, error_fname)},
    {"port", server_get_port, NULL, NULL, NULL},
    {NULL},
};

PyTypeObject MpServer_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "mp_server",
    .tp_basicsize = sizeof(serverobject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_dealloc = server_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_setattro = PyObject_GenericSetAttr,
    .tp_dictoffset = offsetof(serverobject, dict),
    .tp_methods = server_methods,
    .tp_getset = server_getsets,
};
