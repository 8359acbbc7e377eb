/*
 * What the files of the glue share.
 */
#ifndef MPC_GLUE_H
#define MPC_GLUE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdarg.h>

/* PyObject_CallMethod with its values in a list. */
PyObject *mpc_glue_call_method(PyObject *object, const char *name, const char *format, va_list values);

#endif
