#!/bin/sh
# Builds the C program of this folder against the header, once with the static and once with the shared library, and
# runs it under valgrind: usage: PYTHON=... CC=... run.sh STATIC SHARED FOLDER
#
# FOLDER is made anew, for what is built and logged. Exit code 1 if anything is wrong; then the logs are printed.
set -eu

static=$1
shared=$2
out=$3
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..

rm -rf "$out"
mkdir -p "$out/pycache"
out=$(cd "$out" && pwd)

ask() {
    # sysconfig was a part of distutils before 2.7.
    "$PYTHON" -E -s -c "import sys
sysconfig = __import__(sys.version_info >= (2, 7) and 'sysconfig' or 'distutils.sysconfig', {}, {}, '*')
print($1)"
}
version=$(ask '"%d.%d" % sys.version_info[:2]')
include=$(ask 'sysconfig.get_config_var("INCLUDEPY")')
libdir=$(ask 'sysconfig.get_config_var("LIBDIR")')
libpython=$(ask 'sysconfig.get_config_var("INSTSONAME")')
home=$(ask 'getattr(sys, "base_prefix", sys.prefix)')
case $version in
2.*) generations='31 32 33' ;;
*) generations=35 ;;
esac

# layout.c has every function that the library exports for C; the rest is for relinked modules, and one is no function.
grep -oE '^[A-Za-z_][A-Za-z0-9_]*' "$root/capi/modpython_core.symbols" |
    grep -v -e _rebind_ -e '^modpython_core_build_info$' | sort > "$out/exported"
sed -n 's/^ *F([^,]*, \([a-z0-9_]*\), .*/\1/p' "$here/layout.c" | sort > "$out/compared"
if ! diff "$out/exported" "$out/compared"; then
    echo 'tests/consumer/layout.c does not have the functions of capi/modpython_core.symbols' >&2
    exit 1
fi

# build NAME LIBRARY...
build() {
    name=$1
    shift
    $CC -std=gnu11 -g -O1 -Wall -Wextra -Werror -Wincompatible-pointer-types -isystem "$include" \
        -I "$root/capi/include" "$here"/*.c -o "$out/$name" "$@" -L"$libdir" -l:"$libpython" -lpthread -ldl -lm
}
build static "$static"
build shared "$shared"

# run LOG COMMAND...: with nothing of the caller's environment but the path, and within a time.
run() {
    log=$out/$1
    shift
    code=0
    env -i PATH="$PATH" LD_LIBRARY_PATH="$(dirname "$shared"):$libdir" PYTHONHOME="$home" PYTHONNOUSERSITE=1 \
        PYTHONPATH="$here/python" PYTHONPYCACHEPREFIX="$out/pycache" PYTHONMALLOC=malloc \
        timeout 300 "$@" < /dev/null > "$log" 2>&1 || code=$?
    if [ "$code" != 0 ]; then
        echo "exit code $code: $*" >&2
        cat "$log" >&2
        exit 1
    fi
}

# Without valgrind first. Python 3 puts its bytecode where it is asked to; 2.7 would put it beside the sources.
case $version in
2.*) no_bytecode=PYTHONDONTWRITEBYTECODE=1 ;;
*) no_bytecode=PYTHONDONTWRITEBYTECODE= ;;
esac
for generation in $generations; do
    run "plain-$generation" env "$no_bytecode" "$out/static" "$generation"
done

# From here on the bytecode is taken as it is. Of a file's flags, 0 if its time is compared, Python would make an int
# and look at its digit, of which 0 has none: valgrind complains of that.
"$PYTHON" -E -s - "$out/pycache" <<'END'
import os, sys
for folder, _, files in os.walk(sys.argv[1]):
    for name in files:
        with open(os.path.join(folder, name), 'r+b') as file:
            file.seek(4)
            file.write(b'\1')
END

# memcheck NAME PROGRAM ARGUMENT [SETTING]: no error and no lost block, in the program and in its children. The stacks
# are deep enough for a block that is allocated by a module which Python imports for us.
memcheck() {
    run "$1" env "$no_bytecode" ${4:-LC_ALL=C} "${VALGRIND:-valgrind}" --quiet --error-exitcode=99 --num-callers=100 \
        --leak-check=full --show-leak-kinds=definite,possible --errors-for-leak-kinds=definite,possible \
        --suppressions="$here/valgrind.supp" --gen-suppressions=all "$2" "$3"
}
for library in static shared; do
    memcheck "$library-off" "$out/$library" off MODPYTHON_CORE=off
    memcheck "$library-directives" "$out/$library" directives
    for generation in $generations; do
        memcheck "$library-$generation" "$out/$library" "$generation"
    done
    echo "Python $version, $library library: generations $generations and MODPYTHON_CORE=off: no error, no leak"
done
