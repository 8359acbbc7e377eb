/*
 * The header's promises, compared with the declarations that mod_python.c is compiled with. Nothing here runs but one
 * count: a layout or a signature that has changed does not compile.
 */
#include "consumer.h"

/*
 * The structure that mod_python.c reads, in the generations' own words. The library's pointer to its structure is cast
 * to a pointer to this one.
 */
typedef struct apr_array_header_t apr_array_header_t;

typedef struct {
    PyInterpreterState *istate;
    PyObject *obcallback;
} interpreterdata_31;

typedef struct {
    apr_array_header_t *tstates;
    PyInterpreterState *interp;
    PyObject *obcallback;
} interpreterdata_35;

#define SAME_SIZE(ours, theirs) \
    _Static_assert(sizeof(ours) == sizeof(theirs) && _Alignof(ours) == _Alignof(theirs), #ours " has another size")
#define SAME_FIELD(ours, theirs, field)                                                            \
    _Static_assert(offsetof(ours, field) == offsetof(theirs, field), #ours "." #field " has moved"); \
    _Static_assert(sizeof(((ours *)0)->field) == sizeof(((theirs *)0)->field), #ours "." #field " has another size")

SAME_SIZE(mpc31_interpreterdata, interpreterdata_31);
SAME_FIELD(mpc31_interpreterdata, interpreterdata_31, istate);
SAME_FIELD(mpc31_interpreterdata, interpreterdata_31, obcallback);
SAME_SIZE(mpc35_interpreterdata, interpreterdata_35);
SAME_FIELD(mpc35_interpreterdata, interpreterdata_35, tstates);
SAME_FIELD(mpc35_interpreterdata, interpreterdata_35, interp);
SAME_FIELD(mpc35_interpreterdata, interpreterdata_35, obcallback);

/* A host's functions lie one after the other, so that a host compiled with an older header stays valid. */
#define FUNCTIONS(host, number) \
    _Static_assert(sizeof(host) == (number) * sizeof(void (*)(void)), #host " has another number of functions")
#define FUNCTION(host, field, place)                                                                      \
    _Static_assert(offsetof(host, field) == (place) * sizeof(void (*)(void)), #host "." #field " has moved"); \
    _Static_assert(sizeof(((host *)0)->field) == sizeof(void (*)(void)), #host "." #field " is no function")

FUNCTIONS(mpc31_host, 4);
FUNCTION(mpc31_host, get_interpreter, 0);
FUNCTION(mpc31_host, release_interpreter, 1);
FUNCTION(mpc31_host, make_interpreter, 2);
FUNCTION(mpc31_host, make_obcallback, 3);

FUNCTIONS(mpc32_host, 5);
FUNCTION(mpc32_host, get_interpreter, 0);
FUNCTION(mpc32_host, release_interpreter, 1);
FUNCTION(mpc32_host, save_interpreter, 2);
FUNCTION(mpc32_host, make_interpreter, 3);
FUNCTION(mpc32_host, make_obcallback, 4);

FUNCTIONS(mpc33_host, 5);
FUNCTION(mpc33_host, get_interpreter, 0);
FUNCTION(mpc33_host, release_interpreter, 1);
FUNCTION(mpc33_host, save_interpreter, 2);
FUNCTION(mpc33_host, make_interpreter, 3);
FUNCTION(mpc33_host, make_obcallback, 4);

FUNCTIONS(mpc35_host, 4);
FUNCTION(mpc35_host, get_interpreter, 0);
FUNCTION(mpc35_host, release_interpreter, 1);
FUNCTION(mpc35_host, save_interpreter, 2);
FUNCTION(mpc35_host, make_obcallback, 3);

/*
 * Each function through a pointer of the type by which mod_python.c, or after.h, calls it. run.sh compares the names
 * with the list of exported symbols.
 */
#define EACH(F)                                                                                             \
    F(void, mpc31_register_host, (const mpc31_host *))                                                      \
    F(mpc31_interpreterdata *, get_interpreter, (const char *, void *))                                     \
    F(void, release_interpreter, (void))                                                                    \
    F(PyInterpreterState *, make_interpreter, (const char *, void *))                                       \
    F(PyObject *, make_obcallback, (void *))                                                                \
    F(void, mpc31_after_fork, (void))                                                                       \
    F(void, mpc32_register_host, (const mpc32_host *))                                                      \
    F(mpc31_interpreterdata *, mpc32_get_interpreter, (const char *, void *))                               \
    F(void, mpc32_release_interpreter, (void))                                                              \
    F(mpc31_interpreterdata *, mpc32_save_interpreter, (const char *, PyInterpreterState *))                \
    F(PyInterpreterState *, mpc32_make_interpreter, (const char *, void *))                                 \
    F(PyObject *, mpc32_make_obcallback, (char *, void *))                                                  \
    F(void, mpc32_after_fork, (void))                                                                       \
    F(void, mpc32_after_fork_alone, (void))                                                                 \
    F(void, mpc33_register_host, (const mpc33_host *))                                                      \
    F(mpc31_interpreterdata *, mpc33_get_interpreter, (const char *))                                       \
    F(void, mpc33_release_interpreter, (void))                                                              \
    F(mpc31_interpreterdata *, mpc33_save_interpreter, (const char *, PyInterpreterState *))                \
    F(PyInterpreterState *, mpc33_make_interpreter, (const char *))                                         \
    F(PyObject *, mpc33_make_obcallback, (char *))                                                          \
    F(void, mpc33_after_fork, (void))                                                                       \
    F(void, mpc35_register_host, (const mpc35_host *))                                                      \
    F(mpc35_interpreterdata *, mpc35_get_interpreter, (const char *))                                       \
    F(void, mpc35_release_interpreter, (mpc35_interpreterdata *))                                           \
    F(mpc35_interpreterdata *, mpc35_save_interpreter, (const char *, PyThreadState *))                     \
    F(PyObject *, mpc35_make_obcallback, (const char *))                                                    \
    F(void, mpc35_after_fork, (void))                                                                       \
    F(int, modpython_core_append_inittab, (const char *, void *(*)(void)))                                  \
    F(void *, modpython_core_bucket_create, (const char *, size_t, void *))                                 \
    F(PyObject *, modpython_core_call_method, (PyObject *, const char *, const char *, ...))                \
    F(void, modpython_core_cleanup_register, (void *, const void *, int (*)(void *), int (*)(void *), int)) \
    F(int, modpython_core_cures, (const char *))                                                            \
    F(long, modpython_core_get_client_block, (void *, char *, size_t))                                      \
    F(int, modpython_core_global_mutex_create, (void **, const char *, int, void *))                        \
    F(int, modpython_core_global_mutex_destroy, (void *))                                                   \
    F(void *, modpython_core_hash_get, (void *, const void *, Py_ssize_t, void *))                          \
    F(void, modpython_core_initialize, (void))                                                              \
    F(void, modpython_core_keep_phases, (PyTypeObject *))                                                   \
    F(int, modpython_core_list_append, (PyObject *, PyObject *, int))                                       \
    F(void, modpython_core_mend_module, (void *, PyTypeObject *))                                           \
    F(void, modpython_core_release_lock, (void))                                                            \
    F(size_t, modpython_core_stats, (uint64_t *, size_t))                                                   \
    F(int, modpython_core_switched_off, (void))

#define POINTER(result, name, arguments) static result(*const address_of_##name) arguments = &name;

EACH(POINTER)

/* The same for the fields of a host: a pointer to each, of the type that the function in mod_python.c has. */
static void fields(mpc31_host *h31, mpc32_host *h32, mpc33_host *h33, mpc35_host *h35)
{
    void *(**get_31)(const char *, void *) = &h31->get_interpreter;
    void (**release_31)(void) = &h31->release_interpreter;
    PyInterpreterState *(**make_31)(const char *, void *) = &h31->make_interpreter;
    PyObject *(**callback_31)(void *) = &h31->make_obcallback;
    void *(**get_32)(const char *, void *) = &h32->get_interpreter;
    void (**release_32)(void) = &h32->release_interpreter;
    void *(**save_32)(const char *, PyInterpreterState *) = &h32->save_interpreter;
    PyInterpreterState *(**make_32)(const char *, void *) = &h32->make_interpreter;
    PyObject *(**callback_32)(char *, void *) = &h32->make_obcallback;
    void *(**get_33)(const char *) = &h33->get_interpreter;
    void (**release_33)(void) = &h33->release_interpreter;
    void *(**save_33)(const char *, PyInterpreterState *) = &h33->save_interpreter;
    PyInterpreterState *(**make_33)(const char *) = &h33->make_interpreter;
    PyObject *(**callback_33)(char *) = &h33->make_obcallback;
    void *(**get_35)(const char *) = &h35->get_interpreter;
    void (**release_35)(void *) = &h35->release_interpreter;
    void *(**save_35)(const char *, PyThreadState *) = &h35->save_interpreter;
    PyObject *(**callback_35)(const char *) = &h35->make_obcallback;

    (void)get_31, (void)release_31, (void)make_31, (void)callback_31;
    (void)get_32, (void)release_32, (void)save_32, (void)make_32, (void)callback_32;
    (void)get_33, (void)release_33, (void)save_33, (void)make_33, (void)callback_33;
    (void)get_35, (void)release_35, (void)save_35, (void)callback_35;
}

/* The addresses are used, so that the linker has to find each function in the library. */
unsigned functions_compared(void)
{
#define ADDRESS(result, name, arguments) (void (*)(void))address_of_##name,
    void (*const all[])(void) = {EACH(ADDRESS)};
    mpc31_host h31;
    mpc32_host h32;
    mpc33_host h33;
    mpc35_host h35;
    unsigned number = 0;

    fields(&h31, &h32, &h33, &h35);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        number += all[i] != NULL;
    return number;
}
