/*
 * A module's directives as each httpd reads them: its structures are written down in the library without its headers,
 * and one that is not recognised leaves handlers in <Files> where they are (of 2.2 nobody had noticed).
 */
#include "consumer.h"
#include <stdarg.h>

/* The module that each httpd expects, by MODULE_MAGIC_COOKIE. */
static const struct {
    const char *httpd;
    unsigned long magic;
    int has_override_options;
} servers[] = {{"2.0", 0x41503230UL, 0}, {"2.2", 0x41503232UL, 0}, {"2.4", 0x41503234UL, 1}};

typedef const char *(*reader)(void *parameters, void *config, const char *value, void *, void *);

struct command {
    const char *name;
    reader read;
    void *data;
    int override, how;
    const char *help;
};

static struct module {
    int version, minor_version, index;
    const char *name;
    void *handle, *next;
    unsigned long magic;
    void (*functions[5])(void);
    struct command *commands;
    void (*register_hooks)(void *pool);
} module;

struct directive {
    const char *name, *arguments;
    struct directive *next, *first_child, *parent;
    void *data;
    const char *file;
    int line;
};

/* cmd_parms, once as up to 2.2, and once as since 2.4. */
#define REST                                                                 \
    int64_t limited;                                                         \
    void *methods, *method, *file;                                           \
    struct directive *directive;                                             \
    void *pool, *temporary, *server;                                         \
    char *path;                                                              \
    const struct command *command;                                           \
    void *context, *error;
struct before_2_4 {
    void *info;
    int override;
    REST
};
struct since_2_4 {
    void *info;
    int override, override_options;
    void *override_list;
    REST
};

/* py_config up to 3.2. */
static struct {
    int authoritative;
    const char *directory;
} config;

static unsigned calls;

static const char *read_handler(void *parameters, void *configuration, const char *value, void *second, void *third)
{
    (void)parameters;
    (void)second;
    (void)third;
    CHECK(configuration == &config && strcmp(value, "page") == 0);
    calls++;
    return NULL;
}

/* APR and httpd, as far as the library asks them here. Their memory lasts as long as the program. */
char *apr_pstrndup(void *pool, const char *text, size_t length);
char *apr_pstrcat(void *pool, ...);
int apr_filepath_merge(char **merged, const char *root, const char *added, int flags, void *pool);
char *ap_getword_conf(void *pool, const char **line);

static char kept[64][128];
static size_t used;

char *apr_pstrndup(void *pool, const char *text, size_t length)
{
    char *copy = kept[used++];

    (void)pool;
    CHECK(used < sizeof(kept) / sizeof(*kept) && length < sizeof(*kept));
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *apr_pstrcat(void *pool, ...)
{
    char *made = apr_pstrndup(pool, "", 0);
    const char *piece;
    va_list pieces;

    va_start(pieces, pool);
    while ((piece = va_arg(pieces, const char *)) != NULL)
        strcat(made, piece);
    va_end(pieces);
    return made;
}

int apr_filepath_merge(char **merged, const char *root, const char *added, int flags, void *pool)
{
    CHECK(root == NULL && flags == 0x20);
    *merged = apr_pstrndup(pool, added, strlen(added));
    return 0;
}

/* A word, in quotes or not. */
char *ap_getword_conf(void *pool, const char **line)
{
    const char *begin = *line + strspn(*line, " "), *end;

    if (*begin == '"') {
        end = strchr(++begin, '"');
        *line = end + 1;
    } else {
        end = begin + strcspn(begin, " ");
        *line = end;
    }
    return apr_pstrndup(pool, begin, (size_t)(end - begin));
}

static void read_one(int of_2_4, struct directive *directive, int override, const struct command *command)
{
    struct before_2_4 older = {.override = override, .directive = directive, .command = command};
    struct since_2_4 newer = {.override = override, .directive = directive, .command = command};

    CHECK(command->read(of_2_4 ? (void *)&newer : (void *)&older, &config, "page", NULL, NULL) == NULL);
}

void directives_read(void)
{
    enum { BELOW_CONF = 64 | 31, BELOW_HTACCESS = 31 };
    struct directive host = {.name = "<VirtualHost", .arguments = "*:80>"};
    struct directive directory = {.name = "<Directory", .arguments = "\"/srv/a\">", .parent = &host};
    struct directive pattern = {.name = "<DirectoryMatch", .arguments = "^/srv/[ab]/>"};
    struct directive expression = {.name = "<Directory", .arguments = "~ \"^/srv/b\">"};
    struct directive files = {.name = "<Files", .arguments = "*.x>"};
    struct directive limit = {.name = "<Limit", .arguments = "GET>", .parent = &files};
    struct directive handler = {.name = "PythonHandler", .arguments = "page", .file = "/srv/c/.htaccess"};
    const struct {
        struct directive *around_files, *around_handler;
        int override;
        const char *wanted;
    } cases[] = {
        {&directory, &files, BELOW_CONF, "/srv/a/"},   {&directory, &limit, BELOW_CONF, "/srv/a/"},
        {&pattern, &files, BELOW_CONF, "^/srv/[ab]/"}, {&expression, &files, BELOW_CONF, "^/srv/b/"},
        {NULL, &files, BELOW_HTACCESS, "/srv/c/"},     {NULL, &files, BELOW_CONF, "*.x/"},
        {&host, &files, BELOW_CONF, "*.x/"},           {&directory, &directory, BELOW_CONF, "*.x/"},
    };

    for (size_t server = 0; server < sizeof(servers) / sizeof(*servers); server++) {
        struct command commands[] = {{"PythonHandler", read_handler, NULL, 31, 0, ""},
                                     {"PythonOption", read_handler, NULL, 31, 0, ""},
                                     {NULL, NULL, NULL, 0, 0, NULL}};

        module.magic = servers[server].magic;
        module.commands = commands;
        modpython_core_mend_module(&module, NULL);
        CHECK(commands[0].read != read_handler && commands[1].read == read_handler);
        /* A graceful restart need not unload the module. */
        modpython_core_mend_module(&module, NULL);
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
            used = calls = 0;
            config.directory = "*.x/";
            files.parent = cases[i].around_files;
            handler.parent = cases[i].around_handler;
            read_one(servers[server].has_override_options, &handler, cases[i].override, &commands[0]);
            CHECK(calls == 1 && strcmp(config.directory, cases[i].wanted) == 0);
        }
    }
    printf("directives of httpd 2.0, 2.2 and 2.4 are read\n");
}
