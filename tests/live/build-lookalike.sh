#!/bin/sh
# Builds the look-alike, stock and relinked, for the live tests: usage: build-lookalike.sh PYTHON WAY SHIP OUT [SHAPE]
#
# WAY is source or objects (those alone), both as `make relink TREE=` does it, or finished (the finished module,
# rewritten by modpython-relink). SHIP is the directory with the static library and the command; SHARED names the shared
# library. OUT gets stock.so and relinked.so, the package that belongs to each (lib/, lib-relinked/), and `way`,
# `python` and `shape`, one word each; for a Python that is not the system's also `home`, a link to its copy beside OUT:
# httpd's children may not enter the folder of a user's own Python.
set -eu

python=$1 way=$2 ship=$(cd "$3" && pwd) out=$4 shape=${5:-3.1}
here=$(cd "$(dirname "$0")/../.." && pwd)

rm -rf "$out"
mkdir -p "$out/stock" "$out/raw"
out=$(cd "$out" && pwd)

# The look-alike writes its build beside its sources. `stock` has a mend without which no child of it lives on Python
# 2.7; `raw`, which gets relinked, has none, as the releases have none.
build() {
    cp -R "$here/tests/lookalike/." "$out/$1"
    (cd "$out/$1" && ./configure ${APXS:+"--with-apxs=$APXS"} --with-python="$python" --shape="$shape" $2 && make) \
        >"$out/$1.log" 2>&1 || {
        cat "$out/$1.log" >&2
        echo "build-lookalike.sh: the $1 look-alike does not build" >&2
        exit 1
    }
}

# Everything of a folder, to see that it stays as it is.
sums() {
    (cd "$1" && find . -type f -exec sha256sum {} + | sort)
}

# relink_tree OBJECTS: the product's own way to a module out of a built tree, which must not touch that tree.
relink_tree() {
    sums "$out/raw" >"$out/sums"
    export PYTHON="$python" CC="${CC:-cc}" MAKE="${MAKE:-make}" OBJECTS="$1"
    sh "$here/packaging/relink-tree.sh" check "$out/raw"
    sh "$here/packaging/relink-tree.sh" link "$out/raw" "$ship" "$out/work" "$out/relinked"
    sums "$out/raw" | diff "$out/sums" - || {
        echo "build-lookalike.sh: relinking has changed the tree, as above" >&2
        exit 1
    }
    mv "$out/relinked/mod_python.so" "$out/relinked.so"
    # In the shape of 3.5 the library stays beside it.
    for library in "$out"/relinked/libmodpython-core-*; do
        [ ! -f "$library" ] || mv "$library" "$out/"
    done
    mv "$out/relinked/python" "$out/lib-relinked"
}

build stock ''
build raw --without-fork-mend
cp "$out/stock/src/.libs/mod_python.so" "$out/stock.so"
cp -R "$out/stock/lib/python" "$out/lib"

case $way in
source)
    relink_tree ''
    ;;
objects)
    relink_tree only
    ;;
finished)
    cp "$SHARED" "$out/"
    # $ORIGIN is the loader's.
    # shellcheck disable=SC2016
    "$ship/modpython-relink" "$out/raw/src/.libs/mod_python.so" --library "$out/$(basename "$SHARED")" --runpath '$ORIGIN' \
        --output "$out/relinked.so"
    cp -R "$out/lib" "$out/lib-relinked"
    ;;
*)
    echo "build-lookalike.sh: the way is source, objects or finished, not $way" >&2
    exit 2
    ;;
esac
echo "$way" >"$out/way"
echo "$shape" >"$out/shape"
ask() {
    # sysconfig was a part of distutils before 2.7.
    "$python" -c "import sys
sysconfig = __import__(sys.version_info >= (2, 7) and 'sysconfig' or 'distutils.sysconfig', {}, {}, '*')
print($1)"
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
