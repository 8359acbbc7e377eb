/*
 * What Rust cannot say: fields of CPython's structures, functions whose name depends on the Python version, and
 * Apache's and APR's functions, which are weak here so that programs without Apache (the tests) link.
 *
 * Compiled against Python's headers alone. Apache's and APR's declarations below state their published C interface.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdio.h>
#include <string.h>

/* What this library is, read from the file by modpython-relink: lines of key=value. */
const char modpython_core_build_info[] =
    "version=" MPC_VERSION "\n"
    "python=" MPC_PYTHON "\n"
    "libpython=" MPC_LIBPYTHON "\n"
    "abi=0\n";

/*
 * PyThreadState_Clear for a state that its thread goes on using.
 *
 * Up to 3.12 it calls the state's on_delete hook, by which `threading` notices that a thread has ended. The thread has
 * not ended, and a second clear would call the hook with freed data (grisha/mod_python issues 100, 122, 124). So the
 * hook is set aside meanwhile, and stays for the real end of the state.
 */
void mpc_glue_clear_thread_state(PyThreadState *state)
{
#if PY_VERSION_HEX < 0x030D0000
    void (*on_delete)(void *) = state->on_delete;
    void *on_delete_data = state->on_delete_data;

    state->on_delete = NULL;
    PyThreadState_Clear(state);
    if (state->on_delete == NULL) {
        state->on_delete = on_delete;
        state->on_delete_data = on_delete_data;
    }
#else
    PyThreadState_Clear(state);
#endif
}

int mpc_glue_is_finalizing(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    return Py_IsFinalizing();
#else
    return _Py_IsFinalizing();
#endif
}

PyThreadState *mpc_glue_attached_state(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_GetUnchecked();
#else
    return _PyThreadState_UncheckedGet();
#endif
}

/*
 * An int of this value that nothing but the caller refers to, so that its reference count may change without the GIL:
 * a new reference, or NULL without memory. Small ints are shared by all of Python; from 3.12 on they are immortal and
 * no count is kept, before that the value is copied into an object of its own.
 */
PyObject *mpc_glue_private_int(long value)
{
    PyObject *number = PyLong_FromLong(value);

#if PY_VERSION_HEX < 0x030C0000
    if (number != NULL && Py_REFCNT(number) > 1) {
        /* One digit, since all cached ints have one at most. The head up to the type is the allocator's. */
        size_t head = sizeof(PyObject);
        size_t size = (size_t)(PyLong_Type.tp_basicsize + PyLong_Type.tp_itemsize);
        PyObject *copy = PyType_GenericAlloc(&PyLong_Type, 1);

        if (copy != NULL)
            memcpy((char *)copy + head, (char *)number + head, size - head);
        Py_DECREF(number);
        number = copy;
    }
#endif
    return number;
}

/* Apache. httpd 2.4 has ap_log_error_, 2.0 and 2.2 ap_log_error, which takes no module index. */
extern void ap_log_error_(const char *file, int line, int module_index, int level, int status, const void *server,
                          const char *format, ...) __attribute__((weak));
extern void ap_log_error(const char *file, int line, int level, int status, const void *server,
                         const char *format, ...) __attribute__((weak));
extern void *ap_server_conf __attribute__((weak));

/* Writes one line to the server's error log (to stderr where there is no Apache). `level` is syslog's. */
void mpc_host_log(int level, const char *message)
{
    const void *server = &ap_server_conf != NULL ? ap_server_conf : NULL;

    if (ap_log_error_ != NULL)
        ap_log_error_("modpython-core", 0, -1, level, 0, server, "%s", message);
    else if (ap_log_error != NULL)
        ap_log_error("modpython-core", 0, level, 0, server, "%s", message);
    else
        fprintf(stderr, "%s\n", message);
}
