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

/* In remedies.c. */
extern int modpython_core_global_mutex_create(void **mutex, const char *name, int mechanism, void *pool);
extern int modpython_core_global_mutex_destroy(void *mutex);
extern void *modpython_core_bucket_create(const char *data, size_t length, void *list);

int mpc35_rebind_apr_global_mutex_create(void **mutex, const char *name, int mechanism, void *pool)
{
    return modpython_core_global_mutex_create(mutex, name, mechanism, pool);
}

int mpc35_rebind_apr_global_mutex_destroy(void *mutex) { return modpython_core_global_mutex_destroy(mutex); }

void *mpc35_rebind_apr_bucket_immortal_create(const char *data, size_t length, void *list)
{
    return modpython_core_bucket_create(data, length, list);
}
