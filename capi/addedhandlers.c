/*
 * Handlers that a request adds to a phase to come, by req.add_handler of 3.0 to 3.2. The module keeps them in a table
 * of the request; of a phase that no directive names it then copies a list that is not there, and asks that list for
 * the interpreter's name: the child crashes (MODPYTHON-160 is the latter). And a handler's directory stays as it was
 * given, without a slash, or is absent if none was given (MODPYTHON-161).
 *
 * So the method is another one. It says what the directory is, and keeps the handlers of later phases in the pool of
 * the request; when the module looks for what the directives say of a phase, they are part of the answer. Its own table
 * stays empty.
 *
 * From 3.3 on the module has cured these, but its table still has the text of the caller's string as its key: where
 * nobody keeps that string, as with one put together, the handler does not run. The method keeps one of each phase.
 *
 * The methods hold the GIL. The look-ups do not, but run in the thread of the request.
 */
#include "glue.h"
#include <stdio.h>
#include <string.h>

/* In Rust. */
extern int modpython_core_cures(const char *remedy);

/* APR and httpd, as the server provides them; weak so that programs without Apache link. */
extern void *apr_palloc(void *pool, size_t size) __attribute__((weak));
extern char *apr_pstrdup(void *pool, const char *text) __attribute__((weak));
extern char *apr_pstrcat(void *pool, ...) __attribute__((weak));
extern int apr_pool_userdata_get(void **data, const char *key, void *pool) __attribute__((weak));
extern int apr_pool_userdata_set(const void *data, const char *key, int (*cleanup)(void *), void *pool)
    __attribute__((weak));
extern void *apr_hash_get(void *hash, const void *key, ptrdiff_t length) __attribute__((weak));

/* hl_entry of 3.0 to 3.2. */
struct entry {
    const char *handler, *directory;
    int silent;
    struct entry *next;
};

/* The head of requestobject of 3.0 to 3.2. */
struct request_object {
    PyObject_HEAD
    PyObject *dict;
    void *request;
};

#define REMEDY "added-handlers"
#define PREFIX "Python"

static PyCFunction stock_method;
/* Most servers never have one, and each phase of each request asks. */
static int any_added;

/* A request's first field is its pool. */
static void *pool_of(void *request) { return *(void **)request; }

/* Whether the module's own method accepts it. The module itself refuses the others. */
static int is_phase(const char *name)
{
    static const char *const phases[] = {
        "PythonHandler", "PythonAuthenHandler", "PythonPostReadRequestHandler", "PythonTransHandler",
        "PythonHeaderParserHandler", "PythonAccessHandler", "PythonAuthzHandler", "PythonTypeHandler",
        "PythonFixupHandler", "PythonLogHandler", "PythonInitHandler",
    };
    size_t i;

    for (i = 0; i < sizeof(phases) / sizeof(*phases); i++)
        if (strcmp(name, phases[i]) == 0)
            return 1;
    return 0;
}

#if PY_MAJOR_VERSION >= 3
#define PyString_Check PyUnicode_Check
#define PyString_AsString PyUnicode_AsUTF8
#define PyString_FromString PyUnicode_FromString
#endif

/* A text of this request, in its pool; NULL if the object is not a text. Takes the reference over. */
static const char *kept_text(PyObject *object, void *pool)
{
    const char *text = object != NULL && PyString_Check(object) ? PyString_AsString(object) : NULL;

    if (text != NULL)
        text = apr_pstrdup(pool, text);
    PyErr_Clear();
    Py_XDECREF(object);
    return text;
}

/* The directory of the handler that runs, of a Location its URL; NULL outside of sections. */
static const char *callers_directory(PyObject *self, void *pool)
{
    PyObject *list = PyObject_GetAttrString(self, "hlist");
    const char *directory = kept_text(list == NULL ? NULL : PyObject_GetAttrString(list, "directory"), pool);

    PyErr_Clear();
    Py_XDECREF(list);
    return directory;
}

static void name_list(char *name, size_t size, void *request, const char *phase, size_t length)
{
    /* A request that takes another one's place has the pool of that one. */
    snprintf(name, size, "modpython-core %p %.*s", request, (int)length, phase);
}

static struct entry *added_to(void *request, const char *phase, size_t length)
{
    char name[96];
    void *list = NULL;

    name_list(name, sizeof(name), request, phase, length);
    apr_pool_userdata_get(&list, name, pool_of(request));
    return list;
}

static void keep(void *request, const char *phase, const char *handler, const char *directory)
{
    void *pool = pool_of(request);
    struct entry *added = apr_palloc(pool, sizeof(*added)), *list = added_to(request, phase, strlen(phase));
    char name[96];

    added->handler = apr_pstrdup(pool, handler);
    added->directory = directory;
    added->silent = 0;
    added->next = NULL;
    if (list == NULL) {
        name_list(name, sizeof(name), request, phase, strlen(phase));
        apr_pool_userdata_set(added, name, NULL, pool);
    } else {
        while (list->next != NULL)
            list = list->next;
        list->next = added;
    }
    __atomic_store_n(&any_added, 1, __ATOMIC_RELEASE);
}

static PyObject *add_handler(PyObject *self, PyObject *args)
{
    void *request = ((struct request_object *)self)->request, *pool;
    const char *phase, *handler, *directory = NULL, *running;
    PyObject *complete, *result;

    if (!modpython_core_cures(REMEDY) || request == NULL)
        return stock_method(self, args);
    if (!PyArg_ParseTuple(args, "ss|s", &phase, &handler, &directory)) {
        /* The error is the method's own. */
        PyErr_Clear();
        return stock_method(self, args);
    }
    pool = pool_of(request);
    if (directory == NULL)
        directory = callers_directory(self, pool);
    else if (*directory != '\0' && directory[strlen(directory) - 1] != '/')
        directory = apr_pstrcat(pool, directory, "/", NULL);
    else
        directory = apr_pstrdup(pool, directory);
    running = kept_text(PyObject_GetAttrString(self, "phase"), pool);
    if (running != NULL && strcmp(running, phase) != 0 && is_phase(phase)) {
        keep(request, phase, handler, directory);
        Py_RETURN_NONE;
    }
    if (directory == NULL)
        return stock_method(self, args);
    complete = Py_BuildValue("(sss)", phase, handler, directory);
    if (complete == NULL)
        return NULL;
    result = stock_method(self, complete);
    Py_DECREF(complete);
    return result;
}

/* Of each phase that the module has accepted the string that it was called with. The process keeps them. */
static PyObject *kept_phases;

/* As add_handler of 3.3 and later, with a string that is kept. Its errors are the module's. */
static PyObject *add_handler_to_kept_phase(PyObject *self, PyObject *args)
{
    PyObject *given = PyTuple_GET_SIZE(args) > 0 ? PyTuple_GET_ITEM(args, 0) : NULL;
    const char *text = given != NULL && PyString_Check(given) ? PyString_AsString(given) : NULL;
    PyObject *phase = NULL, *kept, *complete = NULL, *result = NULL;

    PyErr_Clear();
    if (text == NULL || !modpython_core_cures(REMEDY))
        return stock_method(self, args);
    if (kept_phases == NULL)
        kept_phases = PyDict_New();
    if (kept_phases != NULL)
        phase = PyString_FromString(text);
    if (phase != NULL)
        complete = PySequence_List(args);
    if (complete != NULL) {
        kept = PyDict_GetItem(kept_phases, phase);
        Py_INCREF(kept == NULL ? phase : kept);
        PyList_SetItem(complete, 0, kept == NULL ? phase : kept);
        args = PyList_AsTuple(complete);
        Py_DECREF(complete);
        if (args != NULL) {
            result = stock_method(self, args);
            Py_DECREF(args);
        }
        if (result != NULL && kept == NULL && PyDict_SetItem(kept_phases, phase, phase) != 0)
            Py_CLEAR(result);
    }
    Py_XDECREF(phase);
    return result;
}

/* In the type's own table, from which Python makes the type: before Python starts, each time the module is loaded. */
static void mend_add_handler(PyTypeObject *type, PyCFunction mended)
{
    PyMethodDef *method = type == NULL ? NULL : type->tp_methods;

    for (; method != NULL && method->ml_name != NULL; method++)
        if (strcmp(method->ml_name, "add_handler") == 0 && method->ml_flags == METH_VARARGS &&
            method->ml_meth != mended) {
            stock_method = method->ml_meth;
            method->ml_meth = mended;
        }
}

/* Of 3.0 to 3.2. */
void mpc_glue_mend_request_type(PyTypeObject *type)
{
    if (type != NULL && type->tp_basicsize >= (Py_ssize_t)sizeof(struct request_object))
        mend_add_handler(type, add_handler);
}

/* Of 3.3 and later. */
void modpython_core_keep_phases(PyTypeObject *type) { mend_add_handler(type, add_handler_to_kept_phase); }

/* The request for which this thread has got an answer with what is added, until it asks the request's own table. */
static __thread void *answered;

/*
 * apr_hash_get, as python_handler of that request calls it: for what the directives say of a phase, with an extension
 * of files and then without, and after that for what the request says of it. Elsewhere the request is NULL.
 */
void *modpython_core_hash_get(void *hash, const void *key, ptrdiff_t length, void *request)
{
    struct entry *found = apr_hash_get(hash, key, length), *added, *joined, **end = &joined;
    const char *phase = key, *extension;

    if (!__atomic_load_n(&any_added, __ATOMIC_ACQUIRE) || request == NULL || length != -1 ||
        strncmp(phase, PREFIX, sizeof(PREFIX) - 1) != 0)
        return found;
    if (answered == request) {
        answered = NULL;
        return found;
    }
    extension = strchr(phase, '.');
    /* The name of the phase alone comes next. */
    if (found == NULL && extension != NULL)
        return NULL;
    added = added_to(request, phase, extension == NULL ? strlen(phase) : (size_t)(extension - phase));
    if (added == NULL)
        return found;
    answered = request;
    if (found == NULL)
        return added;
    for (; found != NULL; found = found->next) {
        *end = apr_palloc(pool_of(request), sizeof(**end));
        **end = *found;
        end = &(*end)->next;
    }
    *end = added;
    return joined;
}
