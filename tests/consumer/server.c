/*
 * Stands for Apache and APR: the error log, and pools with cleanups. The library finds these by name, as it does in
 * httpd.
 */
#include "consumer.h"
#include <pthread.h>
#include <stdarg.h>

typedef struct cleanup {
    struct cleanup *next;
    void *data;
    int (*plain)(void *);
} cleanup;

struct apr_pool_t {
    cleanup *cleanups;
};

apr_pool_t *pool_create(void)
{
    apr_pool_t *pool = calloc(1, sizeof *pool);

    CHECK(pool != NULL);
    return pool;
}

/* The last that was registered runs first, as in APR. */
void pool_destroy(apr_pool_t *pool)
{
    while (pool->cleanups != NULL) {
        cleanup *first = pool->cleanups;

        pool->cleanups = first->next;
        CHECK(first->plain(first->data) == 0);
        free(first);
    }
    free(pool);
}

void apr_pool_cleanup_register(void *pool, const void *data, int (*plain)(void *), int (*child)(void *));
void apr_pool_cleanup_register(void *pool, const void *data, int (*plain)(void *), int (*child)(void *))
{
    apr_pool_t *owner = pool;
    cleanup *new = malloc(sizeof *new);

    CHECK(new != NULL && plain != NULL && child != NULL);
    new->data = (void *)data;
    new->plain = plain;
    new->next = owner->cleanups;
    owner->cleanups = new;
}

/* The main server; the library logs under it. */
server_rec the_server = {"www.example.org"};
void *ap_server_conf = &the_server;

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char error_log[16384];

/* httpd 2.4 has this one. */
void ap_log_error_(const char *file, int line, int module_index, int level, int status, const void *server,
                   const char *format, ...);
void ap_log_error_(const char *file, int line, int module_index, int level, int status, const void *server,
                   const char *format, ...)
{
    va_list values;
    size_t used;
    int length;

    CHECK(file != NULL && line == 0 && module_index == -1 && level >= 3 && level <= 5 && status == 0);
    CHECK(server == &the_server);
    CHECK(pthread_mutex_lock(&log_lock) == 0);
    used = strlen(error_log);
    va_start(values, format);
    length = vsnprintf(error_log + used, sizeof error_log - used, format, values);
    va_end(values);
    CHECK(length > 0 && used + (size_t)length + 2 < sizeof error_log);
    fprintf(stderr, "[error log] %s\n", error_log + used);
    /* As `MPC0001: modpython-core: ...`. */
    CHECK(strncmp(error_log + used, "MPC", 3) == 0 && strncmp(error_log + used + 7, ": modpython-core: ", 18) == 0);
    strcat(error_log, "\n");
    CHECK(pthread_mutex_unlock(&log_lock) == 0);
}

unsigned logged(const char *text)
{
    unsigned found = 0;
    const char *at;

    CHECK(pthread_mutex_lock(&log_lock) == 0);
    for (at = strstr(error_log, text); at != NULL; at = strstr(at + 1, text))
        found++;
    CHECK(pthread_mutex_unlock(&log_lock) == 0);
    return found;
}
