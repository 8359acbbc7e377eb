/*
 * The object of a filter written in Python: it reads from one brigade and writes to another.
 */

#include "mod_python.h"

PyObject *MpFilter_FromFilter(ap_filter_t *f, apr_bucket_brigade *bb, int is_input, ap_input_mode_t mode,
                              apr_size_t readbytes, char *handler, char *dir)
{
    filterobject *self = PyObject_New(filterobject, &MpFilter_Type);

    if (self == NULL)
        return NULL;
    self->f = f;
    self->bb_in = is_input ? NULL : bb;
    self->bb_out = is_input ? bb : NULL;
    self->rc = APR_SUCCESS;
    self->is_input = is_input;
    self->mode = mode;
    self->readbytes = readbytes;
    self->closed = 0;
    self->handler = handler;
    self->dir = dir;
    self->request_obj = NULL;
    apr_pool_cleanup_register(f->r->pool, self, python_decref, apr_pool_cleanup_null);
    return (PyObject *)self;
}

static void filter_dealloc(PyObject *self)
{
    Py_XDECREF((PyObject *)((filterobject *)self)->request_obj);
    PyObject_Del(self);
}

static apr_bucket_brigade *new_brigade(filterobject *self)
{
    return apr_brigade_create(self->f->r->pool, self->f->c->bucket_alloc);
}

static int is_open(filterobject *self)
{
    if (self->closed)
        PyErr_SetString(PyExc_ValueError, "I/O operation on closed filter");
    return !self->closed;
}

static PyObject *read_failed(char *buffer)
{
    free(buffer);
    PyErr_SetString(PyExc_IOError, "Filter read error");
    return NULL;
}

/* Reads up to the end or the next flush, but at most so many bytes. None at the end of the stream. */
static PyObject *filter_read(PyObject *object, PyObject *args)
{
    filterobject *self = (filterobject *)object;
    Py_ssize_t wanted = -1, got = 0;
    char *buffer = NULL;
    apr_bucket *b;
    PyObject *result;

    if (!PyArg_ParseTuple(args, "|n", &wanted) || !is_open(self))
        return NULL;
    if (self->is_input) {
        if (self->bb_in == NULL)
            self->bb_in = new_brigade(self);
        Py_BEGIN_ALLOW_THREADS
        self->rc = ap_get_brigade(self->f->next, self->bb_in, self->mode, APR_BLOCK_READ, self->readbytes);
        Py_END_ALLOW_THREADS
        if (self->rc != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(self->rc))
            return read_failed(NULL);
    }
    b = APR_BRIGADE_FIRST(self->bb_in);
    if (b != APR_BRIGADE_SENTINEL(self->bb_in) && APR_BUCKET_IS_EOS(b)) {
        apr_bucket_delete(b);
        Py_RETURN_NONE;
    }
    while (got != wanted) {
        const char *data;
        apr_size_t size;

        b = APR_BRIGADE_FIRST(self->bb_in);
        if (b == APR_BRIGADE_SENTINEL(self->bb_in) || APR_BUCKET_IS_EOS(b) || APR_BUCKET_IS_FLUSH(b))
            break;
        if (apr_bucket_read(b, &data, &size, APR_BLOCK_READ) != APR_SUCCESS)
            return read_failed(buffer);
        if (wanted >= 0 && size > (apr_size_t)(wanted - got)) {
            size = wanted - got;
            apr_bucket_split(b, size);
        }
        buffer = realloc(buffer, got + size + 1);
        ap_assert(buffer != NULL);
        memcpy(buffer + got, data, size);
        got += size;
        apr_bucket_delete(b);
    }
    result = octets_from(buffer, got);
    free(buffer);
    return result;
}

static PyObject *filter_write(PyObject *object, PyObject *what)
{
    filterobject *self = (filterobject *)object;
    const char *data;
    Py_ssize_t length;

    if (octets_of(what, &data, &length) < 0 || !is_open(self))
        return NULL;
    if (length > 0) {
        if (self->bb_out == NULL)
            self->bb_out = new_brigade(self);
#if HOST_SHAPE < 30500
        /* A bucket that owns a copy: the string may be gone before the bytes are sent. */
        APR_BRIGADE_INSERT_TAIL(self->bb_out, apr_bucket_heap_create(data, length, NULL, self->f->c->bucket_alloc));
#else
        /* 3.5 makes one of memory that lives for ever, it says. */
        APR_BRIGADE_INSERT_TAIL(self->bb_out, apr_bucket_immortal_create(data, length, self->f->c->bucket_alloc));
#endif
    }
    Py_RETURN_NONE;
}

/* Ends what has been written with this bucket, and hands it on; an input filter's brigade is its caller's. */
static int hand_on(filterobject *self, apr_bucket *last)
{
    if (self->bb_out == NULL)
        self->bb_out = new_brigade(self);
    APR_BRIGADE_INSERT_TAIL(self->bb_out, last);
    if (self->is_input)
        return 0;
    Py_BEGIN_ALLOW_THREADS
    self->rc = ap_pass_brigade(self->f->next, self->bb_out);
    apr_brigade_cleanup(self->bb_out);
    Py_END_ALLOW_THREADS
    if (self->rc == APR_SUCCESS)
        return 0;
    PyErr_SetString(PyExc_IOError, "Flush failed.");
    return -1;
}

static PyObject *filter_flush(PyObject *object, PyObject *unused)
{
    filterobject *self = (filterobject *)object;

    /* httpd 2.4 wants nothing after the end of the stream; the dispatcher flushes closed filters too. */
    if (!self->closed && hand_on(self, apr_bucket_flush_create(self->f->c->bucket_alloc)) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *filter_close(PyObject *object, PyObject *unused)
{
    filterobject *self = (filterobject *)object;

    if (!self->closed) {
        self->closed = 1;
        if (hand_on(self, apr_bucket_eos_create(self->f->c->bucket_alloc)) < 0)
            return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *filter_pass_on(PyObject *object, PyObject *unused)
{
    filterobject *self = (filterobject *)object;

    Py_BEGIN_ALLOW_THREADS
    if (self->is_input)
        self->rc = ap_get_brigade(self->f->next, self->bb_out, self->mode, APR_BLOCK_READ, self->readbytes);
    else
        self->rc = ap_pass_brigade(self->f->next, self->bb_in);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *filter_disable(PyObject *object, PyObject *unused)
{
    ((python_filter_ctx *)((filterobject *)object)->f->ctx)->transparent = 1;
    Py_RETURN_NONE;
}

static PyObject *filter_get_name(PyObject *object, void *unused)
{
    return text_from(((filterobject *)object)->f->frec->name);
}

static PyObject *filter_get_text(PyObject *object, void *offset)
{
    return text_from(*(const char **)((char *)object + (size_t)offset));
}

static PyObject *filter_get_int(PyObject *object, void *offset)
{
    return PyInt_FromLong(*(int *)((char *)object + (size_t)offset));
}

static PyObject *filter_get_req(PyObject *object, void *unused)
{
    PyObject *req = (PyObject *)((filterobject *)object)->request_obj;

    if (req == NULL)
        Py_RETURN_NONE;
    Py_INCREF(req);
    return req;
}

static PyMethodDef filter_methods[] = {
    {"read", filter_read, METH_VARARGS, "Reads what comes in."},
    {"write", filter_write, METH_O, "Writes what is to go out."},
    {"flush", filter_flush, METH_NOARGS, "Hands on what has been written."},
    {"close", filter_close, METH_NOARGS, "Ends the stream."},
    {"pass_on", filter_pass_on, METH_NOARGS, "Hands on what comes in, as it is."},
    {"disable", filter_disable, METH_NOARGS, "Leaves this filter out from now on."},
    {NULL},
};

#define OF_SELF(field) (void *)offsetof(filterobject, field)

static PyGetSetDef filter_getsets[] = {
    {"closed", filter_get_int, NULL, NULL, OF_SELF(closed)},
    {"dir", filter_get_text, NULL, NULL, OF_SELF(dir)},
    {"handler", filter_get_text, NULL, NULL, OF_SELF(handler)},
    {"is_input", filter_get_int, NULL, NULL, OF_SELF(is_input)},
    {"name", filter_get_name, NULL, NULL, NULL},
    {"req", filter_get_req, NULL, NULL, NULL},
    {NULL},
};

PyTypeObject MpFilter_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "mp_filter",
    .tp_basicsize = sizeof(filterobject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_dealloc = filter_dealloc,
    .tp_methods = filter_methods,
    .tp_getset = filter_getsets,
};
