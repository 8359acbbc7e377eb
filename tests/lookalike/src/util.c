/*
 * Strings of either Python, and what several files need.
 */

#include "mod_python.h"

/* A pool cleanup that gives an object up. It holds no lock on Python, as in 3.1.x: a filter's object that a handler
 * still knows may be counted in two threads at once. */
apr_status_t python_decref(void *object)
{
    Py_XDECREF((PyObject *)object);
    return APR_SUCCESS;
}

cleanup_info *make_cleanup(PyObject *handler, PyObject *data, const char *interpreter)
{
    cleanup_info *info;

    if (!PyCallable_Check(handler)) {
        PyErr_SetString(PyExc_ValueError, "a cleanup must be a callable object");
        return NULL;
    }
    info = calloc(1, sizeof(*info));
    if (info == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    Py_INCREF(handler);
    info->handler = handler;
    Py_INCREF(data);
    info->data = data;
#if HOST_SHAPE < 30200
    info->interpreter = interpreter;
#else
    info->interpreter = strdup(interpreter);
#endif
    return info;
}

PyObject *text_from(const char *text)
{
    if (text == NULL)
        Py_RETURN_NONE;
#if PY_MAJOR_VERSION >= 3
    /* As Python itself treats names of files: whatever httpd hands over comes back as the same bytes. */
    return PyUnicode_DecodeUTF8(text, strlen(text), "surrogateescape");
#else
    return PyString_FromString(text);
#endif
}

int octets_of(PyObject *object, const char **data, Py_ssize_t *length)
{
#if PY_MAJOR_VERSION >= 3
    if (PyUnicode_Check(object)) {
        *data = PyUnicode_AsUTF8AndSize(object, length);
        return *data == NULL ? -1 : 0;
    }
#else
    if (PyUnicode_Check(object))
        return PyObject_AsCharBuffer(object, data, length);
#endif
    if (PyBytes_Check(object)) {
        *data = PyBytes_AS_STRING(object);
        *length = PyBytes_GET_SIZE(object);
        return 0;
    }
    PyErr_Format(PyExc_TypeError, "a string is wanted, not %.100s", Py_TYPE(object)->tp_name);
    return -1;
}

PyObject *octets_from(const char *data, Py_ssize_t length)
{
    return PyBytes_FromStringAndSize(data, length);
}
