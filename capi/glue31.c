/*
 * The C side of src/rebind/v31: a variadic function, and APR's functions for modules of generation 3.1.
 */
#include "glue.h"

/* APR, as the server provides it; weak so that programs without Apache link. */
extern void apr_table_overlap(void *table, const void *other, unsigned flags) __attribute__((weak));
extern void *apr_table_copy(void *pool, const void *table) __attribute__((weak));
extern void *const *apr_table_elts(const void *table) __attribute__((weak));

void mpc_server_table_overlap(void *table, const void *other, int flags) { apr_table_overlap(table, other, flags); }

void mpc_server_table_overlap_copy(void *table, const void *other, int flags)
{
    /* The first field of apr_array_header_t is its pool. */
    void *pool = apr_table_elts(table)[0];

    apr_table_overlap(table, apr_table_copy(pool, other), flags);
}

/* In handlerlists.c. */
extern void mpc_glue_before_dispatch(const char *name, const char *format, va_list values);

/* In Rust: told of every method that the module has called. Takes the result over and returns what takes its place. */
extern void *mpc_symbol(const char *name);
extern PyObject *mpc31_method_returned(const char *name, PyObject *result);

PyObject *mpc31_rebind_PyObject_CallMethod(PyObject *object, const char *name, const char *format, ...)
{
    va_list values;
    PyObject *result;

    va_start(values, format);
    mpc_glue_before_dispatch(name, format, values);
    result = mpc_glue_call_method(object, name, format, values);
    va_end(values);
    return mpc31_method_returned(name, result);
}

/* In remedies.c. */
extern int modpython_core_global_mutex_create(void **mutex, const char *name, int mechanism, void *pool);
extern int modpython_core_global_mutex_destroy(void *mutex);
extern int modpython_core_list_append(PyObject *list, PyObject *item, int kept);
extern long modpython_core_get_client_block(void *request, char *buffer, size_t length);

int mpc31_rebind_apr_global_mutex_create(void **mutex, const char *name, int mechanism, void *pool)
{
    return modpython_core_global_mutex_create(mutex, name, mechanism, pool);
}

int mpc31_rebind_apr_global_mutex_destroy(void *mutex) { return modpython_core_global_mutex_destroy(mutex); }

int mpc31_rebind_PyList_Append(PyObject *list, PyObject *item) { return modpython_core_list_append(list, item, 1); }

long mpc31_rebind_ap_get_client_block(void *request, char *buffer, size_t length)
{
    return modpython_core_get_client_block(request, buffer, length);
}

/* In addedhandlers.c and filessections.c. */
extern void *modpython_core_hash_get(void *hash, const void *key, ptrdiff_t length, void *request);
extern void modpython_core_mend_module(void *module, PyTypeObject *request_type);

/*
 * python_handler's request is the one that httpd has called the module for, in this thread. A request within a request
 * comes and goes meanwhile.
 */
typedef int (*hook)(void *request);
typedef const char *const *names;

static __thread void *running;

void *mpc31_rebind_apr_hash_get(void *hash, const void *key, ptrdiff_t length)
{
    return modpython_core_hash_get(hash, key, length, running);
}

static int run(hook stock, void *request)
{
    void *before = running;
    int result;

    running = request;
    result = stock(request);
    running = before;
    return result;
}

#define PHASE(name)                                                                                     \
    extern void ap_hook_##name(hook stock, names before, names after, int order) __attribute__((weak)); \
    static hook stock_##name;                                                                           \
    static int run_##name(void *request) { return run(stock_##name, request); }                         \
    void mpc31_rebind_ap_hook_##name(hook stock, names before, names after, int order)                  \
    {                                                                                                   \
        stock_##name = stock;                                                                           \
        ap_hook_##name(run_##name, before, after, order);                                               \
    }

MPC_PHASES(PHASE)

/* The first of the module's calls once httpd has loaded it, in all releases. */
extern void ap_hook_post_config(void *stock, names before, names after, int order) __attribute__((weak));

void mpc31_rebind_ap_hook_post_config(void *stock, names before, names after, int order)
{
    modpython_core_mend_module(mpc_symbol("python_module"), mpc_symbol("MpRequest_Type"));
    ap_hook_post_config(stock, before, after, order);
}
