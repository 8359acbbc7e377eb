/*
 * The C side of src/rebind/v35: a variadic function, and APR's functions for modules of generation 3.5.
 */
#include "glue.h"
#include <string.h>

/* APR, as the server provides it; weak so that programs without Apache link. */
extern void *apr_hash_make(void *pool) __attribute__((weak));
extern void *apr_hash_get(void *hash, const void *key, ssize_t length) __attribute__((weak));
extern void apr_hash_set(void *hash, const void *key, ssize_t length, const void *value) __attribute__((weak));
extern void *apr_array_pop(void *array) __attribute__((weak));
extern void *apr_array_push(void *array) __attribute__((weak));
void *mpc_server_hash_make(void *pool) { return apr_hash_make(pool); }
void *mpc_server_hash_get(void *hash, const void *key, ssize_t length) { return apr_hash_get(hash, key, length); }
void mpc_server_hash_set(void *hash, const void *key, ssize_t length, const void *value)
{
    apr_hash_set(hash, key, length, value);
}
void *mpc_server_array_pop(void *array) { return apr_array_pop(array); }
void *mpc_server_array_push(void *array) { return apr_array_push(array); }
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

/* Modules compiled with PY_SSIZE_T_CLEAN for a Python before 3.13 call it; sizes are Py_ssize_t here either way. */
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

/*
 * req.read makes a string for what it reads, and forgets it when the client has hung up: up to the whole body is lost
 * with each. The string is told by what has been read into it last. (After a first read that fails mod_python asks for
 * a second one, one byte before the string.)
 */
extern long modpython_core_get_client_block(void *request, char *buffer, size_t length);
extern int modpython_core_cures(const char *remedy);
static __thread struct {
    PyObject *string;
    char *start, *end;
} reading;

PyObject *mpc35_rebind_PyBytes_FromStringAndSize(const char *text, Py_ssize_t size)
{
    PyObject *made = PyBytes_FromStringAndSize(text, size);

    if (text == NULL && made != NULL) {
        reading.string = made;
        reading.start = PyBytes_AS_STRING(made);
        reading.end = reading.start + size;
    }
    return made;
}

long mpc35_rebind_ap_get_client_block(void *request, char *buffer, size_t length)
{
    return modpython_core_get_client_block(request, buffer, length);
}

void mpc35_rebind_PyErr_SetString(PyObject *type, const char *text)
{
    char *failed = mpc_glue_failed_read;

    PyErr_SetString(type, text);
    mpc_glue_failed_read = NULL;
    if (failed == NULL || reading.string == NULL || failed + 1 < reading.start || failed > reading.end)
        return;
    if (strcmp(text, "Client read error (Timeout?)") == 0 && modpython_core_cures("reads"))
        Py_DECREF(reading.string);
    reading.string = NULL;
}
