#!/bin/sh
# Builds the test host, stock and relinked, for the live tests: usage: build-host.sh PYTHON WAY SHIP OUT
#
# WAY is S (source: the include lines), O (objects only, by the linker's --wrap), both with the static library, or F (the
# finished module, rewritten by modpython-relink). SHIP is the directory with the static library and the command; for F,
# the variable SHARED names the shared library. OUT gets stock.so and relinked.so, the package that belongs to each
# (lib/, lib-relinked/), and `way` and `python`, one word each; for a Python that is not the system's also `home`, a link
# to its copy beside OUT: httpd's children may not enter the folder of a user's own Python.
set -eu

python=$1 way=$2 ship=$(cd "$3" && pwd) out=$4
here=$(cd "$(dirname "$0")/../.." && pwd)
symbols=$here/capi/modpython_core.symbols

rm -rf "$out"
mkdir -p "$out/stock"
out=$(cd "$out" && pwd)

# The host writes its build beside its sources.
build() {
    (cd "$1" && ./configure ${APXS:+"--with-apxs=$APXS"} --with-python="$python" && make) >"$out/$2.log" 2>&1 || {
        cat "$out/$2.log" >&2
        echo "build-host.sh: the $2 host does not build" >&2
        exit 1
    }
}

# Links what has been built in the folder $1 with the static library. In two steps: with the options of --wrap in the
# second, the library's own calls would be wrapped too, and lead back to itself. Its symbols are no business of httpd's
# other modules, nor of a second copy of it.
link_static() {
    libraries=$(sed -n 's/^LIBS=//p' "$1/src/Makefile")
    # shellcheck disable=SC2086
    ${CC:-cc} -nostdlib -r -o "$out/wrapped.o" "$1"/src/.libs/*.o $2
    # shellcheck disable=SC2086
    ${CC:-cc} -shared -o "$out/relinked.so" "$out/wrapped.o" $3 "$ship/libmodpython_core.a" \
        -Wl,--exclude-libs,libmodpython_core.a -lpthread -ldl -lm $libraries
}

cp -R "$here/tests/host/." "$out/stock"
build "$out/stock" stock
cp "$out/stock/src/.libs/mod_python.so" "$out/stock.so"
cp -R "$out/stock/lib/python" "$out/lib"

case $way in
S)
    cp -R "$here/tests/host/." "$out/source"
    cd "$out/source"
    sed -i -e '/^#include "mod_python.h"$/a #include <modpython-core/before.h>' src/mod_python.c
    line=$(grep -n 'pytho_cleanup' src/mod_python.c | cut -d: -f1)
    line=$(head -n "$line" src/mod_python.c | grep -n '^/\*\*' | tail -n 1 | cut -d: -f1)
    sed -i -e "${line}i #include <modpython-core/after.h>" src/mod_python.c
    printf '\ntry: import _modpython_core; _modpython_core.install(__name__)\nexcept ImportError: pass\n' \
        >>lib/python/mod_python/apache.py
    sed -i -e "s|^INCLUDES=.*|& -I$here/capi/include|" src/Makefile.in
    # Its linker lets a module refer to what httpd will have; the library is put in below.
    build "$out/source" relinked
    link_static "$out/source" -Wl,--wrap=apr_pool_cleanup_register ''
    cp -R lib/python "$out/lib-relinked"
    ;;
O)
    wraps=$(sed -n 's/^mpc31_rebind_\([A-Za-z_]*\).*/-Wl,--wrap=\1/p' "$symbols")
    defined=$(sed -n 's/^mpc31_rebind_\([A-Za-z_]*\).*/-Wl,--defsym=__wrap_\1=mpc31_rebind_\1/p' "$symbols")
    link_static "$out/stock" "$wraps" "$defined"
    cp -R "$out/lib" "$out/lib-relinked"
    ;;
F)
    cp "$SHARED" "$out/"
    # $ORIGIN is the loader's.
    # shellcheck disable=SC2016
    "$ship/modpython-relink" "$out/stock.so" --library "$out/$(basename "$SHARED")" --runpath '$ORIGIN' \
        --output "$out/relinked.so"
    cp -R "$out/lib" "$out/lib-relinked"
    ;;
*)
    echo "build-host.sh: the way is S, O or F, not $way" >&2
    exit 2
    ;;
esac
echo "$way" >"$out/way"
ask() {
    "$python" -c "import sys, sysconfig; print($1)"
}
version=$(ask '"%d.%d" % sys.version_info[:2]')
echo "$version" >"$out/python"

prefix=$(ask sys.exec_prefix)
[ "$prefix" != /usr ] || exit 0
home=$out/../python$version
if [ ! -d "$home" ]; then
    mkdir -p "$home.part/lib"
    # Its own tests are half of it.
    (cd "$prefix/lib" && tar -cf - --exclude=test --exclude=tests --exclude='*.a' --exclude='*.py[co]' "python$version") |
        (cd "$home.part/lib" && tar -xf -)
    cp "$(ask 'sysconfig.get_config_var("LIBDIR")')/$(ask 'sysconfig.get_config_var("INSTSONAME")')" "$home.part/lib"
    mv "$home.part" "$home"
fi
ln -s "../python$version" "$out/home"
