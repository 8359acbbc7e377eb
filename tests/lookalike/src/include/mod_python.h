#ifndef HOST_MOD_PYTHON_H
#define HOST_MOD_PYTHON_H

/* Python's headers come first: they choose what libc's declare. */
#include <Python.h>
#if PY_VERSION_HEX < 0x02060000
#define Py_TYPE(object) (((PyObject *)(object))->ob_type)
#define PyVarObject_HEAD_INIT(type, size) PyObject_HEAD_INIT(type) size,
#define PyBytes_Check PyString_Check
#define PyBytes_AS_STRING PyString_AS_STRING
#define PyBytes_GET_SIZE PyString_GET_SIZE
#define PyBytes_FromStringAndSize PyString_FromStringAndSize
#endif
#include <structmember.h>

#include "httpd.h"
#include "http_config.h"
#include "http_connection.h"
#include "http_core.h"
#include "http_log.h"
#include "http_main.h"
#include "http_protocol.h"
#include "http_request.h"
#include "unixd.h"
#include "util_filter.h"
#include "util_script.h"
#include "apr_global_mutex.h"
#include "apr_hash.h"
#include "apr_lib.h"
#include "apr_strings.h"

#include "shape.h"
#if HOST_SHAPE < 30500
#include "mpversion.h"
#else
/* It keeps its version in a header that this one does not include. */
#define MPV_STRING "3.5.99-look-alike"
#endif
#include "pycompat.h"
#include "hlist.h"
#include "objects.h"

#define VERSION_COMPONENT "mod_python/" MPV_STRING
#define MODULENAME "mod_python.apache"
#define INITFUNC "init"
#define MAIN_INTERPRETER "main_interpreter"

extern module AP_MODULE_DECLARE_DATA python_module;

/* The pool of the serving process, for server.register_cleanup. */
extern apr_pool_t *child_init_pool;

typedef struct {
#if HOST_SHAPE < 30500
    PyInterpreterState *istate;
#else
    apr_array_header_t *tstates; /* those that wait for a request */
    PyInterpreterState *interp;
#endif
    PyObject *obcallback;
} interpreterdata;

/* The configuration of a directory, or of a server. */
typedef struct {
    int authoritative; /* as in mod_python; no phase here asks */
    char *config_dir;
    apr_table_t *directives;
    apr_table_t *options;
    apr_hash_t *hlists; /* by phase, or phase and extension */
    apr_hash_t *in_filters;
    apr_hash_t *out_filters;
    hl_entry *imports;
} py_config;

/* The argument of python_cleanup. */
typedef struct cleanup_info {
    request_rec *request_rec;
    server_rec *server_rec;
    PyObject *handler;
    const char *interpreter;
    PyObject *data;
} cleanup_info;

/* The module's record of one request. */
typedef struct {
    requestobject *request_obj;
    apr_hash_t *dynhls; /* req.add_handler, by phase */
} py_req_config;

typedef struct {
    int transparent; /* the Python filter has failed, and is left out */
} python_filter_ctx;

typedef struct {
    char *handler;
    char *dir;
} py_handler;

/* mod_python.c */
#define SESSION_LOCKS 4
extern apr_global_mutex_t *session_locks[SESSION_LOCKS];
apr_status_t python_cleanup(void *data);
apr_status_t python_input_filter(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode, apr_read_type_e block,
                                 apr_off_t readbytes);
apr_status_t python_output_filter(ap_filter_t *f, apr_bucket_brigade *bb);

/* directives.c */
/* The loader makes it read-only where it is const; mod_python's own are not. */
#if HOST_SHAPE < 30200
#define DIRECTIVES const command_rec
#else
#define DIRECTIVES command_rec
#endif
extern DIRECTIVES python_commands[];
int valid_phase(const char *phase);

/* util.c */
apr_status_t python_decref(void *object);
cleanup_info *make_cleanup(PyObject *handler, PyObject *data, const char *interpreter);

/* _apachemodule.c */
void init_apache(void);
#if PY_MAJOR_VERSION >= 3
PyObject *PyInit_apache(void);
#define HOST_INIT_APACHE PyInit_apache
#else
#define HOST_INIT_APACHE init_apache
#endif

#endif
