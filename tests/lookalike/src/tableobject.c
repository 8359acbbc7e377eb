/*
 * apr_table_t as a mapping of Python. It refers to the table, and is of no use once the table's pool is gone.
 */

#include "mod_python.h"

static apr_table_t *table_of(PyObject *self)
{
    return ((tableobject *)self)->table;
}

PyObject *MpTable_FromTable(apr_table_t *t)
{
    tableobject *self = PyObject_New(tableobject, &MpTable_Type);

    if (self != NULL)
        self->table = t;
    return (PyObject *)self;
}

/* NULL with an exception if `key` is no string. */
static const char *key_of(PyObject *key)
{
    const char *data;
    Py_ssize_t length;

    return octets_of(key, &data, &length) == 0 ? data : NULL;
}

static Py_ssize_t table_length(PyObject *self)
{
    return apr_table_elts(table_of(self))->nelts;
}

static int table_contains(PyObject *self, PyObject *key)
{
    const char *name = key_of(key);

    return name == NULL ? -1 : apr_table_get(table_of(self), name) != NULL;
}

static PyObject *table_subscript(PyObject *self, PyObject *key)
{
    const char *name = key_of(key), *value;

    if (name == NULL)
        return NULL;
    value = apr_table_get(table_of(self), name);
    if (value == NULL) {
        PyErr_SetObject(PyExc_KeyError, key);
        return NULL;
    }
    return text_from(value);
}

static int table_assign(PyObject *self, PyObject *key, PyObject *value)
{
    const char *name = key_of(key), *text;

    if (name == NULL)
        return -1;
    if (value == NULL) {
        apr_table_unset(table_of(self), name);
        return 0;
    }
    text = key_of(value);
    if (text == NULL)
        return -1;
    apr_table_set(table_of(self), name, text);
    return 0;
}

static PyObject *table_get(PyObject *self, PyObject *args)
{
    const char *name, *value;
    PyObject *otherwise = Py_None;

    if (!PyArg_ParseTuple(args, "s|O", &name, &otherwise))
        return NULL;
    value = apr_table_get(table_of(self), name);
    if (value != NULL)
        return text_from(value);
    Py_INCREF(otherwise);
    return otherwise;
}

static PyObject *table_has_key(PyObject *self, PyObject *key)
{
    int there = table_contains(self, key);

    return there < 0 ? NULL : PyBool_FromLong(there);
}

static PyObject *table_add(PyObject *self, PyObject *args)
{
    const char *name, *value;

    if (!PyArg_ParseTuple(args, "ss", &name, &value))
        return NULL;
    apr_table_add(table_of(self), name, value);
    Py_RETURN_NONE;
}

static int append_item(void *list, const char *key, const char *value)
{
    PyObject *item = Py_BuildValue("(NN)", text_from(key), text_from(value));
    int appended = item != NULL && PyList_Append(list, item) == 0;

    Py_XDECREF(item);
    return appended;
}

static PyObject *table_items(PyObject *self, PyObject *unused)
{
    PyObject *list = PyList_New(0);

    if (list != NULL && !apr_table_do(append_item, list, table_of(self), NULL)) {
        Py_DECREF(list);
        return NULL;
    }
    return list;
}

static PyObject *table_copy(PyObject *self, PyObject *unused)
{
    PyObject *items = table_items(self, NULL);
    PyObject *copy = items == NULL ? NULL : PyObject_CallFunction((PyObject *)&PyDict_Type, "N", items);

    return copy;
}

static PyObject *table_keys(PyObject *self, PyObject *unused)
{
    PyObject *copy = table_copy(self, NULL);
    PyObject *keys = copy == NULL ? NULL : PyDict_Keys(copy);

    Py_XDECREF(copy);
    return keys;
}

static PyObject *table_repr(PyObject *self)
{
    PyObject *copy = table_copy(self, NULL);
    PyObject *text = copy == NULL ? NULL : PyObject_Repr(copy);

    Py_XDECREF(copy);
    return text;
}

static PyMethodDef table_methods[] = {
    {"get", table_get, METH_VARARGS, "The value of a key, or a default."},
    {"has_key", table_has_key, METH_O, "Whether a key is there."},
    {"add", table_add, METH_VARARGS, "Adds a value beside those of the same key."},
    {"items", table_items, METH_NOARGS, "A list of (key, value)."},
    {"keys", table_keys, METH_NOARGS, "A list of the keys."},
    {"copy", table_copy, METH_NOARGS, "A dict of the same contents."},
    {NULL},
};

static PyMappingMethods table_mapping = {table_length, table_subscript, table_assign};
static PySequenceMethods table_sequence = {.sq_contains = table_contains};

PyTypeObject MpTable_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "mp_table",
    .tp_basicsize = sizeof(tableobject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_dealloc = (destructor)PyObject_Del,
    .tp_repr = table_repr,
    .tp_as_mapping = &table_mapping,
    .tp_as_sequence = &table_sequence,
    .tp_methods = table_methods,
};
