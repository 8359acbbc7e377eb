#ifndef HOST_HLIST_H
#define HOST_HLIST_H

/* One handler of a phase: what the directive says, and where it was found. */
typedef struct hl_entry {
    const char *handler;
    const char *directory;
    int silent; /* a missing function is no error */
    struct hl_entry *next;
} hl_entry;

hl_entry *hlist_new(apr_pool_t *p, const char *h, const char *d, const int s);
hl_entry *hlist_append(apr_pool_t *p, hl_entry *hle, const char *h, const char *d, const int s);
hl_entry *hlist_copy(apr_pool_t *p, const hl_entry *hle);
void hlist_extend(apr_pool_t *p, hl_entry *hle, const hl_entry *more);

/* The same as seen by Python. Past the end every field is None. */
typedef struct hlist {
    PyObject_HEAD
    struct hl_entry *head;
    apr_pool_t *pool;
} hlistobject;

extern PyTypeObject MpHList_Type;
PyObject *MpHList_FromHLEntry(hl_entry *hle);
void MpHList_Append(hlistobject *self, hl_entry *hle);

#endif
