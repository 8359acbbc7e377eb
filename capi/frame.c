/*
 * A local variable of the Python function that has called us.
 *
 * Up to 3.11 the public way, f_locals, builds a dict of all of them, and raises and drops a KeyError for each that is
 * not set: some 10,000 instructions in mod_python's dispatcher, a fifth of what a whole small request takes. So the
 * variable is read where it is: in the frame object up to 3.10, in the interpreter's own frame in 3.11. From 3.12 on
 * PyFrame_GetVar reads one variable.
 */
#include <patchlevel.h>
#if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030C0000
/* 3.11 has the frame's structure in an internal header alone; it is installed with the others. */
#define Py_BUILD_CORE 1
#endif
#include <Python.h>
#if PY_VERSION_HEX < 0x030B0000
#include <frameobject.h>
#elif PY_VERSION_HEX < 0x030C0000
#include <internal/pycore_frame.h>
#endif

/*
 * A new reference, or NULL without an exception if there is no such variable or it is not set. `name` is interned, as
 * the names in code objects are, so that addresses decide. The GIL is held.
 */
PyObject *mpc_glue_local(PyObject *name)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyFrameObject *frame = PyEval_GetFrame();
    PyObject *value = frame != NULL ? PyFrame_GetVar(frame, name) : NULL;

    if (value == NULL)
        PyErr_Clear();
    return value;
#else
    PyObject *names, *value, **values;
    Py_ssize_t i;
#if PY_VERSION_HEX >= 0x030B0000
    _PyInterpreterFrame *frame = PyThreadState_Get()->cframe->current_frame;

    if (frame == NULL)
        return NULL;
    names = frame->f_code->co_localsplusnames;
    values = frame->localsplus;
#else
    PyFrameObject *frame = PyEval_GetFrame();

    if (frame == NULL)
        return NULL;
    names = frame->f_code->co_varnames;
    values = frame->f_localsplus;
#endif
    for (i = 0; i < PyTuple_GET_SIZE(names); i++) {
        if (PyTuple_GET_ITEM(names, i) != name)
            continue;
        value = values[i];
        /* A variable that an inner function uses too is in a cell. */
        if (value != NULL && PyCell_Check(value))
            value = PyCell_GET(value);
        Py_XINCREF(value);
        return value;
    }
    return NULL;
#endif
}

#if PY_MAJOR_VERSION < 3
/* The thread of a state, and the frame that it is in (borrowed; NULL if none). No header of ours mirrors the structure. */
long mpc_glue_thread_id(PyThreadState *state)
{
    return state->thread_id;
}

PyObject *mpc_glue_thread_frame(PyThreadState *state)
{
    return (PyObject *)state->frame;
}
#endif
