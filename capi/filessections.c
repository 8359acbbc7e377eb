/*
 * Handlers and filters in <Files>. Up to 3.2 such a section's directory is the pattern of the files' names, where no
 * handler is to be found (MODPYTHON-126). Here it is the directory of the section around it, as the directives of the
 * module are read; of a .htaccess, the directory that it lies in.
 *
 * httpd's structures are given as far as they are needed. They are those of all 2.0, 2.2 and 2.4.
 */
#include "glue.h"
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* In Rust. */
extern int modpython_core_cures(const char *remedy);
/* In addedhandlers.c. */
extern void mpc_glue_mend_request_type(PyTypeObject *type);

/* APR and httpd, as the server provides them; weak so that programs without Apache link. */
extern char *apr_pstrndup(void *pool, const char *text, size_t length) __attribute__((weak));
extern char *apr_pstrcat(void *pool, ...) __attribute__((weak));
extern int apr_filepath_merge(char **merged, const char *root, const char *added, int flags, void *pool)
    __attribute__((weak));
extern char *ap_getword_conf(void *pool, const char **line) __attribute__((weak));

#define REMEDY "files-sections"

/* A handler of directives has two to five arguments, each as wide as a pointer or narrower. */
typedef const char *(*directive_handler)(void *parameters, void *config, void *first, void *second, void *third);

/* command_rec */
struct command {
    const char *name;
    directive_handler handler;
    void *data;
    int override, arguments;
    const char *help;
};

/* ap_directive_t */
struct directive {
    const char *name, *arguments;
    struct directive *next, *first_child, *parent;
    void *data;
    const char *file;
};

/* cmd_parms; 2.4 has put two fields before the rest. */
struct rest {
    int64_t limited;
    void *limited_methods, *limited_method, *file;
    struct directive *directive;
    void *pool, *temporary_pool, *server;
    char *path;
    const struct command *command;
};
struct parameters_2_0 {
    void *info;
    int override;
    struct rest rest;
};
struct parameters_2_4 {
    void *info;
    int override, override_options;
    void *override_list;
    struct rest rest;
};

/* module */
struct module {
    int version, minor_version, index;
    const char *name;
    void *handle;
    struct module *next;
    unsigned long magic;
    void (*rewrite_arguments)(void);
    void *(*create_directory)(void), *(*merge_directory)(void), *(*create_server)(void), *(*merge_server)(void);
    struct command *commands;
};
/* "AP20", "AP22", "AP24" */
#define MAGIC_2_0 0x41503230UL
#define MAGIC_2_2 0x41503232UL
#define MAGIC_2_4 0x41503234UL
/* A directive that is not read from a .htaccess may stand there too. */
#define ACCESS_CONF 64
#define TRUE_NAME 0x20

/* py_config begins with these up to 3.2. */
struct configuration {
    int authoritative;
    const char *directory;
};

/* The module's functions for its directives. 3.2 has 29; later versions do not come here. */
static struct {
    const struct command *command;
    directive_handler stock;
} known[64];
static size_t count;
static int is_2_4;

static int is_section(const struct directive *directive, const char *name)
{
    return strncasecmp(directive->name, name, strlen(name)) == 0;
}

/* With a slash at its end, as httpd itself makes it of the section's first word; NULL if absent. */
static const char *directory_of(const struct directive *section, void *pool)
{
    const char *line = section->arguments, *end = strrchr(line, '>');
    char *word, *merged = NULL;
    int expression = is_section(section, "<DirectoryMatch");

    line = apr_pstrndup(pool, line, end == NULL ? strlen(line) : (size_t)(end - line));
    word = ap_getword_conf(pool, &line);
    if (strcmp(word, "~") == 0) {
        expression = 1;
        word = ap_getword_conf(pool, &line);
    }
    if (!expression) {
        /* The status for a pattern is ignored; the name is merged all the same. */
        apr_filepath_merge(&merged, NULL, word, TRUE_NAME, pool);
        if (merged != NULL)
            word = merged;
    }
    if (*word == '\0')
        return NULL;
    return word[strlen(word) - 1] == '/' ? word : apr_pstrcat(pool, word, "/", NULL);
}

/* Where a directive in <Files> belongs; NULL if it is elsewhere, or no directory is around it. */
static const char *enclosing_directory(const struct directive *directive, int override, void *pool)
{
    const struct directive *section = directive->parent;
    int in_files = 0;

    for (; section != NULL; section = section->parent) {
        if (is_section(section, "<Files"))
            in_files = 1;
        else if (is_section(section, "<Directory"))
            return in_files ? directory_of(section, pool) : NULL;
        else if (is_section(section, "<Location") || is_section(section, "<VirtualHost"))
            return NULL;
    }
    if (in_files && !(override & ACCESS_CONF) && directive->file != NULL) {
        const char *slash = strrchr(directive->file, '/');

        return slash == NULL ? NULL : apr_pstrndup(pool, directive->file, (size_t)(slash + 1 - directive->file));
    }
    return NULL;
}

static const char *read_directive(void *parameters, void *config, void *first, void *second, void *third)
{
    struct parameters_2_0 *of_2_0 = parameters;
    struct parameters_2_4 *of_2_4 = parameters;
    const struct rest *rest = is_2_4 ? &of_2_4->rest : &of_2_0->rest;
    size_t i = 0;

    while (i < count && known[i].command != rest->command)
        i++;
    if (i == count)
        return "is not known to modpython-core: a bug; MODPYTHON_CORE_DISABLE=" REMEDY " goes without";
    if (config != NULL && rest->directive != NULL) {
        const char *directory = enclosing_directory(rest->directive, of_2_0->override, rest->pool);

        if (directory != NULL)
            ((struct configuration *)config)->directory = directory;
    }
    return known[i].stock(parameters, config, first, second, third);
}

/* Directives whose directory counts: Python...Handler, PythonHandlerModule, Python...Filter. */
static int has_directory(const char *name)
{
    return strstr(name, "Handler") != NULL || strstr(name, "Filter") != NULL;
}

/* The pages that the linker has had made read-only, if the table of directives lies in them. */
struct protected {
    char *address, *from, *to;
};

static int find_protected(struct dl_phdr_info *object, size_t size, void *looked_for)
{
    struct protected *found = looked_for;
    /* As the loader rounds them: a page shared with data stays as it is. */
    size_t page = ~((size_t)sysconf(_SC_PAGESIZE) - 1);
    int i;

    (void)size;
    for (i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        size_t begin = object->dlpi_addr + segment->p_vaddr;
        char *from = (char *)(begin & page), *to = (char *)((begin + segment->p_memsz) & page);

        if (segment->p_type == PT_GNU_RELRO && found->address >= from && found->address < to) {
            found->from = from;
            found->to = to;
            return 1;
        }
    }
    return 0;
}

static int protect(const struct protected *pages, int protection)
{
    return pages->from == NULL || mprotect(pages->from, (size_t)(pages->to - pages->from), protection) == 0;
}

static void mend_directives(struct module *module)
{
    struct protected pages = {(char *)module->commands, NULL, NULL};
    struct command *command;

    is_2_4 = module->magic == MAGIC_2_4;
    for (command = module->commands; command->name != NULL; command++)
        /* A module that httpd has loaded again without unloading it. */
        if (command->handler == read_directive)
            return;
    dl_iterate_phdr(find_protected, &pages);
    if (!protect(&pages, PROT_READ | PROT_WRITE))
        return;
    count = 0;
    for (command = module->commands; command->name != NULL; command++)
        if (has_directory(command->name) && count < sizeof(known) / sizeof(*known)) {
            known[count].command = command;
            known[count++].stock = command->handler;
            command->handler = read_directive;
        }
    protect(&pages, PROT_READ);
}

/*
 * Called each time a module of generation 3.1 or 3.2 is loaded, before its directives are read, with its `module` and
 * the type of its requests. Either may be NULL.
 */
void modpython_core_mend_module(void *python_module, PyTypeObject *request_type)
{
    struct module *module = python_module;

    mpc_glue_mend_request_type(request_type);
    if (module == NULL || module->commands == NULL || !modpython_core_cures(REMEDY))
        return;
    if (module->magic == MAGIC_2_0 || module->magic == MAGIC_2_2 || module->magic == MAGIC_2_4)
        mend_directives(module);
}
