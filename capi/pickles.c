/*
 * Unpicklers, where several handlers' directories have modules of one name: the shim finds the class that is meant.
 * The type of an Unpickler stays the object that it is; no frame of ours is on the stack meanwhile.
 */
#include <Python.h>

#if PY_MAJOR_VERSION >= 3

/* A type that has our find_class, and the method that it had. They live as long as the process: a type ends with its
 * interpreter, and those end with the process. */
struct watched {
    PyTypeObject *type;
    PyObject *original, *ours;
    struct watched *next;
};

/* It is the GIL that guards it. */
static struct watched *all_watched;

static struct watched *watched_for(PyTypeObject *type)
{
    struct watched *one;

    for (one = all_watched; one != NULL; one = one->next)
        if (PyType_IsSubtype(type, one->type))
            return one;
    return NULL;
}

/* The names of the modules that are meant by that name, as a new list; NULL, perhaps without an exception. */
static PyObject *meant_by(PyObject *module)
{
    PyObject *shim = PyDict_GetItemString(PyImport_GetModuleDict(), "modpython_core.siblings");
    PyObject *function = shim != NULL ? PyObject_GetAttrString(shim, "in_pickle") : NULL;
    PyObject *names = function != NULL ? PyObject_CallFunctionObjArgs(function, module, NULL) : NULL;

    Py_XDECREF(function);
    if (names != NULL && !PyList_Check(names)) {
        Py_DECREF(names);
        return NULL;
    }
    return names;
}

static PyObject *find_class(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct watched *watched = watched_for(Py_TYPE(self));
    PyObject *names = NULL, *all, *found;
    Py_ssize_t at;

    if (watched == NULL) {
        PyErr_SetString(PyExc_SystemError, "modpython-core: an Unpickler that it has not met");
        return NULL;
    }
    if (count == 2 && PyUnicode_Check(args[0])) {
        names = meant_by(args[0]);
        if (names == NULL && PyErr_Occurred())
            return NULL;
    }
    for (at = 0; names != NULL && at < PyList_GET_SIZE(names); at++) {
        found = PyObject_CallFunctionObjArgs(watched->original, self, PyList_GET_ITEM(names, at), args[1], NULL);
        if (found != NULL
            || !(PyErr_ExceptionMatches(PyExc_ImportError) || PyErr_ExceptionMatches(PyExc_AttributeError))) {
            Py_DECREF(names);
            return found;
        }
        PyErr_Clear();
    }
    Py_XDECREF(names);
    all = PyTuple_New(count + 1);
    if (all == NULL)
        return NULL;
    Py_INCREF(self);
    PyTuple_SET_ITEM(all, 0, self);
    for (at = 0; at < count; at++) {
        Py_INCREF(args[at]);
        PyTuple_SET_ITEM(all, at + 1, args[at]);
    }
    found = PyObject_Call(watched->original, all, NULL);
    Py_DECREF(all);
    return found;
}

static PyMethodDef definition = {
    "find_class", (PyCFunction)(void (*)(void))find_class, METH_FASTCALL,
    "find_class($self, module_name, global_name, /)\n--\n\nReturn an object from a specified module."
};

/* From now on instances of the type, _pickle.Unpickler, ask the shim. -1 with an exception on failure. */
int mpc_glue_watch_pickles(PyObject *type)
{
    PyObject *names, *original;
    struct watched *watched;

    if (!PyType_Check(type)) {
        PyErr_SetString(PyExc_TypeError, "watch_pickles() takes a type");
        return -1;
    }
    names = ((PyTypeObject *)type)->tp_dict;
    original = PyDict_GetItemString(names, "find_class");
    watched = watched_for((PyTypeObject *)type);
    if (original == NULL || (watched != NULL && watched->ours == original))
        return 0;
    if (watched == NULL) {
        watched = PyMem_RawCalloc(1, sizeof *watched);
        if (watched == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        watched->next = all_watched;
        all_watched = watched;
    }
    watched->type = (PyTypeObject *)type;
    Py_INCREF(original);
    watched->original = original;
    watched->ours = PyDescr_NewMethod((PyTypeObject *)type, &definition);
    if (watched->ours == NULL || PyDict_SetItemString(names, "find_class", watched->ours) < 0)
        return -1;
    PyType_Modified((PyTypeObject *)type);
    return 0;
}

#else

/* The functions of cPickle that read, as they were. */
static PyCFunction of_loads, of_load, of_unpickler;

static PyObject *make_unpickler(PyObject *self, PyObject *file)
{
    PyObject *made = of_unpickler(self, file), *shim, *find;

    if (made == NULL)
        return NULL;
    shim = PyDict_GetItemString(PyImport_GetModuleDict(), "modpython_core.pickles");
    find = shim != NULL ? PyObject_GetAttrString(shim, "find_global") : NULL;
    if (find == NULL)
        /* An interpreter without the shim. */
        PyErr_Clear();
    else if (PyObject_SetAttrString(made, "find_global", find) < 0) {
        Py_DECREF(made);
        made = NULL;
    }
    Py_XDECREF(find);
    return made;
}

static PyObject *load(PyObject *self, PyObject *file)
{
    PyObject *unpickler = make_unpickler(self, file), *loaded;

    if (unpickler == NULL)
        return NULL;
    loaded = PyObject_CallMethod(unpickler, "load", NULL);
    Py_DECREF(unpickler);
    return loaded;
}

static PyObject *loads(PyObject *self, PyObject *args)
{
    PyObject *text, *module, *file = NULL, *loaded;

    if (!PyArg_ParseTuple(args, "S:loads", &text))
        return NULL;
    module = PyImport_ImportModule("cStringIO");
    if (module != NULL)
        file = PyObject_CallMethod(module, "StringIO", "O", text);
    Py_XDECREF(module);
    if (file == NULL)
        return NULL;
    loaded = load(self, file);
    Py_DECREF(file);
    return loaded;
}

static struct {
    const char *name;
    PyCFunction ours, *original;
    int flags;
    PyMethodDef definition;
} functions[] = {
    {"loads", loads, &of_loads, METH_VARARGS, {NULL, NULL, 0, NULL}},
    {"load", load, &of_load, METH_O, {NULL, NULL, 0, NULL}},
    {"Unpickler", make_unpickler, &of_unpickler, METH_O, {NULL, NULL, 0, NULL}},
};

/* From now on the functions of the module, cPickle, ask the shim. -1 with an exception on failure. The GIL is held. */
int mpc_glue_watch_pickles(PyObject *module)
{
    size_t at, count = sizeof functions / sizeof *functions;
    PyCFunctionObject *found[sizeof functions / sizeof *functions];
    int are_known = 1;

    for (at = 0; at < count; at++) {
        found[at] = (PyCFunctionObject *)PyObject_GetAttrString(module, (char *)functions[at].name);
        if (found[at] == NULL)
            return -1;
        /* Held by the module, and by us for ever. */
        are_known = are_known && PyCFunction_Check((PyObject *)found[at]) && found[at]->m_ml->ml_flags == functions[at].flags
            && found[at]->m_ml->ml_meth != functions[at].ours;
    }
    if (!are_known)
        return 0;
    for (at = 0; at < count; at++) {
        functions[at].definition = *found[at]->m_ml;
        *functions[at].original = found[at]->m_ml->ml_meth;
        functions[at].definition.ml_meth = functions[at].ours;
        found[at]->m_ml = &functions[at].definition;
    }
    return 0;
}

#endif
