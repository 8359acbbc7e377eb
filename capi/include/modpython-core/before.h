/*
 * The first of the two headers that a patched mod_python.c includes, directly after mod_python.h.
 *
 * It gives the stock functions of the interpreter path other names. They stay in the object: the library calls them
 * when it is switched off (MODPYTHON_CORE=off). The second header, after.h, brings the library's functions in.
 */
#ifdef MODPYTHON_CORE_BEFORE_H
#error "modpython-core/before.h is included twice: this mod_python.c is patched twice; take one of the patches back"
#endif
#define MODPYTHON_CORE_BEFORE_H

#ifndef MAIN_INTERPRETER
#error "modpython-core/before.h belongs directly after the line that includes mod_python.h in src/mod_python.c"
#endif

/* Checks the Python that pkg-config names. Only a crash would tell of a library for another one. */
#if defined(MODPYTHON_CORE_PYTHON) && MODPYTHON_CORE_PYTHON != PY_MAJOR_VERSION * 100 + PY_MINOR_VERSION
#error "pkg-config names a modpython-core for another Python than this mod_python's: make install PYTHON=... of the right one"
#endif

/*
 * The generation of the interpreter path: 301 (3.0 and 3.1), 302, 303 (3.3 and 3.4) or 305. May be given by
 * -DMODPYTHON_CORE_GENERATION=...
 */
#ifndef MODPYTHON_CORE_GENERATION
#if !defined(MPV_MAJOR) && defined(__has_include)
/* 3.5 keeps its version in a header that mod_python.h does not include. */
#if __has_include("mp_version.h")
#include "mp_version.h"
#endif
#endif
#if defined(MPV_MAJOR) && defined(MPV_MINOR)
#define MODPYTHON_CORE_GENERATION (MPV_MAJOR * 100 + MPV_MINOR)
#elif defined(MP_VERSION_MAJOR) && defined(MP_VERSION_MINOR)
#define MODPYTHON_CORE_GENERATION (MP_VERSION_MAJOR * 100 + MP_VERSION_MINOR)
#else
#error "modpython-core cannot tell the version of this mod_python: compile with -DMODPYTHON_CORE_GENERATION=301 (or 302, 303, 305)"
#endif
#endif
#if MODPYTHON_CORE_GENERATION == 300
#undef MODPYTHON_CORE_GENERATION
#define MODPYTHON_CORE_GENERATION 301
#elif MODPYTHON_CORE_GENERATION == 304
#undef MODPYTHON_CORE_GENERATION
#define MODPYTHON_CORE_GENERATION 303
#endif
#if MODPYTHON_CORE_GENERATION != 301 && MODPYTHON_CORE_GENERATION != 302 && MODPYTHON_CORE_GENERATION != 303 && \
    MODPYTHON_CORE_GENERATION != 305
#error "modpython-core knows mod_python 3.0 to 3.5; this is another version"
#endif

#define get_interpreter mpc_stock_get_interpreter
#define release_interpreter mpc_stock_release_interpreter
/*
 * 3.2.0 to 3.2.8 have no save_interpreter: their main_interpreter is a sub-interpreter, as in 3.1. May be given by
 * -DMODPYTHON_CORE_SAVES=0 or 1.
 */
#ifndef MODPYTHON_CORE_SAVES
#if MODPYTHON_CORE_GENERATION == 301
#define MODPYTHON_CORE_SAVES 0
#elif MODPYTHON_CORE_GENERATION == 302 && defined(MPV_PATCH)
#define MODPYTHON_CORE_SAVES (MPV_PATCH >= 9)
#else
#define MODPYTHON_CORE_SAVES 1
#endif
#endif
#if MODPYTHON_CORE_SAVES
#define save_interpreter mpc_stock_save_interpreter
#endif
