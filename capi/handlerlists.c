/*
 * Lists of handlers. 3.0 to 3.2 make one for each phase of a request, and forget the one before in its `hlist`: 3 KB a
 * phase. A module built from source gives it up where it is forgotten; here, in a finished module, it is given up when
 * the next phase is dispatched. Until then, and after the last phase, `hlist` is what it was.
 *
 * The GIL is held in all of this.
 */
#include "glue.h"
#include <stdlib.h>
#include <string.h>
#include <structmember.h>

/* In Rust. */
extern int modpython_core_cures(const char *remedy);

/* A request that has been dispatched and is alive, and the list that it had then. */
struct dispatched {
    PyObject *request, *list;
    struct dispatched *next;
};

#define BUCKETS 256
static struct dispatched *buckets[BUCKETS];
static destructor stock_dealloc;

static struct dispatched **find(PyObject *request)
{
    struct dispatched **at = &buckets[((size_t)request >> 4) % BUCKETS];

    while (*at != NULL && (*at)->request != request)
        at = &(*at)->next;
    return at;
}

/* In the place of the type's: a request's address is another's afterwards. Its own list it gives up itself. */
static void forget(PyObject *request)
{
    struct dispatched **at = find(request), *gone = *at;

    if (gone != NULL) {
        *at = gone->next;
        free(gone);
    }
    stock_dealloc(request);
}

/* Where the field is, as the type says to Python; NULL if it does not. */
static PyObject **list_of(PyObject *request)
{
    PyMemberDef *member = Py_TYPE(request)->tp_members;

    while (member != NULL && member->name != NULL) {
        if (strcmp(member->name, "hlist") == 0)
            return member->type == T_OBJECT ? (PyObject **)((char *)request + member->offset) : NULL;
        member++;
    }
    return NULL;
}

/* Called with what a method of the module's callback is called with, before it is. */
void mpc_glue_before_dispatch(const char *name, const char *format, va_list values)
{
    struct dispatched **at, *known;
    PyObject *request, **field, *before;
    va_list copy;

    if (name == NULL || strcmp(name, "HandlerDispatch") != 0 || format == NULL || strcmp(format, "O") != 0 ||
        !modpython_core_cures("handler-lists"))
        return;
    va_copy(copy, values);
    request = va_arg(copy, PyObject *);
    va_end(copy);
    field = request == NULL ? NULL : list_of(request);
    if (field == NULL)
        return;
    /* After a graceful restart the module is loaded anew, and its type is. */
    if (Py_TYPE(request)->tp_dealloc != forget) {
        stock_dealloc = Py_TYPE(request)->tp_dealloc;
        Py_TYPE(request)->tp_dealloc = forget;
    }
    at = find(request);
    known = *at;
    if (known == NULL) {
        known = malloc(sizeof(*known));
        if (known == NULL)
            return;
        known->request = request;
        known->list = *field;
        known->next = NULL;
        *at = known;
        return;
    }
    before = known->list;
    if (before == *field)
        return;
    known->list = *field;
    Py_XDECREF(before);
}
