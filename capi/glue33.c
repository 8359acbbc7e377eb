/*
 * The C side of src/rebind/v33: the names under which finished modules of generations 3.2 and 3.3 make their calls.
 */
#include "glue.h"

/* APR, as the server provides it; weak so that programs without Apache link. */
extern int apr_thread_mutex_create(void **mutex, unsigned flags, void *pool) __attribute__((weak));
extern int apr_thread_mutex_lock(void *mutex) __attribute__((weak));
extern int apr_thread_mutex_unlock(void *mutex) __attribute__((weak));

int mpc_server_thread_mutex_create(void **mutex, unsigned flags, void *pool)
{
    return apr_thread_mutex_create(mutex, flags, pool);
}

int mpc_server_thread_mutex_lock(void *mutex) { return apr_thread_mutex_lock(mutex); }

int mpc_server_thread_mutex_unlock(void *mutex) { return apr_thread_mutex_unlock(mutex); }

/* In Rust: of these generations, and of 3.1. */
extern void mpc33_initialize(int minor);
extern int mpc33_thread_mutex_create(void **mutex, unsigned flags, void *pool);
extern int mpc33_thread_mutex_lock(void *mutex);
extern int mpc33_thread_mutex_unlock(void *mutex);
extern void mpc33_rebound_after_fork(void);
extern void mpc33_release_lock(void);
extern void mpc33_clear(PyThreadState *state);
extern void mpc33_cleanup_register(void *pool, const void *data, int (*plain)(void *), int (*child)(void *));
extern void mpc_glue_before_dispatch(const char *name, const char *format, va_list values);
extern PyObject *mpc31_method_returned(const char *name, PyObject *result);
extern PyObject *mpc31_rebind_PyDict_New(void);
extern void mpc31_rebind_PyEval_AcquireLock(void);
extern PyObject *mpc31_rebind_PyDict_GetItemString(PyObject *dict, const char *name);
extern void *mpc31_rebind_PyCObject_AsVoidPtr(PyObject *object);
extern PyThreadState *mpc31_rebind_Py_NewInterpreter(void);
extern PyThreadState *mpc31_rebind_PyThreadState_New(PyInterpreterState *interpreter);
extern void mpc31_rebind_PyThreadState_Delete(PyThreadState *state);
extern void mpc31_rebind_PyEval_AcquireThread(PyThreadState *state);
extern void mpc31_rebind_PyEval_ReleaseThread(PyThreadState *state);
extern PyObject *mpc31_rebind_PyImport_ImportModule(const char *name);
extern void *mpc_symbol(const char *name);
/* In addedhandlers.c. */
extern void modpython_core_keep_phases(PyTypeObject *type);
/* In remedies.c. */
extern int modpython_core_global_mutex_create(void **mutex, const char *name, int mechanism, void *pool);
extern int modpython_core_global_mutex_destroy(void *mutex);
extern long modpython_core_get_client_block(void *request, char *buffer, size_t length);

#define REBIND(prefix, minor)                                                                                         \
    void prefix##Py_Initialize(void)                                                                                  \
    {                                                                                                                 \
        if (minor >= 3)                                                                                               \
            modpython_core_keep_phases(mpc_symbol("MpRequest_Type"));                                                 \
        mpc33_initialize(minor);                                                                                      \
    }                                                                                                                 \
    PyObject *prefix##PyDict_New(void) { return mpc31_rebind_PyDict_New(); }                                          \
    void prefix##PyOS_AfterFork(void) { mpc33_rebound_after_fork(); }                                                 \
    void prefix##PyEval_AcquireLock(void) { mpc31_rebind_PyEval_AcquireLock(); }                                      \
    void prefix##PyEval_ReleaseLock(void) { mpc33_release_lock(); }                                                   \
    PyObject *prefix##PyDict_GetItemString(PyObject *dict, const char *name)                                          \
    {                                                                                                                 \
        return mpc31_rebind_PyDict_GetItemString(dict, name);                                                         \
    }                                                                                                                 \
    void *prefix##PyCObject_AsVoidPtr(PyObject *object) { return mpc31_rebind_PyCObject_AsVoidPtr(object); }          \
    PyThreadState *prefix##Py_NewInterpreter(void) { return mpc31_rebind_Py_NewInterpreter(); }                       \
    PyThreadState *prefix##PyThreadState_New(PyInterpreterState *interpreter)                                         \
    {                                                                                                                 \
        return mpc31_rebind_PyThreadState_New(interpreter);                                                           \
    }                                                                                                                 \
    void prefix##PyThreadState_Clear(PyThreadState *state) { mpc33_clear(state); }                                    \
    void prefix##PyThreadState_Delete(PyThreadState *state) { mpc31_rebind_PyThreadState_Delete(state); }             \
    void prefix##PyEval_AcquireThread(PyThreadState *state) { mpc31_rebind_PyEval_AcquireThread(state); }             \
    void prefix##PyEval_ReleaseThread(PyThreadState *state) { mpc31_rebind_PyEval_ReleaseThread(state); }             \
    PyObject *prefix##PyObject_CallMethod(PyObject *object, const char *name, const char *format, ...)                \
    {                                                                                                                 \
        va_list values;                                                                                               \
        PyObject *result;                                                                                             \
                                                                                                                      \
        va_start(values, format);                                                                                     \
        if (minor == 2)                                                                                               \
            mpc_glue_before_dispatch(name, format, values);                                                           \
        result = mpc_glue_call_method(object, name, format, values);                                                  \
        va_end(values);                                                                                               \
        return mpc31_method_returned(name, result);                                                                   \
    }                                                                                                                 \
    int prefix##apr_thread_mutex_create(void **mutex, unsigned flags, void *pool)                                     \
    {                                                                                                                 \
        return mpc33_thread_mutex_create(mutex, flags, pool);                                                         \
    }                                                                                                                 \
    int prefix##apr_thread_mutex_lock(void *mutex) { return mpc33_thread_mutex_lock(mutex); }                         \
    int prefix##apr_thread_mutex_unlock(void *mutex) { return mpc33_thread_mutex_unlock(mutex); }                     \
    void prefix##apr_pool_cleanup_register(void *pool, const void *data, int (*plain)(void *), int (*child)(void *))  \
    {                                                                                                                 \
        mpc33_cleanup_register(pool, data, plain, child);                                                             \
    }                                                                                                                 \
    int prefix##apr_global_mutex_create(void **mutex, const char *name, int mechanism, void *pool)                    \
    {                                                                                                                 \
        return modpython_core_global_mutex_create(mutex, name, mechanism, pool);                                      \
    }                                                                                                                 \
    long prefix##ap_get_client_block(void *request, char *buffer, size_t length)                                      \
    {                                                                                                                 \
        return modpython_core_get_client_block(request, buffer, length);                                              \
    }                                                                                                                 \
    int prefix##apr_global_mutex_destroy(void *mutex) { return modpython_core_global_mutex_destroy(mutex); }

REBIND(mpc32_rebind_, 2)
REBIND(mpc33_rebind_, 3)

/* 3.3 has an importer of its own, which stays. */
PyObject *mpc32_rebind_PyImport_ImportModule(const char *name) { return mpc31_rebind_PyImport_ImportModule(name); }

/* In glue31.c. */
#define PHASE(name)                                                                                                   \
    extern void mpc31_rebind_ap_hook_##name(void *, const char *const *, const char *const *, int);                   \
    void mpc32_rebind_ap_hook_##name(void *stock, const char *const *before, const char *const *after, int order)     \
    {                                                                                                                 \
        mpc31_rebind_ap_hook_##name(stock, before, after, order);                                                     \
    }

PHASE(post_config)
MPC_PHASES(PHASE)

extern void *mpc31_rebind_apr_hash_get(void *hash, const void *key, ptrdiff_t length);

void *mpc32_rebind_apr_hash_get(void *hash, const void *key, ptrdiff_t length)
{
    return mpc31_rebind_apr_hash_get(hash, key, length);
}
