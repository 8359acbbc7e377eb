/*
 * The second of the two headers that a patched mod_python.c includes: after the stock functions of the interpreter
 * path, and above all their callers, in front of the comment on python_cleanup.
 *
 * The callers below get the library's functions, and calls that take no heed of threads are mended by macros.
 */
#ifndef MODPYTHON_CORE_BEFORE_H
#error "modpython-core/after.h without modpython-core/before.h: apply the whole patch to src/mod_python.c"
#endif
#ifdef MODPYTHON_CORE_AFTER_H
#error "modpython-core/after.h is included twice: this mod_python.c is patched twice; take one of the patches back"
#endif
#define MODPYTHON_CORE_AFTER_H

#include <string.h>

#undef get_interpreter
#undef release_interpreter
#undef save_interpreter

/* The library's defaults for hosts that have none would collide with the static functions above. */
#define make_interpreter mpc_default_make_interpreter
#define make_obcallback mpc_default_make_obcallback
#include <modpython-core/modpython_core.h>
#undef make_interpreter
#undef make_obcallback

#define MPC_UNUSED __attribute__((unused))

/* The host's functions are registered when the module is loaded, at each restart anew. */
#if MODPYTHON_CORE_GENERATION == 301

static void __attribute__((constructor)) mpc_register_host(void)
{
    static const mpc31_host host = {
        (void *(*)(const char *, void *))mpc_stock_get_interpreter,
        mpc_stock_release_interpreter,
        (PyInterpreterState *(*)(const char *, void *))make_interpreter,
        (PyObject *(*)(void *))make_obcallback,
    };

    mpc31_register_host(&host);
}

static interpreterdata *mpc_get_interpreter(const char *name, server_rec *server)
{
    return (interpreterdata *)get_interpreter(name, server);
}

#define get_interpreter mpc_get_interpreter
#undef PyOS_AfterFork
#define PyOS_AfterFork mpc31_after_fork

#elif MODPYTHON_CORE_GENERATION == 302

static void __attribute__((constructor)) mpc_register_host(void)
{
    static const mpc32_host host = {
        (void *(*)(const char *, void *))mpc_stock_get_interpreter,
        mpc_stock_release_interpreter,
#if MODPYTHON_CORE_SAVES
        (void *(*)(const char *, PyInterpreterState *))mpc_stock_save_interpreter,
#else
        NULL,
#endif
        (PyInterpreterState *(*)(const char *, void *))make_interpreter,
        (PyObject *(*)(char *, void *))make_obcallback,
    };

    mpc32_register_host(&host);
}

static interpreterdata *mpc_get_interpreter(const char *name, server_rec *server)
{
    return (interpreterdata *)mpc32_get_interpreter(name, server);
}

#define get_interpreter mpc_get_interpreter
#define release_interpreter mpc32_release_interpreter
#undef PyOS_AfterFork
#if MODPYTHON_CORE_SAVES
#define save_interpreter mpc32_save_interpreter
#define PyOS_AfterFork mpc32_after_fork
#else
#define PyOS_AfterFork mpc32_after_fork_alone
#endif

#elif MODPYTHON_CORE_GENERATION == 303

static void __attribute__((constructor)) mpc_register_host(void)
{
    static const mpc33_host host = {
        (void *(*)(const char *))mpc_stock_get_interpreter,
        mpc_stock_release_interpreter,
        (void *(*)(const char *, PyInterpreterState *))mpc_stock_save_interpreter,
        (PyInterpreterState *(*)(const char *))make_interpreter,
        (PyObject *(*)(char *))make_obcallback,
    };

    mpc33_register_host(&host);
}

static interpreterdata *mpc_get_interpreter(const char *name)
{
    return (interpreterdata *)mpc33_get_interpreter(name);
}

#define get_interpreter mpc_get_interpreter
#define release_interpreter mpc33_release_interpreter
#define save_interpreter mpc33_save_interpreter
#undef PyOS_AfterFork
#define PyOS_AfterFork mpc33_after_fork

#else

static void __attribute__((constructor)) mpc_register_host(void)
{
    static const mpc35_host host = {
        (void *(*)(const char *))mpc_stock_get_interpreter,
        (void (*)(void *))mpc_stock_release_interpreter,
        (void *(*)(const char *, PyThreadState *))mpc_stock_save_interpreter,
        make_obcallback,
    };

    mpc35_register_host(&host);
}

static interpreterdata *mpc_get_interpreter(const char *name)
{
    return (interpreterdata *)mpc35_get_interpreter(name);
}

static void mpc_release_interpreter(interpreterdata *data)
{
    mpc35_release_interpreter((mpc35_interpreterdata *)data);
}

static interpreterdata *mpc_save_interpreter(const char *name, PyThreadState *state)
{
    return (interpreterdata *)mpc35_save_interpreter(name, state);
}

#define get_interpreter mpc_get_interpreter
#define release_interpreter mpc_release_interpreter
#define save_interpreter mpc_save_interpreter
#undef PyOS_AfterFork
#define PyOS_AfterFork mpc35_after_fork
#undef PyOS_AfterFork_Child
#define PyOS_AfterFork_Child mpc35_after_fork

/* A second one after a graceful restart is fatal from Python 3.12 on, or leaves a pointer into the unloaded module. */
#define PyImport_AppendInittab(name, init) modpython_core_append_inittab((name), (mpc_init_function)(init))

#endif

/* After a graceful restart Python is initialised already; the caller goes on as if it held the GIL. */
#define Py_Initialize modpython_core_initialize
#if MODPYTHON_CORE_GENERATION == 301
/*
 * python_init, which alone asks, makes its dict only if it has to initialise Python. Without one the stock functions,
 * which serve while the library is switched off, hang after such a restart.
 */
#define Py_IsInitialized() 0
#endif

#if MODPYTHON_CORE_GENERATION == 302 || MODPYTHON_CORE_GENERATION == 303
/* python_init gives the GIL up and leaves its thread state current. */
#define PyEval_ReleaseLock modpython_core_release_lock
#endif

/* A handler's result is looked at, and given up, after the GIL. */
#undef PyObject_CallMethod
#define PyObject_CallMethod modpython_core_call_method

#if MODPYTHON_CORE_GENERATION == 301

/*
 * python_merge_config: APR allocates in the pool of the second table, which is one of the whole process, in all
 * threads at once (MODPYTHON-75). 3.2 mended that itself.
 */
static void mpc_table_overlap(apr_table_t *table, const apr_table_t *other, unsigned flags)
{
    if (modpython_core_cures("sections"))
        apr_table_overlap(table, apr_table_copy(apr_table_elts(table)->pool, other), flags);
    else
        apr_table_overlap(table, other, flags);
}

#define apr_table_overlap mpc_table_overlap

#endif

#if MODPYTHON_CORE_GENERATION == 301 || MODPYTHON_CORE_GENERATION == 302
/*
 * python_handler: each phase of a request made a list of handlers and forgot the one before, with its pool. Where no
 * request object is at hand, there is nothing to forget. From 3.3 on python_handler gives the list of the phase before
 * up itself, directly before this call, and leaves the field as it is: what it points to then is no longer ours.
 */
static requestobject *const request_obj MPC_UNUSED = NULL;

static PyObject *mpc_new_handlers(requestobject *request, hl_entry *handlers)
{
    if (request != NULL && request->hlo != NULL && modpython_core_cures("handler-lists")) {
        PyObject *before = (PyObject *)request->hlo;

        request->hlo = NULL;
        Py_DECREF(before);
    }
    return MpHList_FromHLEntry(handlers);
}

#define MpHList_FromHLEntry(hle) mpc_new_handlers(request_obj, (hle))

/*
 * python_handler: the handlers that the request has added to a phase are part of what the directives say of it. `req`
 * is that function's parameter; where there is none, nothing is added.
 */
static request_rec *const req MPC_UNUSED = NULL;

#define apr_hash_get(hash, key, length) modpython_core_hash_get((hash), (key), (length), req)

/* Before httpd reads the module's directives. */
static void __attribute__((constructor)) mpc_mend_module(void)
{
    modpython_core_mend_module(&python_module, &MpRequest_Type);
}
#else
/* Before Python makes the type of it: req.add_handler keeps the phases that it is called with. */
static void __attribute__((constructor)) mpc_keep_phases(void) { modpython_core_keep_phases(&MpRequest_Type); }
#endif

#if MODPYTHON_CORE_GENERATION == 301 || MODPYTHON_CORE_GENERATION == 302
/*
 * PythonChildInitHandler: python_finalize, the one cleanup without data, runs in the handler of the signal that ends
 * the child, and takes the GIL, which the interrupted thread may hold (MODPYTHON-109). From 3.3 on it is not
 * registered.
 */
static void mpc_cleanup_register(apr_pool_t *pool, const void *data, apr_status_t (*plain)(void *),
                                 apr_status_t (*child)(void *))
{
    if (data != NULL || !modpython_core_cures("end"))
        apr_pool_cleanup_register(pool, data, plain, child);
}

#define apr_pool_cleanup_register mpc_cleanup_register
#endif

/* init_mutexes: a graceful restart removes the mutexes of sessions while the old children go on with them. */
#define apr_global_mutex_create(mutex, name, mechanism, pool) \
    modpython_core_global_mutex_create((void **)(mutex), (name), (mechanism), (pool))
#define apr_global_mutex_destroy modpython_core_global_mutex_destroy

/*
 * Calls from mod_python's other files, by the linker's options --wrap=apr_pool_cleanup_register and so on:
 * python_decref takes no GIL; and server.register_cleanup of 3.1 keeps the interpreter's name in the pool of a request.
 */
apr_status_t python_decref(void *object);

void __wrap_apr_pool_cleanup_register(apr_pool_t *pool, const void *data, apr_status_t (*plain)(void *),
                                      apr_status_t (*child)(void *)) __attribute__((visibility("hidden")));

void __wrap_apr_pool_cleanup_register(apr_pool_t *pool, const void *data, apr_status_t (*plain)(void *),
                                      apr_status_t (*child)(void *))
{
#if MODPYTHON_CORE_GENERATION == 301
    if (plain == python_cleanup && modpython_core_cures("server-cleanups")) {
        cleanup_info *info = (cleanup_info *)data;

        if (info->request_rec == NULL && info->interpreter != NULL)
            info->interpreter = strdup(info->interpreter);
    }
#endif
    modpython_core_cleanup_register(pool, data, plain, child, plain == python_decref);
}

/* filter_write of 3.5 makes a bucket of a string that does not live as long. */
void *__wrap_apr_bucket_immortal_create(const char *data, size_t length, void *list)
    __attribute__((visibility("hidden")));

void *__wrap_apr_bucket_immortal_create(const char *data, size_t length, void *list)
{
    return modpython_core_bucket_create(data, length, list);
}

/* req.read goes on after a read that has failed, one byte before its string. */
long __wrap_ap_get_client_block(request_rec *request, char *buffer, apr_size_t length)
    __attribute__((visibility("hidden")));

long __wrap_ap_get_client_block(request_rec *request, char *buffer, apr_size_t length)
{
    return modpython_core_get_client_block(request, buffer, length);
}

/* parse_qsl of 3.0 and 3.1 keeps a reference to what it appends. */
int __wrap_PyList_Append(PyObject *list, PyObject *item) __attribute__((visibility("hidden")));

int __wrap_PyList_Append(PyObject *list, PyObject *item)
{
    return modpython_core_list_append(list, item, MODPYTHON_CORE_GENERATION == 301);
}
