/*
 * Lists of handlers: as the configuration keeps them, and as Python sees them.
 */

#include "mod_python.h"

static hl_entry *entry_new(apr_pool_t *p, const char *handler, const char *directory, int silent)
{
    hl_entry *entry = apr_pcalloc(p, sizeof(*entry));

    entry->handler = apr_pstrdup(p, handler);
    entry->directory = apr_pstrdup(p, directory);
    entry->silent = silent;
    return entry;
}

hl_entry *hlist_new(apr_pool_t *p, const char *h, const char *d, const int s)
{
    return entry_new(p, h, d, s);
}

hl_entry *hlist_append(apr_pool_t *p, hl_entry *hle, const char *h, const char *d, const int s)
{
    hl_entry *added = entry_new(p, h, d, s), **end = &hle;

    while (*end != NULL)
        end = &(*end)->next;
    *end = added;
    return added;
}

/* Of a list of one entry or more: NULL crashes, as it does in 3.1.x. */
hl_entry *hlist_copy(apr_pool_t *p, const hl_entry *hle)
{
    hl_entry *head = NULL, **end = &head;

    do {
        *end = entry_new(p, hle->handler, hle->directory, hle->silent);
        end = &(*end)->next;
        hle = hle->next;
    } while (hle != NULL);
    return head;
}

/* Puts copies of more entries at the end of a list. */
void hlist_extend(apr_pool_t *p, hl_entry *hle, const hl_entry *more)
{
    while (hle->next != NULL)
        hle = hle->next;
    hle->next = hlist_copy(p, more);
}

PyObject *MpHList_FromHLEntry(hl_entry *hle)
{
    hlistobject *self = PyObject_New(hlistobject, &MpHList_Type);

    if (self == NULL)
        return NULL;
    apr_pool_create(&self->pool, NULL);
    self->head = hlist_copy(self->pool, hle);
    return (PyObject *)self;
}

void MpHList_Append(hlistobject *self, hl_entry *hle)
{
    hl_entry **end = &self->head;

    while (*end != NULL)
        end = &(*end)->next;
    *end = hlist_copy(self->pool, hle);
}

static void hlist_dealloc(PyObject *self)
{
    apr_pool_destroy(((hlistobject *)self)->pool);
    PyObject_Del(self);
}

static PyObject *hlist_next(PyObject *self, PyObject *unused)
{
    hlistobject *list = (hlistobject *)self;

    if (list->head != NULL)
        list->head = list->head->next;
    Py_RETURN_NONE;
}

static PyObject *hlist_get_text(PyObject *self, void *offset)
{
    hl_entry *entry = ((hlistobject *)self)->head;

    return text_from(entry == NULL ? NULL : *(const char **)((char *)entry + (size_t)offset));
}

static PyObject *hlist_get_silent(PyObject *self, void *unused)
{
    hl_entry *entry = ((hlistobject *)self)->head;

    if (entry == NULL)
        Py_RETURN_NONE;
    return PyInt_FromLong(entry->silent);
}

static PyMethodDef hlist_methods[] = {
    {"next", hlist_next, METH_NOARGS, "Goes on to the next handler."},
    {NULL},
};

static PyGetSetDef hlist_getsets[] = {
    {"handler", hlist_get_text, NULL, "module, or module::object", (void *)offsetof(hl_entry, handler)},
    {"directory", hlist_get_text, NULL, "where the directive stands", (void *)offsetof(hl_entry, directory)},
    {"silent", hlist_get_silent, NULL, "whether a missing object is no error", NULL},
    {NULL},
};

PyTypeObject MpHList_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "mp_hlist",
    .tp_basicsize = sizeof(hlistobject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_dealloc = hlist_dealloc,
    .tp_methods = hlist_methods,
    .tp_getset = hlist_getsets,
};
