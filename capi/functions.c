/*
 * Functions under another module's name. A module of 20,000 lines has thousands of them; in Python a tenth of what its
 * first load takes would go into this.
 */
#include <Python.h>

#if PY_MAJOR_VERSION < 3
#define IS_TEXT(object) PyString_CheckExact(object)
#else
#define IS_TEXT(object) PyUnicode_CheckExact(object)
#endif

/*
 * Functions in the values of a dict whose __module__ is `name` get `other`. The rest of the values is returned, as a
 * new list, or NULL with an exception. `name` is a string. No Python code runs here, so that the dict stays as it is.
 * The GIL is held.
 */
PyObject *mpc_glue_rename_functions(PyObject *values, PyObject *name, PyObject *other)
{
    PyObject *rest = PyList_New(0), *key, *value;
    Py_ssize_t at = 0;

    if (rest == NULL)
        return NULL;
    while (PyDict_Next(values, &at, &key, &value)) {
        if (Py_TYPE(value) == &PyFunction_Type) {
            PyFunctionObject *function = (PyFunctionObject *)value;
            PyObject *module = function->func_module;

            if (module == name ||
                (module != NULL && IS_TEXT(module) && PyObject_RichCompareBool(module, name, Py_EQ) == 1)) {
                Py_INCREF(other);
                function->func_module = other;
                Py_DECREF(module);
            }
        } else if (PyList_Append(rest, value) < 0) {
            Py_DECREF(rest);
            return NULL;
        }
    }
    return rest;
}
