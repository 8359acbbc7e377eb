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
#include <stddef.h>
#include <stdint.h>
#if PY_VERSION_HEX < 0x030B0000
#include <frameobject.h>
#elif PY_VERSION_HEX < 0x030C0000
#include <internal/pycore_frame.h>
#endif

/*
 * 0 if the function has no such variable; else 1, and a new reference, or NULL if it is not set. From 3.12 on a
 * variable that is not set counts as none. There is no exception either way. `name` is interned, as the names in code
 * objects are, so that addresses decide. The GIL is held.
 */
int mpc_glue_local(PyObject *name, PyObject **value)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyFrameObject *frame = PyEval_GetFrame();

    *value = frame != NULL ? PyFrame_GetVar(frame, name) : NULL;
    if (*value == NULL)
        PyErr_Clear();
    return *value != NULL;
#else
    PyObject *names, *found = NULL, **values;
    /* Where a variable was found last, by its name's address. It is the GIL that guards them. */
    static ptrdiff_t places[8];
    ptrdiff_t *place = &places[((uintptr_t)name >> 4) % 8], size, i;
    int is_there = 0;
#if PY_VERSION_HEX >= 0x030B0000
    _PyInterpreterFrame *frame = PyThreadState_Get()->cframe->current_frame;

    *value = NULL;
    if (frame == NULL)
        return 0;
    names = frame->f_code->co_localsplusnames;
    values = frame->localsplus;
#else
    PyFrameObject *frame = PyEval_GetFrame();

    *value = NULL;
    if (frame == NULL)
        return 0;
    names = frame->f_code->co_varnames;
    values = frame->f_localsplus;
#endif
    size = PyTuple_GET_SIZE(names);
    i = *place;
    if (i >= size || PyTuple_GET_ITEM(names, i) != name)
        for (i = 0; i < size && PyTuple_GET_ITEM(names, i) != name; i++)
            ;
    if (i < size) {
        is_there = 1;
        found = values[i];
        *place = i;
    }
#if PY_VERSION_HEX < 0x030B0000
    /*
     * A variable that an inner function uses too (a comprehension is one in Python 3) is in a cell, behind the others;
     * if it is an argument, its own place is empty.
     */
    names = frame->f_code->co_cellvars;
    for (i = 0; found == NULL && i < PyTuple_GET_SIZE(names); i++) {
        if (PyTuple_GET_ITEM(names, i) != name)
            continue;
        is_there = 1;
        found = values[frame->f_code->co_nlocals + i];
    }
#endif
    if (found != NULL && PyCell_Check(found))
        found = PyCell_GET(found);
    Py_XINCREF(found);
    *value = found;
    return is_there;
#endif
}

#if PY_MAJOR_VERSION < 3
/* The thread of a state, and the frame that it is in (borrowed; NULL if none), which no header of ours mirrors. */
long mpc_glue_thread_id(PyThreadState *state)
{
    return state->thread_id;
}

PyObject *mpc_glue_thread_frame(PyThreadState *state)
{
    return (PyObject *)state->frame;
}
#endif
