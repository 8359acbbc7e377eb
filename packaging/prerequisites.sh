#!/bin/sh
# Installs the packages that a make target needs (as root), or names them: usage: prerequisites.sh TARGET PYTHON
#
# TARGET is tree, build, demo or check; or rust, which only asks whether there is a Rust to build with.
#
# As root on Debian what is missing is installed by apt, and nothing is removed for it; anybody else is told the exact
# command. In the environment: CC, CARGO. Exit code 1 if something is missing afterwards.
set -eu

target=$1
python=$2
cc=${CC:-cc}
cargo=${CARGO:-cargo}
oldest=85
missing=

# need PACKAGE COMMAND...: the package is missing if the command fails.
need() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

# minor: of the Rust version 1.N on standard input; nothing without one.
minor() {
    sed -n 's/^[^0-9]*1\.\([0-9][0-9]*\)\..*/\1/p' | head -n 1
}

# Empty input is no version: a program that is absent must not pass for a new one.
new_enough() {
    found=$(minor)
    [ -n "$found" ] && [ "$found" -ge "$oldest" ]
}

has_rust() {
    "$cargo" --version 2>/dev/null | new_enough && "${RUSTC:-rustc}" --version 2>/dev/null | new_enough
}

# A compiler without the C library's headers compiles nothing.
has_libc() {
    # shellcheck disable=SC2086
    echo 'int main(void) { return 0; }' | $cc -x c -include stdio.h -o /dev/null -
}

# cargo fetches the crates by HTTPS, unless they are there already.
has_certificates() {
    case ${CARGO_NET_OFFLINE:-} in true | 1) return 0 ;; esac
    for file in "${CARGO_HTTP_CAINFO:-}" "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt \
        /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do
        [ -z "$file" ] || [ ! -s "$file" ] || return 0
    done
    return 1
}

# The import of sysconfig, a part of distutils before 2.7.
ask='import os, sys
sysconfig = __import__(sys.version_info >= (2, 7) and "sysconfig" or "distutils.sysconfig", {}, {}, "*")'

has_headers() {
    "$python" -c "$ask
assert os.path.exists(sysconfig.get_config_var('INCLUDEPY') + '/Python.h')"
}

has_libpython() {
    "$python" -c "$ask"'
folder, name = map(sysconfig.get_config_var, ("LIBDIR", "INSTSONAME"))
folders = [folder, os.path.join(folder, sysconfig.get_config_var("MULTIARCH") or "")]
assert name.startswith("libpython") and [f for f in folders if os.path.exists(os.path.join(f, name))]'
}

# Of the system's Python, whichever one is built for.
has_python_lints() {
    ruff --version || /usr/bin/python3 -m pyflakes --version
}

look() {
    missing=
    need RUST has_rust
    # The compiler is asked for before what it compiles with.
    # shellcheck disable=SC2086
    need gcc $cc --version
    need libc6-dev has_libc
    need ca-certificates has_certificates
    need python3-dev has_headers
    # A tree brings its own libpython, which may be static.
    [ "$target" != tree ] || return 0
    need libpython3-dev has_libpython
    [ "$target" != build ] || return 0
    need apache2 test -x /usr/sbin/apache2
    need libapache2-mod-python test -e /usr/lib/apache2/modules/mod_python.so
    [ "$target" != demo ] || return 0
    need apache2-dev test -x /usr/bin/apxs2
    need patch patch --version
    need git git --version
    need quilt quilt --version
    need valgrind valgrind --version
    # Without it valgrind cannot follow Debian's stripped loader.
    need libc6-dbg valgrind -q true
    # A crash that comes once in a thousand runs has to tell its place that once.
    need gdb gdb --version
    need shellcheck shellcheck --version
    need pyflakes3 has_python_lints
    need libapache2-mod-wsgi-py3 test -e /usr/lib/apache2/modules/mod_wsgi.so
    # The application bed.
    for name in flask flask_babel:flask-babel django sqlalchemy numpy lxml babel bottle cherrypy:cherrypy3 falcon; do
        need "python3-${name#*:}" /usr/bin/python3 -c "import ${name%%:*}"
    done
}

# The release, from what the system says of itself: package lists may be empty.
release() {
    # shellcheck disable=SC1090
    (. "${OS_RELEASE:-/etc/os-release}" 2>/dev/null && echo "${ID:-} ${VERSION_ID:-}") || true
}

# The packages with a Rust that is new enough; nothing if the release has none. Debian 12 has its newer Rust as
# rustc-web.
rust_packages() {
    for rustc in rustc-web rustc; do
        if apt-cache policy "$rustc" 2>/dev/null | sed -n 's/^ *Candidate: //p' | new_enough; then
            echo "cargo${rustc#rustc} $rustc"
            return
        fi
    done
    # Without lists only what is known of the release can be said.
    apt-cache policy rustc 2>/dev/null | grep -q '^ *Candidate: [0-9]' && return
    case $(release) in
    'debian 12') echo cargo-web rustc-web ;;
    'debian 10' | 'debian 11') ;;
    *) echo cargo rustc ;;
    esac
}

say() {
    echo "$1" >&2
}

# No package has what is needed: the ways out.
rust_is_too_old() {
    # shellcheck disable=SC1090
    name=$( (. "${OS_RELEASE:-/etc/os-release}" && echo "${PRETTY_NAME:-}") 2>/dev/null || true)
    has=$(apt-cache policy rustc 2>/dev/null | sed -n 's/^ *Candidate: \([0-9.]*\).*/ (it has \1)/p')
    say "Rust 1.$oldest or later is needed, and no package of ${name:-this system} has it$has. Install one beside it, for your own"
    say "account, by rustup (https://rustup.rs), so that \`cargo --version\` says 1.$oldest or later; or build on a newer release"
    say "and bring target/ here."
}

# A question, for `make install`: is there a Rust to build with?
if [ "$target" = rust ]; then
    has_rust
    exit
fi

# A Python that is not served is told so, whatever else it has.
version=$("$python" -c 'import sys; sys.stdout.write("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
case $version in
'' | 2.[4567] | 3.9 | 3.[1-9][0-9]) ;;
*)
    say "$python is Python $version: the library is for 2.4 to 2.7 and 3.9 to 3.14. Choose another by PYTHON=."
    exit 1 ;;
esac

look
[ -n "$missing" ] || exit 0

case "$missing " in
*\ python3-dev\ * | *\ libpython3-dev\ *)
    if [ "$python" != /usr/bin/python3 ]; then
        say "$python has no headers or no shared libpython (its configure option is --enable-shared)."
        say "Choose another by PYTHON=, or install them."
        exit 1
    fi ;;
esac
if ! command -v apt-get >/dev/null; then
    say "Missing (by the names of Debian's packages):$missing; RUST stands for cargo and rustc 1.$oldest or later."
    exit 1
fi

# One run installs at a time, also under make -j; the others then find everything there.
if [ "$(id -u)" = 0 ]; then
    exec 9>"${LOCK:-/run/modpython-core-prerequisites.lock}"
    flock 9
    look
    [ -n "$missing" ] || exit 0
    echo "Installing what is missing:$missing"
    apt-get update -q
fi
others=$(echo "$missing " | sed 's/ RUST / /; s/ *$//')
rust=
if [ "$others" != "$missing" ]; then
    rust=$(rust_packages)
    [ -n "$rust" ] || {
        rust_is_too_old
        [ -z "$others" ] || say "Also missing:$others"
        exit 1
    }
    rust=" $rust"
fi
# An installed Rust stays if these would take its place: its owner decides.
there=$(dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\n' rustc cargo 2>/dev/null | sed -n 's/^installed //p' |
    tr '\n' ',' | sed 's/,$//; s/,/, /g')
if [ -n "$rust" ] && [ -n "$there" ] && [ "$rust" != ' cargo rustc' ]; then
    say "Debian's own Rust is installed and is older than 1.$oldest ($there);$rust would take its place."
    say "If you want that, run as root:"
    say "  apt-get update && apt-get install --no-install-recommends$rust$others"
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    say "Missing. As root, run:"
    say "  apt-get update && apt-get install --no-install-recommends$rust$others"
    exit 1
fi
# RUNLEVEL=1: a web server that was not there before is not to be started on port 80 by its package.
# shellcheck disable=SC2086
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends --no-remove \
    -o DPkg::Lock::Timeout=600 $rust $others
look
if [ -n "$missing" ]; then
    say "Still missing after the installation:$missing"
    case "$missing " in *\ RUST\ *) rust_is_too_old ;; esac
    exit 1
fi
