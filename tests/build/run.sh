#!/bin/sh
# Tests the Makefile's ways to build and install, in copies of this folder: usage: run.sh PYTHON OTHER
#
# PYTHON and OTHER are two Pythons 3 of different minors. The copies are built without optimisation, but for what is
# asked of the finished product.
set -eu

python=$1 other=$2
here=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The copies do not see the settings of the make that runs this.
unset MAKEFLAGS MFLAGS MAKELEVEL PYO3_PYTHON
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16

fail() {
    echo "FAILED: $1" >&2
    [ ! -e "$work/log" ] || tail -n 20 "$work/log" >&2
    exit 1
}

passed() {
    echo "passed: $1"
}

copy() {
    mkdir "$1"
    (cd "$here" && tar -cf - --exclude=./target --exclude=./.git .) | (cd "$1" && tar -xf -)
}

# run ARGUMENT...: make, in the copy.
run() {
    make -C "$tree" "$@" >"$work/log" 2>&1 || fail "make $*"
}

minor() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'
}

# Which Python a library is for: by its name, by its code and by what it needs.
assert_for() {
    library=$2/libmodpython-core-py$1.so.0
    [ -e "$library" ] || fail "$library is not there"
    grep -aqx "python=$1" "$library" || fail "$library has another Python's build information than $1"
    readelf -d "$library" | grep -q "NEEDED.*libpython$1" || fail "$library does not need the libpython of $1"
}

one=$(minor "$python") two=$(minor "$other")
[ "$one" != "$two" ] || fail "$python and $other are both Python $one"
tree=$work/tree
copy "$tree"

run PYTHON="$python"
run PYTHON="$other"
assert_for "$one" "$tree/target/py$one"
assert_for "$two" "$tree/target/py$two"
passed 'two Pythons in one folder: each has its own library'

# Without a folder for each, cargo itself has to see that the Python is another one.
run PYTHON="$other" BUILD=target/py"$one" link
assert_for "$two" "$tree/target/py$one"
passed 'two Pythons in one target folder: the code is that of the second'

# A stale library: cargo, which would have made a new one, does nothing.
! make -C "$tree" PYTHON="$python" BUILD=target/py"$two" CARGO=true link >"$work/log" 2>&1 ||
    fail 'the library of another Python was linked'
grep -q "is for another Python: python=$one is not in" "$work/log" || fail 'the refusal does not say which Python'
passed 'a library for another Python is refused by the link step'

# `make install` takes the Python of the last `make`, and says so.
run PYTHON="$python"
run PYTHON="$other"
run install DESTDIR="$work/root"
grep -q "Installing for Python $two, $other; PYTHON= names another" "$work/log" || fail 'does not say which Python'
assert_for "$two" "$work/root/usr/local/lib"
[ ! -e "$work/root/usr/local/lib/libmodpython-core-py$one.so.0" ] || fail 'installs the other Python too'
passed 'make install is for the Python that was built'

# The command that was installed could not find its own library.
run install DESTDIR="$work/elsewhere" LIBDIR=/opt/somewhere/lib
grep -aq /opt/somewhere/lib "$work/elsewhere/usr/local/bin/modpython-relink" || fail 'the command does not know its LIBDIR'
passed 'make install LIBDIR= after make'

# sudo has a root without Rust.
run install DESTDIR="$work/root" CARGO="$work/no-cargo" LIBDIR=/opt/somewhere/lib
! make -C "$tree" install DESTDIR="$work/root" CARGO="$work/no-cargo" LIBDIR=/elsewhere >"$work/log" 2>&1 ||
    fail 'installed what was built for another LIBDIR'
grep -q 'There is no Rust here' "$work/log" || fail 'the refusal does not say why'
passed 'make install without a Rust'

# An unchanged file stays as it was, so that nothing after it runs again.
run PYTHON="$python"
touch "$work/before"
run PYTHON="$python"
[ -z "$(find "$tree/target/py$one/" -name 'lib*.so.0' -newer "$work/before")" ] || fail 'linked anew without a change'
passed 'a second make changes nothing'
