/*
 * conn_rec for Python.
 */

#include "mod_python.h"

PyObject *MpConn_FromConn(conn_rec *c)
{
    connobject *self = PyObject_New(connobject, &MpConn_Type);

    if (self == NULL)
        return NULL;
    self->conn = c;
    self->hlo = NULL;
    return (PyObject *)self;
}

static void conn_dealloc(PyObject *self)
{
    Py_XDECREF((PyObject *)((connobject *)self)->hlo);
    PyObject_Del(self);
}

static PyObject *conn_write(PyObject *self, PyObject *what)
{
    conn_rec *c = ((connobject *)self)->conn;
    apr_bucket_brigade *brigade;
    apr_status_t status;
    const char *data;
    Py_ssize_t length;

    if (octets_of(what, &data, &length) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    brigade = apr_brigade_create(c->pool, c->bucket_alloc);
    ap_fwrite(c->output_filters, brigade, data, length);
    status = ap_fflush(c->output_filters, brigade);
    Py_END_ALLOW_THREADS
    if (status != APR_SUCCESS) {
        PyErr_SetString(PyExc_IOError, "Write failed, the client has closed the connection.");
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *conn_get_base_server(PyObject *self, void *unused)
{
    return MpServer_FromServer(((connobject *)self)->conn->base_server);
}

static PyObject *conn_get_hlist(PyObject *self, void *unused)
{
    PyObject *list = (PyObject *)((connobject *)self)->hlo;

    if (list == NULL)
        Py_RETURN_NONE;
    Py_INCREF(list);
    return list;
}

static PyObject *conn_get_text(PyObject *self, void *offset)
{
    return text_from(*(const char **)((char *)((connobject *)self)->conn + (size_t)offset));
}

static PyMethodDef conn_methods[] = {
    {"write", conn_write, METH_O, "Sends to the client."},
    {NULL},
};

static PyGetSetDef conn_getsets[] = {
    {"base_server", conn_get_base_server, NULL, NULL, NULL},
    {"hlist", conn_get_hlist, NULL, NULL, NULL},
    {"remote_ip", conn_get_text, NULL, NULL, (void *)offsetof(conn_rec, client_ip)},
    {"local_ip", conn_get_text, NULL, NULL, (void *)offsetof(conn_rec, local_ip)},
    {NULL},
};

PyTypeObject MpConn_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "mp_conn",
    .tp_basicsize = sizeof(connobject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_dealloc = conn_dealloc,
    .tp_methods = conn_methods,
    .tp_getset = conn_getsets,
};
