/*
 * Calls of mod_python into APR and CPython that are answered in another way, because the originals, as mod_python uses
 * them, lose memory or data. Each remedy has a name, by which MODPYTHON_CORE_DISABLE leaves it out.
 *
 * APR's functions are weak, so that programs without Apache link. Their declarations state their published C interface.
 */
#include "glue.h"
#include <stdio.h>

/* In Rust. */
extern int modpython_core_cures(const char *remedy);

extern void *apr_pool_parent_get(void *pool) __attribute__((weak));
extern int apr_pool_userdata_get(void **data, const char *key, void *pool) __attribute__((weak));
extern int apr_pool_userdata_set(const void *data, const char *key, int (*cleanup)(void *), void *pool)
    __attribute__((weak));
extern char *apr_pstrdup(void *pool, const char *text) __attribute__((weak));
extern int apr_global_mutex_create(void **mutex, const char *name, int mechanism, void *pool) __attribute__((weak));
extern int apr_global_mutex_destroy(void *mutex) __attribute__((weak));
extern void *apr_bucket_immortal_create(const char *data, size_t length, void *list) __attribute__((weak));
extern void *apr_bucket_heap_create(const char *data, size_t length, void (*give_up)(void *), void *list)
    __attribute__((weak));

/*
 * Sessions. mod_python makes its global mutexes in the pool of the configuration, which a graceful restart empties,
 * while the old children go on with them: each Session of theirs fails, or hangs. So they are made in that pool's
 * parent, which is the one of the whole server, and are found there by their names at the next restart.
 */
#define MUTEX_NAMED "modpython-core mutex "
#define MUTEX_AT "modpython-core mutex at %p"

/* In Rust: the first thing that each release's python_init tells us of the pool of the configuration. */
extern void mpc_configuration_read(void *pool);

int modpython_core_global_mutex_create(void **mutex, const char *name, int mechanism, void *pool)
{
    void *server = name != NULL && modpython_core_cures("sessions") ? apr_pool_parent_get(pool) : NULL;
    char key[512], place[64];
    void *known = NULL;
    int status;

    mpc_configuration_read(pool);
    if (server == NULL || snprintf(key, sizeof(key), MUTEX_NAMED "%s", name) >= (int)sizeof(key))
        return apr_global_mutex_create(mutex, name, mechanism, pool);
    apr_pool_userdata_get(&known, key, server);
    if (known != NULL) {
        *mutex = known;
        return 0;
    }
    status = apr_global_mutex_create(mutex, apr_pstrdup(server, name), mechanism, server);
    if (status == 0) {
        snprintf(place, sizeof(place), MUTEX_AT, *mutex);
        apr_pool_userdata_set(*mutex, key, NULL, server);
        /* By which the one that is destroyed is found, and the pool that it is in. */
        apr_pool_userdata_set(apr_pstrdup(server, key), place, NULL, server);
    }
    return status;
}

/* The first field of a global mutex is its pool. */
int modpython_core_global_mutex_destroy(void *mutex)
{
    void *server = *(void **)mutex, *key = NULL;
    char place[64];

    snprintf(place, sizeof(place), MUTEX_AT, mutex);
    apr_pool_userdata_get(&key, place, server);
    if (key != NULL) {
        apr_pool_userdata_set(NULL, key, NULL, server);
        apr_pool_userdata_set(NULL, place, NULL, server);
    }
    return apr_global_mutex_destroy(mutex);
}

/*
 * Output filters. 3.5 makes a bucket of memory that is said to live for ever out of a string of Python's, which does
 * not: what is sent later may be another user's data. APR copies what is given without a function that frees it.
 */
void *modpython_core_bucket_create(const char *data, size_t length, void *list)
{
    if (!modpython_core_cures("buckets"))
        return apr_bucket_immortal_create(data, length, list);
    return apr_bucket_heap_create(data, length, NULL, list);
}

/*
 * req.read. After a first read of a body that has failed (the client has sent nothing for as long as Timeout says) it
 * tries again, and counts the -1 that it was answered: one byte before its string. If the client goes on now, that byte
 * is written over, and the string begins with the second one: an abort up to 3.2, a wrong body from 3.3 on. The second
 * read is answered as the first one was, which mod_python takes for what it is.
 */
extern long ap_get_client_block(void *request, char *buffer, size_t length) __attribute__((weak));

__thread char *mpc_glue_failed_read;

long modpython_core_get_client_block(void *request, char *buffer, size_t length)
{
    char *failed = mpc_glue_failed_read;
    long got = -1;

    if (failed == NULL || buffer + 1 != failed || !modpython_core_cures("reads"))
        got = ap_get_client_block(request, buffer, length);
    mpc_glue_failed_read = got < 0 ? buffer : NULL;
    return got;
}

/*
 * 3.0 and 3.1 append new tuples to lists, in parse_qsl and in the tree of the configuration, and keep the reference
 * that they have, as `kept` says. Whatever else they append is no tuple, or is given up as it should be.
 */
int modpython_core_list_append(PyObject *list, PyObject *item, int kept)
{
    int status = PyList_Append(list, item);

    /* One reference is the list's, and the other nobody's. */
    if (status == 0 && kept && PyTuple_CheckExact(item) && Py_REFCNT(item) == 2 && modpython_core_cures("parse-qsl")) {
        Py_DECREF(item);
    }
    return status;
}
