/*
 * Code that needs C: fields of CPython's structures, functions whose name depends on the Python version, and
 * Apache's and APR's functions, which are weak here so that programs without Apache (the tests) link.
 *
 * Compiled against Python's headers alone. Apache's and APR's declarations below state their published C interface.
 */
#include "glue.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* The description of this library, which modpython-relink reads from the file: lines of key=value. */
const char modpython_core_build_info[] =
    "version=" MPC_VERSION "\n"
    "python=" MPC_PYTHON "\n"
    "libpython=" MPC_LIBPYTHON "\n"
    "abi=0\n";

int mpc_glue_is_finalizing(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    return Py_IsFinalizing();
#elif PY_MAJOR_VERSION >= 3
    return _Py_IsFinalizing();
#else
    /* Python 2 does not say, and does not end threads that take the GIL meanwhile. */
    return 0;
#endif
}

PyThreadState *mpc_glue_attached_state(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_GetUnchecked();
#elif PY_MAJOR_VERSION >= 3
    return _PyThreadState_UncheckedGet();
#else
    return _PyThreadState_Current;
#endif
}

/*
 * An int of this value that nothing but the caller refers to, so that its reference count may change without the GIL:
 * a new reference, or NULL without memory. Small ints are shared by all of Python; from 3.12 on they are immortal and
 * no count is kept, before that the value is copied into an object of its own.
 */
PyObject *mpc_glue_private_int(long value)
{
#if PY_MAJOR_VERSION < 3
    /* A large one is not shared. It comes from the blocks of ints: the end of an int puts it into the list of free
     * ones, which a full collection makes anew out of the blocks. Memory from elsewhere would be lost then. */
    PyObject *number = PyInt_FromLong(LONG_MAX);

    if (number != NULL)
        ((PyIntObject *)number)->ob_ival = value;
    return number;
#else
    PyObject *number = PyLong_FromLong(value);

#if PY_VERSION_HEX < 0x030C0000
    if (number != NULL && Py_REFCNT(number) > 1) {
        /* One digit, since all cached ints have one at most. The head up to the type is the allocator's. */
        size_t head = sizeof(PyObject);
        size_t size = (size_t)(PyLong_Type.tp_basicsize + PyLong_Type.tp_itemsize);
        PyObject *copy = PyType_GenericAlloc(&PyLong_Type, 1);

        if (copy != NULL)
            memcpy((char *)copy + head, (char *)number + head, size - head);
        Py_DECREF(number);
        number = copy;
    }
#endif
    return number;
#endif
}

#if PY_VERSION_HEX < 0x02060000
/* The import lock, which C code could not have before 2.6, by way of the module imp; compat2.py has imported that. */
static int is_done_by_imp(char *name)
{
    PyObject *kind, *value, *traceback, *imp, *result = NULL;

    PyErr_Fetch(&kind, &value, &traceback);
    imp = PyDict_GetItemString(PyImport_GetModuleDict(), "imp");
    if (imp != NULL)
        result = PyObject_CallMethod(imp, name, NULL);
    Py_XDECREF(result);
    PyErr_Restore(kind, value, traceback);
    return result != NULL;
}

/* Waits for it without the GIL. */
void _PyImport_AcquireLock(void)
{
    is_done_by_imp("acquire_lock");
}

/* 1 if it was this thread's, -1 if not. */
int _PyImport_ReleaseLock(void)
{
    return is_done_by_imp("release_lock") ? 1 : -1;
}
#endif

/* In Rust: told of a method of the module's callback before it is called, and of its first argument. */
extern void mpc_method_is_dispatched(const char *name, PyObject *first);

#if PY_VERSION_HEX >= 0x03090000
/* Arguments of a method of the callback, which has three at most. */
#define PLACES 4

/* Calls a method without making it an object first. */
static PyObject *call_method(PyObject *object, const char *name, PyObject **arguments, Py_ssize_t count)
{
    /* The callee may use the place before the first argument. */
    PyObject *places[1 + 1 + PLACES] = {NULL, object}, *method = PyUnicode_FromString(name), *result;
    Py_ssize_t i;

    if (method == NULL)
        return NULL;
    for (i = 0; i < count; i++)
        places[2 + i] = arguments[i];
    result = PyObject_VectorcallMethod(method, places + 1, (size_t)(1 + count) | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    Py_DECREF(method);
    return result;
}
#endif

PyObject *mpc_glue_call_method(PyObject *object, const char *name, const char *format, va_list values)
{
    PyObject *arguments, **items = &arguments, *result = NULL;
    Py_ssize_t count = 1;

    if (object == NULL || name == NULL) {
        PyErr_BadInternalCall();
        return NULL;
    }
    arguments = format != NULL && *format != '\0' ? Py_VaBuildValue((char *)format, values) : PyTuple_New(0);
    if (arguments == NULL)
        return NULL;
    /* A format of one item stands for one argument. */
    if (PyTuple_Check(arguments)) {
        items = ((PyTupleObject *)arguments)->ob_item;
        count = PyTuple_GET_SIZE(arguments);
    }
    /* A read that has failed is of no other request: the string of this one may lie where that one's was. */
    mpc_glue_failed_read = NULL;
    if (count > 0)
        mpc_method_is_dispatched(name, items[0]);
#if PY_VERSION_HEX >= 0x03090000
    if (count <= PLACES) {
        result = call_method(object, name, items, count);
    } else
#endif
    {
        PyObject *method = PyObject_GetAttrString(object, (char *)name);

        if (method != NULL && items != &arguments)
            result = PyObject_Call(method, arguments, NULL);
        else if (method != NULL)
            result = PyObject_CallFunctionObjArgs(method, arguments, NULL);
        Py_XDECREF(method);
    }
    Py_DECREF(arguments);
    return result;
}

/* In Rust: told of every method that a host of src/abi has called. Takes the result over, gives what is to be it. */
extern PyObject *mpc_method_dispatched(const char *name, PyObject *result);

/* PyObject_CallMethod for hosts of src/abi. */
PyObject *modpython_core_call_method(PyObject *object, const char *name, const char *format, ...)
{
    va_list values;
    PyObject *result;

    va_start(values, format);
    result = mpc_glue_call_method(object, name, format, values);
    va_end(values);
    return mpc_method_dispatched(name, result);
}

/* APR, as the server provides it; weak so that programs without Apache link. */
extern void apr_pool_cleanup_register(void *pool, const void *data, int (*plain)(void *), int (*child)(void *))
    __attribute__((weak));

void mpc_server_pool_cleanup_register(void *pool, const void *data, int (*plain)(void *), int (*child)(void *))
{
    apr_pool_cleanup_register(pool, data, plain, child);
}

extern void *apr_pool_parent_get(void *pool) __attribute__((weak));
extern void *apr_palloc(void *pool, size_t size) __attribute__((weak));
extern int apr_pool_userdata_get(void **data, const char *key, void *pool) __attribute__((weak));
extern int apr_pool_userdata_set(const void *data, const char *key, int (*cleanup)(void *), void *pool)
    __attribute__((weak));

/* The pool around this one, and what it has under the key, or NULL; NULL if there is no such pool, or no memory. */
static void *pool_around(void *pool, const char *key, void **kept)
{
    void *around = apr_pool_parent_get != NULL ? apr_pool_parent_get(pool) : NULL;

    *kept = NULL;
    return around != NULL && apr_pool_userdata_get(kept, key, around) == 0 ? around : NULL;
}

/* Keeps a copy of the data for as long as the pool around this one lives: for the next load of this library. Data that
 * is there under the key already stays. */
void mpc_server_keep(void *pool, const char *key, const void *data, size_t size)
{
    void *kept, *around = pool_around(pool, key, &kept);

    if (around == NULL || kept != NULL)
        return;
    kept = apr_palloc(around, sizeof(size) + size);
    if (kept != NULL) {
        memcpy(kept, &size, sizeof(size));
        memcpy((char *)kept + sizeof(size), data, size);
        apr_pool_userdata_set(kept, key, NULL, around);
    }
}

/* The data kept under the key, and its size; NULL if absent. */
const void *mpc_server_kept(void *pool, const char *key, size_t *size)
{
    void *kept;

    if (pool_around(pool, key, &kept) == NULL || kept == NULL)
        return NULL;
    memcpy(size, kept, sizeof(*size));
    return (char *)kept + sizeof(*size);
}

/* Apache. httpd 2.4 has ap_log_error_, 2.0 and 2.2 ap_log_error, which takes no module index. */
extern void ap_log_error_(const char *file, int line, int module_index, int level, int status, const void *server,
                          const char *format, ...) __attribute__((weak));
extern void ap_log_error(const char *file, int line, int level, int status, const void *server,
                         const char *format, ...) __attribute__((weak));
extern void *ap_server_conf __attribute__((weak));

/* Writes one line to the server's error log (to stderr where there is no Apache). `level` is syslog's. */
void mpc_server_log(int level, const char *message)
{
    const void *server = &ap_server_conf != NULL ? ap_server_conf : NULL;

    if (ap_log_error_ != NULL)
        ap_log_error_("modpython-core", 0, -1, level, 0, server, "%s", message);
    else if (ap_log_error != NULL)
        ap_log_error("modpython-core", 0, level, 0, server, "%s", message);
    else
        fprintf(stderr, "%s\n", message);
}
