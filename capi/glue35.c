/*
 * The C side of src/rebind/v35: a variadic function, and APR's functions for modules of generation 3.5.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdarg.h>

/* APR, as the host provides it; weak so that programs without Apache link. */
typedef int (*cleanup_fn)(void *);
extern void *apr_hash_make(void *pool) __attribute__((weak));
extern void *apr_hash_get(void *hash, const void *key, ssize_t length) __attribute__((weak));
extern void apr_hash_set(void *hash, const void *key, ssize_t length, const void *value) __attribute__((weak));
extern void *apr_array_pop(void *array) __attribute__((weak));
extern void *apr_array_push(void *array) __attribute__((weak));
extern void apr_pool_cleanup_register(void *pool, const void *data, cleanup_fn plain, cleanup_fn child)
    __attribute__((weak));

void *mpc_host_hash_make(void *pool) { return apr_hash_make(pool); }
void *mpc_host_hash_get(void *hash, const void *key, ssize_t length) { return apr_hash_get(hash, key, length); }
void mpc_host_hash_set(void *hash, const void *key, ssize_t length, const void *value)
{
    apr_hash_set(hash, key, length, value);
}
void *mpc_host_array_pop(void *array) { return apr_array_pop(array); }
void *mpc_host_array_push(void *array) { return apr_array_push(array); }
void mpc_host_pool_cleanup_register(void *pool, const void *data, cleanup_fn plain, cleanup_fn child)
{
    apr_pool_cleanup_register(pool, data, plain, child);
}

/* In Rust: told of every method that the module has called. Takes the result over and returns what takes its place. */
extern PyObject *mpc35_method_returned(const char *name, PyObject *result);

static PyObject *call_method(PyObject *object, const char *name, const char *format, va_list values)
{
    PyObject *method, *arguments, *result = NULL;

    if (object == NULL || name == NULL) {
        PyErr_BadInternalCall();
        return NULL;
    }
    method = PyObject_GetAttrString(object, name);
    if (method == NULL)
        return NULL;
    arguments = format != NULL && *format != '\0' ? Py_VaBuildValue(format, values) : PyTuple_New(0);
    if (arguments != NULL && !PyTuple_Check(arguments)) {
        /* A format of one item stands for one argument. */
        PyObject *item = arguments;

        arguments = PyTuple_Pack(1, item);
        Py_DECREF(item);
    }
    if (arguments != NULL)
        result = PyObject_Vectorcall(method, ((PyTupleObject *)arguments)->ob_item, PyTuple_GET_SIZE(arguments), NULL);
    Py_XDECREF(arguments);
    Py_DECREF(method);
    return mpc35_method_returned(name, result);
}

PyObject *mpc35_rebind_PyObject_CallMethod(PyObject *object, const char *name, const char *format, ...)
{
    va_list values;
    PyObject *result;

    va_start(values, format);
    result = call_method(object, name, format, values);
    va_end(values);
    return result;
}

/* What a module compiled with PY_SSIZE_T_CLEAN for a Python before 3.13 calls; sizes are Py_ssize_t here either way. */
PyObject *mpc35_rebind__PyObject_CallMethod_SizeT(PyObject *object, const char *name, const char *format, ...)
    __attribute__((alias("mpc35_rebind_PyObject_CallMethod")));
