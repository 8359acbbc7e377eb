/*
 * Declarations that the files of this program share. It uses the library from C as a patched mod_python does: one file
 * plays Apache, one plays mod_python.c in each generation, and one plays the clients.
 */
#ifndef CONSUMER_H
#define CONSUMER_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <modpython-core/modpython_core.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program with the line that is not true. NDEBUG does not switch it off. */
#define CHECK(condition)                                                                      \
    do {                                                                                      \
        if (!(condition)) {                                                                   \
            fprintf(stderr, "%s:%d: %s: not true: %s\n", __FILE__, __LINE__, __func__, #condition); \
            fflush(NULL);                                                                     \
            _Exit(1);                                                                         \
        }                                                                                     \
    } while (0)

#define MAIN_INTERPRETER "main_interpreter"

/* Apache, in server.c: as much of it as the library and mod_python.c touch. */

typedef struct server_rec {
    const char *hostname;
} server_rec;

/* The one that is given with every name. */
extern server_rec the_server;

typedef struct apr_pool_t apr_pool_t;
typedef int apr_status_t;

apr_pool_t *pool_create(void);
void pool_destroy(apr_pool_t *pool);

/* Lines in the error log, of all levels, that hold this text. */
unsigned logged(const char *text);

/* mod_python.c, in hosts.c. */

typedef struct acquired {
    /* The result of get_interpreter; NULL if there is no interpreter. */
    void *data;
    PyInterpreterState *interpreter;
    PyObject *callback;
} acquired;

typedef struct generation {
    /* As on the command line. */
    const char *name;
    /* As the notice at a child's start has it. */
    const char *version;
    /* Whether the library's own make_obcallback can hand a name on that is not UTF-8. */
    int any_name;
    /* The server has read its configuration. */
    void (*python_init)(void);
    /* A child has been forked. */
    void (*child_init)(void);
    acquired (*get_interpreter)(const char *name);
    void (*release_interpreter)(void *data);
    /* Whether mod_python's own make_interpreter and make_obcallback are used, or the library's defaults. */
    void (*register_host)(int own);
} generation;

extern const generation generations[];

/* make_obcallback fails for the interpreter of this name while `broken` is set. */
#define BREAKABLE "broken"
extern int broken;

/* How often the functions of mod_python.c were called by the library. */
extern unsigned interpreters_made, callbacks_made;

/* Objects of the class apache.Filter that have come to their end, in all interpreters. */
extern unsigned filters_ended;

/* util.c of mod_python: a cleanup that gives a Python object up, without the GIL. */
apr_status_t python_decref(void *object);

/* In layout.c: how many functions of the library's it has compared with their types. */
unsigned functions_compared(void);

/* In directives.c: a module's directives as each httpd has them read. */
void directives_read(void);

/* In off.c: every generation while MODPYTHON_CORE=off. */
void switched_off(void);

#endif
