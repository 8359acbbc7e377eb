#!/bin/sh
# Relinks a built tree of mod_python with the static library; `make relink TREE=...` calls it, twice:
#
#     relink-tree.sh check TREE              is the tree one that can be relinked? Before anything is built.
#     relink-tree.sh link TREE SHIP WORK OUT
#
# SHIP has the static library and the command, WORK gets the copy that is worked on, OUT the module, the Python files
# and the LoadModule line. In the environment: PYTHON, the one the library is for; CC; MAKE; SHARED, the shared
# library, with which a tree of 3.5 is linked; and OBJECTS: if it is "only", nothing is compiled, no source is needed,
# and the objects' imports are replaced.
set -eu

job=$1 tree=${2%/}
# Where the tree's own variables are; a tree of objects alone may have none.
makefile=$tree/src/Makefile
only=${OBJECTS:-}

fail() {
    echo "relink: $tree: $1" >&2
    exit 1
}

# variable NAME [MAKEFILE]: its value in a generated Makefile.
variable() {
    sed -n "s/^$1 *= *//p" "${2:-$makefile}" 2>/dev/null | head -n 1
}

# The objects that the module is linked of, by what libtool says of each; without it by where they are.
objects() {
    for note in "$1"/src/*.lo; do
        name=$(sed -n "s/^pic_object='\(.*\)'/\1/p" "$note" 2>/dev/null)
        [ -z "$name" ] || [ "$name" = none ] || echo "$1/src/$name"
    done
    for folder in "$1/src/.libs" "$1/src" "$1/.libs" "$1"; do
        ls "$folder"/*.o 2>/dev/null || continue
        break
    done
}

# Each once, the first list if there is one, and mod_python.o among them.
all_objects() {
    objects "$1" | awk '{ name = $0; sub(/.*\//, "", name) } !seen[name]++'
}

# The sources that the tree's own make compiles into the module, without what is not a C source.
sources() {
    [ ! -f "$makefile" ] || sed -n '/^SRCS *=/,/[^\\]$/p' "$makefile" | tr -c 'A-Za-z0-9_./' '\n' | sed -n 's/\.c$//p'
}

# The machine that a file is for: class, byte order and number, as ELF has them.
machine() {
    od -An -v -tx1 -j4 -N2 "$1" | tr -d ' \n'
    od -An -v -tx1 -j18 -N2 "$1" | tr -d ' \n'
}

version_of() {
    "$1" -E -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

check() {
    [ -d "$tree" ] || fail "there is no such folder; TREE= names the top folder of a configured and built mod_python"
    if [ "$only" != only ]; then
        [ -f "$tree/src/mod_python.c" ] || fail "no src/mod_python.c: this is no source tree; with the objects of one, add OBJECTS=only"
        [ -f "$makefile" ] || fail "never configured (no src/Makefile): run ./configure and make there first"
    fi
    if [ -f "$makefile" ]; then
        apxs=$(variable APXS)
        if [ "$only" != only ]; then
            [ -n "$apxs" ] || fail "configured without apxs: only a module that httpd loads (DSO) can be relinked"
            [ -x "$apxs" ] || fail "its httpd is gone ($apxs is not there): install its development files again, or configure and make the tree for another httpd"
            include=$("$apxs" -q INCLUDEDIR 2>/dev/null || true)
            [ -f "$include/httpd.h" ] || fail "the headers of its httpd are gone (no httpd.h in ${include:-what $apxs says}): install its development files again"
        fi
        python=$(variable PYTHON_BIN "$tree/Makefile")
        [ -z "$python" ] || [ -x "$python" ] || fail "its Python is gone ($python is not there): install it again, or configure and make the tree for another Python"
    fi
    built=$(all_objects "$tree")
    first=$(echo "$built" | grep '/mod_python\.o$' | head -n 1)
    [ -n "$first" ] && [ -f "$first" ] || fail "never built (no object mod_python.o): run make there first"
    for source in $(sources); do
        echo "$built" | grep -q "/$source\.o\$" ||
            fail "not built to its end (no object $source.o): run make there again, and see where it stops"
    done
    [ "$(machine "$first")" = "$(machine /bin/sh)" ] ||
        fail "built for another architecture than this machine's ($first): relink it where it was built, or build it here"
    wanted=$(tree_python)
    [ -n "$wanted" ] || fail "nothing says which Python it is for: name one by PYTHON=/path/to/python"
    [ "$wanted" = "$(version_of "$PYTHON")" ] ||
        fail "it is for Python $wanted, and PYTHON=$PYTHON is Python $(version_of "$PYTHON"): name the Python of the tree, or none"
}

# The version of the Python that the tree was built for.
tree_python() {
    python=$(variable PYTHON_BIN "$tree/Makefile")
    if [ -n "$python" ]; then
        version_of "$python"
    elif [ -f "$makefile" ]; then
        grep -o 'lpython[0-9]\.[0-9]*' "$makefile" | head -n 1 | sed 's/lpython//'
    else
        version_of "$PYTHON"
    fi
}

# run WHAT COMMAND...: in silence, unless it fails.
run() {
    what=$1
    shift
    "$@" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        fail "$what (the output is above)"
    }
}

# The tree's own compiler and flags, for mod_python.c alone.
compile() {
    copy=$work/tree
    cp -RPp "$tree" "$copy"
    run "the lines could not be added" "$ship/modpython-relink" patch "$copy" --apply --json
    generation=$(sed -n 's/^ *"generation": "\(.*\)",*$/\1/p' "$work/log")
    old=$(all_objects "$copy" | grep '/mod_python\.o$')
    rm -f "$old" "$copy"/src/mod_python.lo "$copy"/src/mod_python.o "$copy"/src/mod_python.so
    # The one object also gets linked, to nothing that could be used; whether that goes well is no matter.
    # The tree's make does not get the options of our own make.
    (unset MAKEFLAGS MFLAGS MAKELEVEL && cd "$copy/src" && "$MAKE" mod_python.so SRCS=mod_python.c LIBS= LDLIBS= LDFLAGS= INCLUDES="$(variable INCLUDES) -I$here/capi/include") \
        >"$work/log" 2>&1 || true
    [ -f "$old" ] || {
        cat "$work/log" >&2
        fail "mod_python.c with the added lines does not compile (the output is above)"
    }
    grep -i 'warning' "$work/log" >&2 || true
    objects=$(all_objects "$copy")
    options='-Wl,--wrap=apr_pool_cleanup_register -Wl,--wrap=apr_bucket_immortal_create -Wl,--wrap=PyList_Append'
    options="$options -Wl,--wrap=ap_get_client_block"
    defined=
}

# The calls of every function that there is a replacement for, redirected in the objects as they are.
wrap() {
    objects=$(all_objects "$tree")
    # shellcheck disable=SC2086
    nm $objects >"$work/symbols"
    imports() { grep -q " U $1\$" "$work/symbols"; }
    # 3.2 brought the mutex, 3.3 the function for other modules.
    { imports PyEval_AcquireLock && imports PyDict_New && ! imports apr_thread_mutex_create &&
        ! grep -q ' T mp_acquire_interpreter$' "$work/symbols"; } ||
        fail "these are no objects of 3.1: relink the source tree, or the finished module if it is one of 3.5 (modpython-relink)"
    generation=3.1
    prefix=mpc31_rebind_
    names=$(sed -n "s/^$prefix\([A-Za-z_]*\).*/\1/p" "$here/capi/modpython_core.symbols")
    options=$(printf ' -Wl,--wrap=%s' $names)
    defined=$(for name in $names; do printf ' -Wl,--defsym=__wrap_%s=%s%s' "$name" "$prefix" "$name"; done)
}

# The static library, inside the module.
put_inside() {
    # The library's symbols, by its own names and by how Rust mangles, are no business of httpd's other modules, but
    # for the one by which the module is known. All else is exported as before: of a static libpython too, which
    # extension modules look for there.
    {
        echo '{ global: modpython_core_build_info;'
        echo 'local: _R*; _ZN*; rust_*; mpc*; modpython_core_*;'
        sed -n 's/^\([a-z_]*_interpreter\|make_obcallback\).*/  \1;/p' "$here/capi/modpython_core.symbols"
        echo '};'
    } >"$work/map"
    # shellcheck disable=SC2086
    run "it cannot be linked" $cc -shared -o "$work/mod_python.so" "$work/wrapped.o" $defined "$ship/libmodpython_core.a" \
        -Wl,--version-script="$work/map" -Wl,--gc-sections $libraries -lpthread -ldl -lm
    where="the library is in it; nothing else has to be installed"
}

# The shared library, beside the module. 3.5 gives Python the address of a function before Python starts, and Python 3
# goes on calling it when a graceful restart has loaded the module anew: the library has to stay, which the module must
# not.
put_beside() {
    library=$(basename "$SHARED")
    install -m 755 "$SHARED" "$out/$library"
    # shellcheck disable=SC2016,SC2086
    run "it cannot be linked" $cc -shared -o "$work/mod_python.so" "$work/wrapped.o" "$out/$library" -Wl,-rpath,'$ORIGIN' $libraries
    cp "$out/$library" "$work/"
    where="with $library, which has to be in the same folder"
}

link() {
    ship=$(cd "$1" && pwd) work=$2 out=$3
    here=$(cd "$(dirname "$0")/.." && pwd)
    tree=$(cd "$tree" && pwd) makefile=$tree/src/Makefile
    rm -rf "$work"
    mkdir -p "$work" "$out"
    work=$(cd "$work" && pwd) out=$(cd "$out" && pwd)
    cc=$(variable CC)
    command -v "${cc%% *}" >/dev/null 2>&1 || cc=$CC
    libraries="$(variable LDFLAGS) $(variable LIBS) $(variable LDLIBS)"
    if [ ! -f "$makefile" ]; then
        libraries=$("$PYTHON" -E -c 'import sys
sysconfig = __import__(sys.version_info >= (2, 7) and "sysconfig" or "distutils.sysconfig", {}, {}, "*")
get = sysconfig.get_config_var
print("-L%s -l:%s" % (get("LIBDIR"), get("INSTSONAME")))')
    fi
    if [ "$only" = only ]; then wrap; else compile; fi

    # In two steps: in one, the library's own calls would be wrapped too, and lead back to itself without end.
    # shellcheck disable=SC2086
    run "its objects cannot be joined" $cc -nostdlib -r -o "$work/wrapped.o" $objects $options
    case $generation in
    3.5) put_beside ;;
    *) put_inside ;;
    esac
    run "the result is not as it should be" "$ship/modpython-relink" --check "$work/mod_python.so"

    package=$(ls -d "$tree"/dist/build/lib*/mod_python 2>/dev/null | head -n 1)
    [ -n "$package" ] || package=$tree/lib/python/mod_python
    rm -rf "$out/mod_python.so" "$out/python"
    if [ -d "$package" ]; then
        mkdir "$out/python"
        cp -R "$package" "$out/python/mod_python"
        [ "$only" = only ] || cp "$work/tree/lib/python/mod_python/apache.py" "$out/python/mod_python/apache.py"
    fi
    # A server may be running with the old file: a new one takes its place.
    mv "$work/mod_python.so" "$out/mod_python.so"
    echo "LoadModule python_module $out/mod_python.so" >"$out/python.load"
    rm -rf "$work"
    report
}

report() {
    echo "relinked $tree"
    echo "  the module:       $out/mod_python.so ($where)"
    if [ "$only" = only ] || cmp -s "$tree/lib/python/mod_python/apache.py" "$out/python/mod_python/apache.py"; then
        echo "  the Python files: those that are installed; none is changed"
    else
        echo "  the Python files: $out/python/mod_python: install apache.py in the place of the installed one"
    fi
    echo "To use it, put this line in the place of mod_python's LoadModule line, and stop and start the server:"
    echo "  $(cat "$out/python.load")"
    if ! readelf -d "$out/mod_python.so" | grep -q 'NEEDED.*libpython'; then
        echo "relink: warning: the tree links a static libpython. An extension module of Python that needs the shared one brings" >&2
        echo "relink: warning: a second Python along, and crashes; configure the tree with a Python that has a shared libpython." >&2
    fi
}

case $job in
check) check ;;
link)
    shift 2
    link "$@"
    ;;
*)
    echo "usage: relink-tree.sh check TREE, or link TREE SHIP WORK OUT" >&2
    exit 2
    ;;
esac
