/*
 * The server and its clients: usage: consumer 31|32|33|35|off|directives
 *
 * As Apache, the program starts Python once and forks a child to serve; after a graceful restart it starts "again", and
 * forks another. In the child threads acquire interpreters. Each process ends by itself, so that what it has not given
 * back can be seen.
 */
#include "consumer.h"
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 6
#define ROUNDS 3

static const generation *host;

/* A server's name may be anything; so may a directory's, which PythonInterpPerDirectory takes. */
#define NOT_UTF8 "/srv/caf\xe9/\xff\xfe\x80\xc3"
static char long_name[300];
static const char *const names[] = {NULL,     MAIN_INTERPRETER, "www.example.org", "",
                                    NOT_UTF8, long_name,        "www.example.org:8080"};
#define NAMES (sizeof names / sizeof *names)
/* The first two are the main interpreter. */
#define NAMED_INTERPRETERS (NAMES - 2)

/* The first answer under each name. */
static struct {
    PyInterpreterState *interpreter;
    PyObject *callback;
} known[NAMES];
static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;

/* Everybody gets the same under a name, and NULL is the main interpreter. */
static void compare(size_t which, const acquired *got)
{
    size_t place = which == 0 ? 1 : which;

    CHECK(pthread_mutex_lock(&known_lock) == 0);
    if (known[place].callback == NULL) {
        for (size_t i = 0; i < NAMES; i++)
            CHECK(known[i].callback != got->callback && known[i].interpreter != got->interpreter);
        known[place].interpreter = got->interpreter;
        known[place].callback = got->callback;
    }
    CHECK(known[place].interpreter == got->interpreter && known[place].callback == got->callback);
    CHECK(pthread_mutex_unlock(&known_lock) == 0);
}

static PyInterpreterState *current_interpreter(void)
{
#if PY_VERSION_HEX >= 0x03090000
    return PyThreadState_GetInterpreter(PyThreadState_Get());
#else
    return PyThreadState_Get()->interp;
#endif
}

/* The name lies in the pool of a request: it is gone when the next request asks. */
static acquired ask(const char *name)
{
    char *copy = name != NULL ? strdup(name) : NULL;
    acquired got;

    CHECK(name == NULL || copy != NULL);
    got = host->get_interpreter(copy);
    if (copy != NULL)
        memset(copy, '#', strlen(copy));
    free(copy);
    if (got.data != NULL) {
        CHECK(got.interpreter != NULL && got.callback != NULL);
        CHECK(got.interpreter == current_interpreter());
    }
    return got;
}

static int apr_pool_cleanup_null(void *data)
{
    (void)data;
    return 0;
}

static int count_call(void *data)
{
    ++*(int *)data;
    return 0;
}

/* python_filter: the object is given up when the request's pool is destroyed, long after the interpreter's release. */
static void filter(const acquired *got, apr_pool_t *pool)
{
    PyObject *object = modpython_core_call_method(got->callback, "FilterDispatch", NULL);

    CHECK(object != NULL);
    modpython_core_cleanup_register(pool, object, python_decref, apr_pool_cleanup_null, 1);
}

/* One inside another (an internal redirect): with the GIL held, and given up as around a call of Apache's. */
static void nested(size_t outer, size_t inner)
{
    acquired first = ask(names[outer]), second;
    PyThreadState *before, *saved;

    compare(outer, &first);
    before = PyThreadState_Get();
    second = ask(names[inner]);
    compare(inner, &second);
    host->release_interpreter(second.data);
    CHECK(PyThreadState_Get() == before);
    saved = PyEval_SaveThread();
    second = ask(names[inner]);
    compare(inner, &second);
    host->release_interpreter(second.data);
    PyEval_RestoreThread(saved);
    CHECK(PyThreadState_Get() == before);
    host->release_interpreter(first.data);
}

/* python_handler. */
static void request(size_t which, long status)
{
    apr_pool_t *pool = pool_create();
    acquired got = ask(names[which]);
    PyObject *result;
    int calls = 0;

    CHECK(got.data != NULL);
    compare(which, &got);
    result = modpython_core_call_method(got.callback, "HandlerDispatch", "l", status);
    CHECK(result != NULL);
    filter(&got, pool);
    modpython_core_cleanup_register(pool, &calls, count_call, apr_pool_cleanup_null, 0);
    host->release_interpreter(got.data);

    /* mod_python looks at the result, and gives it up, when it has no GIL any more. */
    CHECK(PyLong_AsLong(result) == status);
    Py_DECREF(result);
    pool_destroy(pool);
    CHECK(calls == 1);
}

static pthread_barrier_t at_once;

static void *client(void *argument)
{
    size_t number = (size_t)argument;

    pthread_barrier_wait(&at_once);
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < NAMES; i++) {
            size_t which = (number + round + i) % NAMES;

            /* Small ints are shared by all of Python, others are not. */
            request(which, i % 2 == 0 ? 0 : 1000 + (long)number);
            nested(which, (which + number) % NAMES);
        }
    return NULL;
}

/* Asks for the one that may be broken, and says in its argument whether there was one. */
static void *ask_for_broken(void *there)
{
    acquired got;

    pthread_barrier_wait(&at_once);
    got = ask(BREAKABLE);
    *(int *)there = got.data != NULL;
    if (got.data != NULL)
        host->release_interpreter(got.data);
    return NULL;
}

static void run_threads(void *(*work)(void *), void *(*argument)(size_t))
{
    pthread_t threads[THREADS];

    CHECK(pthread_barrier_init(&at_once, NULL, THREADS) == 0);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, argument(i)) == 0);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(pthread_barrier_destroy(&at_once) == 0);
}

static void *number(size_t i)
{
    return (void *)i;
}

static int there[THREADS];

static void *place(size_t i)
{
    return &there[i];
}

static uint64_t counter(size_t which)
{
    uint64_t counters[4];

    CHECK(modpython_core_stats(NULL, 0) == 4 && modpython_core_stats(counters, 4) == 4);
    return counters[which];
}

enum { INTERPRETERS, CALLBACKS, FAILURES, REFUSALS };

/* A callback that cannot be made: nobody gets the interpreter, and nobody keeps the GIL. Then it can be. */
static void failing(int logs)
{
    uint64_t before = counter(INTERPRETERS), failures = counter(FAILURES), refusals = counter(REFUSALS);

    broken = 1;
    run_threads(ask_for_broken, place);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(!there[i]);
    CHECK(counter(FAILURES) - failures + counter(REFUSALS) - refusals == THREADS);
    /* Of such lines at most one a second is written. */
    CHECK(!logs || logged("interpreter '" BREAKABLE "': attempt") >= 1);
    broken = 0;
    run_threads(ask_for_broken, place);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(there[i]);
    CHECK(counter(INTERPRETERS) - before == 1);
}

/* A module without a make_obcallback of its own gets the library's. */
static void defaults(int logs)
{
    static const char wrong[] = "interpreter 'default /srv/caf\\xe9/\\xff\\xfe\\x80\\xc3': attempt";
    uint64_t failures = counter(FAILURES);
    unsigned made = callbacks_made;
    acquired got;

    host->register_host(0);
    got = ask("of the library's default");
    CHECK(got.data != NULL);
    CHECK(PyObject_HasAttrString(got.callback, "HandlerDispatch"));
    host->release_interpreter(got.data);
    for (int i = 0; i < 2; i++) {
        got = ask("default " NOT_UTF8);
        CHECK((got.data != NULL) == host->any_name);
        if (got.data != NULL)
            host->release_interpreter(got.data);
        else
            CHECK(counter(FAILURES) - failures == (uint64_t)i + 1 && (!logs || logged(wrong) >= 1));
    }
    CHECK(callbacks_made == made);
    host->register_host(1);
}

/* Calls that no right program makes, and a server must live through. */
static void mistakes(void)
{
    host->release_interpreter(NULL);
    CHECK(logged("release_interpreter without an interpreter of this thread") == 1);
    request(1, 0);
}

static void child(int first)
{
    char notice[64];

    host->child_init();
    snprintf(notice, sizeof notice, "mod_python generation %s, Python %d.%d", host->version, PY_MAJOR_VERSION,
             PY_MINOR_VERSION);
    CHECK(logged(notice) == 1);

    /* The first to ask for the main interpreter gives no name. */
    host->release_interpreter(ask(NULL).data);
    /* Twice: the states of threads that have ended are not those of the new ones. */
    run_threads(client, number);
    run_threads(client, number);
    CHECK(counter(INTERPRETERS) == NAMED_INTERPRETERS && counter(CALLBACKS) == NAMED_INTERPRETERS + 1);
    CHECK(counter(FAILURES) == 0 && counter(REFUSALS) == 0);
    CHECK(callbacks_made == NAMED_INTERPRETERS + 1);
    CHECK(filters_ended == 2 * THREADS * ROUNDS * NAMES);

    /* The thread that started Python, and the child with it, is as good as any. */
    request(2, 200);
    request(0, 200);
    if (first)
        failing(1);
    defaults(!first);
    if (!first)
        failing(0);
    mistakes();
    CHECK(logged("import_module stays") == 0);
}

/* Forks a child, which serves and ends, and waits for it. */
static void fork_child(int first)
{
    pid_t pid;
    int status;

    fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        child(first);
        exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    /* Not 1 in every case: valgrind's own exit code has to come through. */
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

int main(int count, char **arguments)
{
    CHECK(count == 2 && functions_compared() > 0);
    memset(long_name, 'x', sizeof long_name - 1);
    if (strcmp(arguments[1], "directives") == 0) {
        directives_read();
        return 0;
    }
    if (strcmp(arguments[1], "off") == 0) {
        switched_off();
        return 0;
    }
    for (host = generations; host->name != NULL && strcmp(host->name, arguments[1]) != 0; host++)
        ;
    CHECK(host->name != NULL);
    CHECK(modpython_core_switched_off() == 0);

    host->register_host(1);
    host->python_init();
    fork_child(1);
    /* A graceful restart: the module is loaded anew, Python goes on. */
    host->register_host(1);
    host->python_init();
    fork_child(0);
    return 0;
}
