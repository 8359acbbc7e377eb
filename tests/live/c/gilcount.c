/* Counts how often the GIL is taken from outside of libpython: preloaded into httpd, read by gilcount.py.
 *
 * Calls from within libpython are left out: a handler that reads a file gives the GIL up and takes it again, and
 * get_interpreter has no part in that.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>

unsigned long gilcount_taken;

static void count(const void *caller)
{
    Dl_info info;
    if (dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, "libpython"))
        return;
    __atomic_add_fetch(&gilcount_taken, 1, __ATOMIC_RELAXED);
}

/* Looked up at each call: httpd unloads mod_python and with it libpython between its configuration passes. */
static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

void PyEval_RestoreThread(void *state)
{
    count(__builtin_return_address(0));
    ((void (*)(void *))next("PyEval_RestoreThread"))(state);
}

void PyEval_AcquireThread(void *state)
{
    count(__builtin_return_address(0));
    ((void (*)(void *))next("PyEval_AcquireThread"))(state);
}

void PyEval_AcquireLock(void)
{
    count(__builtin_return_address(0));
    ((void (*)(void))next("PyEval_AcquireLock"))();
}

int PyGILState_Ensure(void)
{
    count(__builtin_return_address(0));
    return ((int (*)(void))next("PyGILState_Ensure"))();
}
