/*
 * request_rec for Python.
 */

#include "mod_python.h"

static request_rec *rec(PyObject *self)
{
    return ((requestobject *)self)->request_rec;
}

PyObject *MpRequest_FromRequest(request_rec *r)
{
    requestobject *self = PyObject_New(requestobject, &MpRequest_Type);

    if (self == NULL)
        return NULL;
    self->request_rec = r;
    self->dict = self->phase = NULL;
    self->extension = self->interpreter = NULL;
    self->hlo = NULL;
    return (PyObject *)self;
}

static void request_dealloc(PyObject *self)
{
    requestobject *request = (requestobject *)self;

    Py_XDECREF(request->dict);
    Py_XDECREF(request->phase);
    Py_XDECREF((PyObject *)request->hlo);
    PyObject_Del(self);
}

static py_config *config_of(PyObject *self)
{
    return ap_get_module_config(rec(self)->per_dir_config, &python_module);
}

static PyObject *req_get_config(PyObject *self, PyObject *unused)
{
    return MpTable_FromTable(config_of(self)->directives);
}

static PyObject *req_get_options(PyObject *self, PyObject *unused)
{
    return MpTable_FromTable(config_of(self)->options);
}

/* httpd sends the header with the first bytes of the body. */
static PyObject *req_send_http_header(PyObject *self, PyObject *unused)
{
    Py_RETURN_NONE;
}

static PyObject *write_failed(void)
{
    PyErr_SetString(PyExc_IOError, "Write failed, the client has closed the connection.");
    return NULL;
}

static PyObject *req_write(PyObject *self, PyObject *args)
{
    PyObject *what;
    const char *data;
    Py_ssize_t length;
    int flush = 1, rc;

    if (!PyArg_ParseTuple(args, "O|i", &what, &flush) || octets_of(what, &data, &length) < 0)
        return NULL;
    if (length == 0)
        Py_RETURN_NONE;
    Py_BEGIN_ALLOW_THREADS
    rc = ap_rwrite(data, (int)length, rec(self));
    if (rc >= 0 && flush)
        rc = ap_rflush(rec(self));
    Py_END_ALLOW_THREADS
    if (rc < 0)
        return write_failed();
    Py_RETURN_NONE;
}

static PyObject *req_flush(PyObject *self, PyObject *unused)
{
    int rc;

    Py_BEGIN_ALLOW_THREADS
    rc = ap_rflush(rec(self));
    Py_END_ALLOW_THREADS
    if (rc < 0)
        return write_failed();
    Py_RETURN_NONE;
}

/* The body of the request: all that is left of it, or so many bytes at most. */
static PyObject *req_read(PyObject *self, PyObject *args)
{
    request_rec *r = rec(self);
    Py_ssize_t wanted = -1, got = 0, size = 0;
    char *buffer = NULL;
    long piece = 1;
    PyObject *result;

    if (!PyArg_ParseTuple(args, "|n", &wanted))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    if (r->read_length == 0 && !r->expecting_100 && ap_setup_client_block(r, REQUEST_CHUNKED_DECHUNK) != OK)
        piece = -1;
    else if (!r->read_length && !ap_should_client_block(r))
        piece = 0;
    while (piece > 0 && got != wanted) {
        if (got == size) {
            size = wanted >= 0 ? wanted : size + HUGE_STRING_LEN;
            buffer = realloc(buffer, size);
            ap_assert(buffer != NULL);
        }
        piece = ap_get_client_block(r, buffer + got, size - got);
        got += piece > 0 ? piece : 0;
    }
    Py_END_ALLOW_THREADS
    if (piece < 0) {
        free(buffer);
        PyErr_SetString(PyExc_IOError, "Client read error");
        return NULL;
    }
    result = octets_from(buffer, got);
    free(buffer);
    return result;
}

static PyObject *req_discard_request_body(PyObject *self, PyObject *unused)
{
    int rc;

    Py_BEGIN_ALLOW_THREADS
    rc = ap_discard_request_body(rec(self));
    Py_END_ALLOW_THREADS
    return PyInt_FromLong(rc);
}

static PyObject *req_internal_redirect(PyObject *self, PyObject *args)
{
    const char *uri;

    if (!PyArg_ParseTuple(args, "s", &uri))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    ap_internal_redirect(uri, rec(self));
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *req_log_error(PyObject *self, PyObject *args)
{
    const char *text;
    int level = APLOG_ERR;

    if (!PyArg_ParseTuple(args, "s|i", &text, &level))
        return NULL;
    ap_log_rerror(APLOG_MARK, level & APLOG_LEVELMASK, 0, rec(self), "%s", text);
    Py_RETURN_NONE;
}

static PyObject *req_add_common_vars(PyObject *self, PyObject *unused)
{
    Py_BEGIN_ALLOW_THREADS
    ap_add_common_vars(rec(self));
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* Has a function called when the request is over, with one argument. */
static PyObject *req_register_cleanup(PyObject *self, PyObject *args)
{
    PyObject *handler, *data = Py_None;
    cleanup_info *info;

    if (!PyArg_ParseTuple(args, "O|O", &handler, &data))
        return NULL;
    info = make_cleanup(handler, data, ((requestobject *)self)->interpreter);
    if (info == NULL)
        return NULL;
    info->request_rec = rec(self);
    info->server_rec = rec(self)->server;
    apr_pool_cleanup_register(rec(self)->pool, info, python_cleanup, apr_pool_cleanup_null);
    Py_RETURN_NONE;
}

/* Adds a handler to the list of the phase that runs, or of one to come in this request. */
static PyObject *req_add_handler(PyObject *self, PyObject *args)
{
    requestobject *request = (requestobject *)self;
    apr_pool_t *pool = rec(self)->pool;
    const char *phase, *handler, *directory = NULL, *running;
    Py_ssize_t length;
    py_req_config *own;
    hl_entry *list;

    if (!PyArg_ParseTuple(args, "ss|z", &phase, &handler, &directory))
        return NULL;
    if (!valid_phase(phase)) {
        PyErr_Format(PyExc_IndexError, "Invalid phase: %.100s", phase);
        return NULL;
    }
    if (request->phase == NULL || octets_of(request->phase, &running, &length) < 0)
        return NULL;
    if (strcmp(phase, running) == 0) {
        hlist_append(pool, request->hlo->head, handler, directory, 0);
        Py_RETURN_NONE;
    }
    own = ap_get_module_config(rec(self)->request_config, &python_module);
    list = apr_hash_get(own->dynhls, phase, APR_HASH_KEY_STRING);
    if (list == NULL) {
        list = hlist_new(pool, handler, directory, 0);
        /* The defect: the text of the caller's string, which may be gone when the phase comes. */
        apr_hash_set(own->dynhls, phase, APR_HASH_KEY_STRING, list);
    } else {
        hlist_append(pool, list, handler, directory, 0);
    }
    Py_RETURN_NONE;
}

static PyObject *get_text(PyObject *self, void *offset)
{
    return text_from(*(const char **)((char *)rec(self) + (size_t)offset));
}

static int set_text(PyObject *self, PyObject *value, void *offset)
{
    const char *data;
    Py_ssize_t length;

    if (value == NULL) {
        PyErr_SetString(PyExc_TypeError, "an attribute of the request cannot be deleted");
        return -1;
    }
    if (octets_of(value, &data, &length) < 0)
        return -1;
    *(char **)((char *)rec(self) + (size_t)offset) = apr_pstrdup(rec(self)->pool, data);
    return 0;
}

static int set_content_type(PyObject *self, PyObject *value, void *unused)
{
    const char *data;
    Py_ssize_t length;

    if (value == NULL || octets_of(value, &data, &length) < 0)
        return -1;
    ap_set_content_type(rec(self), apr_pstrdup(rec(self)->pool, data));
    return 0;
}

static PyObject *get_int(PyObject *self, void *offset)
{
    return PyInt_FromLong(*(int *)((char *)rec(self) + (size_t)offset));
}

static int set_status(PyObject *self, PyObject *value, void *unused)
{
    long status = value == NULL ? -1 : PyInt_AsLong(value);

    if (status == -1 && (value == NULL || PyErr_Occurred())) {
        PyErr_SetString(PyExc_TypeError, "the status of a request is an int");
        return -1;
    }
    rec(self)->status = (int)status;
    return 0;
}

static PyObject *get_table(PyObject *self, void *offset)
{
    return MpTable_FromTable(*(apr_table_t **)((char *)rec(self) + (size_t)offset));
}

/* Getters of fields that the Python object itself keeps: of an object, and of text. */
static PyObject *get_own_object(PyObject *self, void *offset)
{
    PyObject *object = *(PyObject **)((char *)self + (size_t)offset);

    if (object == NULL)
        Py_RETURN_NONE;
    Py_INCREF(object);
    return object;
}

static PyObject *get_own_text(PyObject *self, void *offset)
{
    return text_from(*(const char **)((char *)self + (size_t)offset));
}

static PyObject *get_server(PyObject *self, void *unused)
{
    return MpServer_FromServer(rec(self)->server);
}

static PyObject *get_connection(PyObject *self, void *unused)
{
    return MpConn_FromConn(rec(self)->connection);
}

static PyMethodDef request_methods[] = {
    {"add_common_vars", req_add_common_vars, METH_NOARGS, "Puts the variables of CGI into subprocess_env."},
    {"add_handler", req_add_handler, METH_VARARGS, "Adds a handler to a phase."},
    {"discard_request_body", req_discard_request_body, METH_NOARGS, "Reads the body and drops it."},
    {"flush", req_flush, METH_NOARGS, "Sends what has been written."},
    {"get_config", req_get_config, METH_NOARGS, "The directives that apply here."},
    {"get_options", req_get_options, METH_NOARGS, "The PythonOptions that apply here."},
    {"internal_redirect", req_internal_redirect, METH_VARARGS, "Has another URI answer."},
    {"log_error", req_log_error, METH_VARARGS, "Writes a line to the error log."},
    {"read", req_read, METH_VARARGS, "Reads the body."},
    {"register_cleanup", req_register_cleanup, METH_VARARGS, "Has a function called when the request is over."},
    {"send_http_header", req_send_http_header, METH_NOARGS, "Does nothing."},
    {"write", req_write, METH_VARARGS, "Sends to the client."},
    {NULL},
};

#define OF_REC(field) (void *)offsetof(request_rec, field)
#define OF_SELF(field) (void *)offsetof(requestobject, field)

static PyMemberDef request_members[] = {
    {"hlist", T_OBJECT, offsetof(requestobject, hlo), READONLY},
    {NULL},
};

static PyGetSetDef request_getsets[] = {
    {"args", get_text, NULL, NULL, OF_REC(args)},
    {"ap_auth_type", get_text, NULL, NULL, OF_REC(ap_auth_type)},
    {"connection", get_connection, NULL, NULL, NULL},
    {"content_type", get_text, set_content_type, NULL, OF_REC(content_type)},
    {"err_headers_out", get_table, NULL, NULL, OF_REC(err_headers_out)},
    {"extension", get_own_text, NULL, NULL, OF_SELF(extension)},
    {"filename", get_text, set_text, NULL, OF_REC(filename)},
    {"handler", get_text, NULL, NULL, OF_REC(handler)},
    {"header_only", get_int, NULL, NULL, OF_REC(header_only)},
    {"headers_in", get_table, NULL, NULL, OF_REC(headers_in)},
    {"headers_out", get_table, NULL, NULL, OF_REC(headers_out)},
    {"hostname", get_text, NULL, NULL, OF_REC(hostname)},
    {"interpreter", get_own_text, NULL, NULL, OF_SELF(interpreter)},
    {"method", get_text, NULL, NULL, OF_REC(method)},
    {"notes", get_table, NULL, NULL, OF_REC(notes)},
    {"path_info", get_text, NULL, NULL, OF_REC(path_info)},
    {"phase", get_own_object, NULL, NULL, OF_SELF(phase)},
    {"protocol", get_text, NULL, NULL, OF_REC(protocol)},
    {"server", get_server, NULL, NULL, NULL},
    {"status", get_int, set_status, NULL, OF_REC(status)},
    {"subprocess_env", get_table, NULL, NULL, OF_REC(subprocess_env)},
    {"the_request", get_text, NULL, NULL, OF_REC(the_request)},
    {"unparsed_uri", get_text, NULL, NULL, OF_REC(unparsed_uri)},
    {"uri", get_text, NULL, NULL, OF_REC(uri)},
    {"user", get_text, set_text, NULL, OF_REC(user)},
    {NULL},
};

PyTypeObject MpRequest_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "mp_request",
    .tp_basicsize = sizeof(requestobject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_dealloc = request_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_setattro = PyObject_GenericSetAttr,
    .tp_dictoffset = offsetof(requestobject, dict),
    .tp_methods = request_methods,
    .tp_members = request_members,
    .tp_getset = request_getsets,
};
