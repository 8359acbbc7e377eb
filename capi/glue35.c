/*
 * The C side of src/rebind/v35: a variadic function, and APR's functions for modules of generation 3.5.
 */
#include "glue.h"

/* APR, as the host provides it; weak so that programs without Apache link. */
extern void *apr_hash_make(void *pool) __attribute__((weak));
extern void *apr_hash_get(void *hash, const void *key, ssize_t length) __attribute__((weak));
extern void apr_hash_set(void *hash, const void *key, ssize_t length, const void *value) __attribute__((weak));
extern void *apr_array_pop(void *array) __attribute__((weak));
extern void *apr_array_push(void *array) __attribute__((weak));
void *mpc_host_hash_make(void *pool) { return apr_hash_make(pool); }
void *mpc_host_hash_get(void *hash, const void *key, ssize_t length) { return apr_hash_get(hash, key, length); }
void mpc_host_hash_set(void *hash, const void *key, ssize_t length, const void *value)
{
    apr_hash_set(hash, key, length, value);
}
void *mpc_host_array_pop(void *array) { return apr_array_pop(array); }
void *mpc_host_array_push(void *array) { return apr_array_push(array); }
/* In Rust: told of every method that the module has called. Takes the result over and returns what takes its place. */
extern PyObject *mpc35_method_returned(const char *name, PyObject *result);

PyObject *mpc35_rebind_PyObject_CallMethod(PyObject *object, const char *name, const char *format, ...)
{
    va_list values;
    PyObject *result;

    va_start(values, format);
    result = mpc_glue_call_method(object, name, format, values);
    va_end(values);
    return mpc35_method_returned(name, result);
}

/* What a module compiled with PY_SSIZE_T_CLEAN for a Python before 3.13 calls; sizes are Py_ssize_t here either way. */
PyObject *mpc35_rebind__PyObject_CallMethod_SizeT(PyObject *object, const char *name, const char *format, ...)
    __attribute__((alias("mpc35_rebind_PyObject_CallMethod")));
