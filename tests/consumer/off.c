/*
 * MODPYTHON_CORE=off: the library does no more than call the functions that mod_python.c has registered. This shows
 * for every generation that each call arrives at the right one of them, with its arguments, and its result comes back.
 */
#include "consumer.h"

static char a_name[] = "a.name";
static server_rec a_server;
static char a_result, an_interpreter, a_state;
static const void *released;
static unsigned releases;

#define RESULT ((void *)&a_result)

static void *get_with_server(const char *name, void *server)
{
    CHECK(name == a_name && server == &a_server);
    return RESULT;
}

static void *get_by_name(const char *name)
{
    CHECK(name == a_name);
    return RESULT;
}

static void release(void)
{
    releases++;
}

static void release_data(void *data)
{
    released = data;
    releases++;
}

static void *save(const char *name, PyInterpreterState *interpreter)
{
    CHECK(name == a_name && interpreter == (PyInterpreterState *)&an_interpreter);
    return RESULT;
}

static void *save_state(const char *name, PyThreadState *state)
{
    CHECK(name == a_name && state == (PyThreadState *)&a_state);
    return RESULT;
}

void switched_off(void)
{
    /* The functions that the library must not call now are left out: calling one would end the program. */
    static const mpc31_host host_31 = {get_with_server, release, NULL, NULL};
    static const mpc32_host host_32 = {get_with_server, release, save, NULL, NULL};
    static const mpc33_host host_33 = {get_by_name, release, save, NULL, NULL};
    static const mpc35_host host_35 = {get_by_name, release_data, save_state, NULL};
    mpc35_interpreterdata data;

    CHECK(modpython_core_switched_off() == 1);
    modpython_core_initialize();

    mpc31_register_host(&host_31);
    CHECK((void *)get_interpreter(a_name, &a_server) == RESULT);
    release_interpreter();
    CHECK(releases == 1);

    mpc32_register_host(&host_32);
    CHECK((void *)mpc32_get_interpreter(a_name, &a_server) == RESULT);
    mpc32_release_interpreter();
    CHECK((void *)mpc32_save_interpreter(a_name, (PyInterpreterState *)&an_interpreter) == RESULT);
    CHECK(releases == 2);

    mpc33_register_host(&host_33);
    CHECK((void *)mpc33_get_interpreter(a_name) == RESULT);
    mpc33_release_interpreter();
    CHECK((void *)mpc33_save_interpreter(a_name, (PyInterpreterState *)&an_interpreter) == RESULT);
    CHECK(releases == 3);

    mpc35_register_host(&host_35);
    CHECK((void *)mpc35_get_interpreter(a_name) == RESULT);
    mpc35_release_interpreter(&data);
    CHECK((void *)mpc35_save_interpreter(a_name, (PyThreadState *)&a_state) == RESULT);
    CHECK(releases == 4 && released == &data);
}
