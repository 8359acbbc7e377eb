/*
 * The GIL as such, for Python 3.
 *
 * mod_python 3.1.x takes and gives up the GIL with no thread state. Python 3 still has the functions for that (up to
 * 3.12), but crashes in them without a state. So there the calls of PyEval_AcquireLock and PyEval_ReleaseLock in
 * mod_python.c come here, and take the GIL with a state that the calling thread has in the main interpreter.
 */

#include "mod_python.h"

#if PY_MAJOR_VERSION >= 3

static __thread PyThreadState *mine;

static PyThreadState *state_of_thread(void)
{
    if (mine == NULL)
        mine = PyThreadState_New(PyInterpreterState_Main());
    ap_assert(mine != NULL);
    return mine;
}

void barelock_acquire(void)
{
    PyEval_RestoreThread(state_of_thread());
}

void barelock_release(void)
{
    /* After Py_Finalize there is nothing to give up. */
    if (!Py_IsInitialized())
        return;
    if (_PyThreadState_UncheckedGet() == NULL)
        PyThreadState_Swap(state_of_thread());
    mine = PyEval_SaveThread();
}

#endif
