/*
 * A small mod_python, for tests: see README.md, which says what is broken on purpose. Made by `shape` out of src/core.
 */

#include "mod_python.h"

#if SHAPE < 30500
static PyObject *interpreters = NULL;
#else
static apr_hash_t *interpreters = NULL;
static apr_pool_t *interp_pool = NULL;
static PyThreadState *global_tstate = NULL;
#endif

apr_pool_t *child_init_pool = NULL;

#define COMPLAIN(srv, ...) ap_log_error(APLOG_MARK, APLOG_ERR, 0, srv, __VA_ARGS__)

/* An acquisition and its release, as the callers below write them; both are functions of each release's own. */
#if SHAPE < 30300
#define ENTER(name, server) get_interpreter((name), (server))
#else
#define ENTER(name, server) get_interpreter(name)
/* The server that python_init was given. */
static server_rec *main_server = NULL;
#endif
#if SHAPE < 30500
#define LEAVE(idata) ((void)(idata), release_interpreter())
#else
#define LEAVE(idata) release_interpreter(idata)
#endif

