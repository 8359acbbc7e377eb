/*
 * Declarations for all files of the glue.
 */
#ifndef MPC_GLUE_H
#define MPC_GLUE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdarg.h>
#include <stddef.h>

/* Python 2.4 has ints in their place, for sizes and for counts of references. */
#if PY_VERSION_HEX < 0x02050000
typedef int Py_ssize_t;
#endif

/* Before Python 2.6 these had no names. */
#ifndef Py_TYPE
#define Py_TYPE(object) (((PyObject *)(object))->ob_type)
#define Py_REFCNT(object) (((PyObject *)(object))->ob_refcnt)
#endif

/* PyObject_CallMethod with its values in a list. */
PyObject *mpc_glue_call_method(PyObject *object, const char *name, const char *format, va_list values);

#if PY_MAJOR_VERSION >= 3
/* In states.c: a number that no thread state of this process has had. */
uint64_t mpc_glue_new_state_id(void);
#endif

/* In remedies.c: where this thread's last read of a body was to put something, if it failed. */
extern __thread char *mpc_glue_failed_read __attribute__((visibility("hidden")));

/* In states.c: empties a thread state. */
void mpc_glue_empty_state(PyThreadState *state);

/* Of the hooks of httpd that a module of 3.0 to 3.2 takes, those with a request. */
#define MPC_PHASES(phase)    \
    phase(post_read_request) \
    phase(translate_name)    \
    phase(header_parser)     \
    phase(access_checker)    \
    phase(check_user_id)     \
    phase(auth_checker)      \
    phase(type_checker)      \
    phase(fixups)            \
    phase(handler)           \
    phase(log_transaction)

#endif
