#!/bin/sh
# Sees to it that what a make target needs is there: usage: prerequisites.sh tree|build|demo|check PYTHON
#
# As root on Debian what is missing is installed by apt; anybody else is told the exact command. Exit code 1 if
# something is missing afterwards.
set -eu

target=$1
python=$2
missing=

# need PACKAGE COMMAND...: the package is missing if the command fails.
need() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

has_rust() {
    # 1.85 is the oldest that builds this.
    cargo --version 2>/dev/null | awk '{ split($2, v, "."); exit !(v[1] > 1 || v[2] >= 85) }'
}

has_headers() {
    "$python" -c 'import os, sysconfig; assert os.path.exists(sysconfig.get_paths()["include"] + "/Python.h")'
}

has_libpython() {
    "$python" -c 'import os, sysconfig
folder, name = map(sysconfig.get_config_var, ("LIBDIR", "INSTSONAME"))
folders = [folder, os.path.join(folder, sysconfig.get_config_var("MULTIARCH") or "")]
assert name.startswith("libpython") and any(os.path.exists(os.path.join(f, name)) for f in folders)'
}

# Debian 12 has its newer Rust as rustc-web; later releases have it as rustc.
rust_package() {
    if apt-cache show cargo-web >/dev/null 2>&1; then echo cargo-web rustc-web; else echo cargo rustc; fi
}

look() {
    missing=
    need RUST has_rust
    need gcc cc --version
    need python3-dev has_headers
    # A tree brings its own libpython, which may be static.
    [ "$target" = tree ] && return
    need libpython3-dev has_libpython
    [ "$target" = build ] && return
    need apache2 test -x /usr/sbin/apache2
    need libapache2-mod-python test -e /usr/lib/apache2/modules/mod_python.so
    [ "$target" = demo ] && return
    need apache2-dev test -x /usr/bin/apxs2
    need patch patch --version
    need git git --version
    need quilt quilt --version
    need valgrind valgrind --version
    # Without it valgrind cannot follow Debian's stripped loader.
    need libc6-dbg valgrind -q true
    need libapache2-mod-wsgi-py3 test -e /usr/lib/apache2/modules/mod_wsgi.so
    # The application bed.
    for name in flask flask_babel:flask-babel django sqlalchemy numpy lxml babel bottle cherrypy:cherrypy3 falcon; do
        need "python3-${name#*:}" /usr/bin/python3 -c "import ${name%%:*}"
    done
}

look
[ -z "$missing" ] && exit 0

case "$missing " in
*-dev\ *)
    if [ "$python" != /usr/bin/python3 ]; then
        echo "$python has no headers or no shared libpython (its configure option is --enable-shared)." >&2
        echo "Choose another by PYTHON=, or install them." >&2
        exit 1
    fi ;;
esac
if ! command -v apt-get >/dev/null; then
    echo "Missing (by the names of Debian's packages):$missing; RUST stands for cargo and rustc 1.85 or later." >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    echo "Installing what is missing:$missing"
    apt-get update -q
fi
case "$missing " in
*\ RUST\ *) missing=$(echo "$missing " | sed "s/ RUST / $(rust_package) /") ;;
esac
if [ "$(id -u)" != 0 ]; then
    echo "Missing. As root, run:" >&2
    echo "  apt-get update && apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
# RUNLEVEL=1: a web server that was not there before is not to be started on port 80 by its package.
# shellcheck disable=SC2086
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
look
if [ -n "$missing" ]; then
    echo "Still missing after the installation:$missing" >&2
    exit 1
fi
