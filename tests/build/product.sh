#!/bin/sh
# Tests what `make install` installs: usage: product.sh PYTHON, after `make PYTHON=...` in this folder.
#
# The files and their sizes, that `make uninstall` takes them all away, that the completions offer every option, and
# that the same source built in two folders gives the same bytes (there without optimisation, to save time).
set -eu

python=$1
here=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset MAKEFLAGS MFLAGS MAKELEVEL PYO3_PYTHON CFLAGS RUSTFLAGS

fail() {
    echo "FAILED: $1" >&2
    [ ! -e "$work/log" ] || tail -n 20 "$work/log" >&2
    exit 1
}

passed() {
    echo "passed: $1"
}

# run FOLDER ARGUMENT...: make, there.
run() {
    folder=$1
    shift
    make -C "$folder" PYTHON="$python" "$@" >"$work/log" 2>&1 || fail "make $*"
}

files() {
    (cd "$1" && find . -not -type d | sort)
}

minor=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
root=$work/root
run "$here" install DESTDIR="$root"
files "$root" >"$work/installed"
library=$root/usr/local/lib/libmodpython-core-py$minor.so.0 command=$root/usr/local/bin/modpython-relink

# The files that packaging/README.md lists.
sed -n 's/^| `\([^`]*\)` |.*/\1/p' "$here/packaging/README.md" |
    sed "s|^LIBDIR|./usr/local/lib|; s|^BINDIR|./usr/local/bin|; s|^MANDIR|./usr/local/share/man|; s|3\.N|$minor|
         s|^INCLUDEDIR|./usr/local/include|; s|^PREFIX|./usr/local|" | sort >"$work/listed"
diff "$work/listed" "$work/installed" >&2 || fail 'packaging/README.md does not list what make install installs'
passed "make install installs the $(grep -c . "$work/installed") files that packaging/README.md lists"

size() {
    stat -c %s "$1"
}
[ "$(size "$library")" -lt 1048576 ] || fail "the library has $(size "$library") bytes"
[ "$(size "$command")" -lt 3145728 ] || fail "the command has $(size "$command") bytes"
passed "sizes: the library $(size "$library") bytes, the command $(size "$command")"

readelf -Ws --dyn-syms "$library" | grep -q '__stack_chk_fail' || fail 'the C parts have no stack protector'
readelf -Ws --dyn-syms "$library" | grep -q '__fprintf_chk' || fail 'the C parts are not fortified'
readelf -Wd "$library" | grep -q 'BIND_NOW' || fail 'the library is not bound at once'
passed 'the C parts are hardened'

for file in "$library" "$command" "$root/usr/local/lib/libmodpython-core-py$minor.a"; do
    for path in "$here" "${CARGO_HOME:-$HOME/.cargo}"; do
        ! grep -aqF "$path/" "$file" || fail "$file has the path $path in it"
    done
done
passed 'no path of this machine is in the files'

# A module that is built by pkg-config finds the library in a prefix of its own when it is loaded.
grep -q -- '-Wl,-rpath,/usr/local/lib' "$root/usr/local/lib/pkgconfig/modpython-core-py$minor.pc" || fail 'the .pc file has no rpath'
passed 'the .pc file names the folder of the library to the loader'
grep -q -- "-DMODPYTHON_CORE_PYTHON=$(echo "$minor" | awk -F. '{ print $1 * 100 + $2 }')\$" "$root/usr/local/lib/pkgconfig/modpython-core-py$minor.pc" ||
    fail 'the .pc file does not tell its Python to the headers'
passed 'the .pc file tells its Python to the headers'

# Each option of the command, and each of its subcommands, by the completion that bash uses.
offered() {
    PATH=$root/usr/local/bin:$PATH bash -c '
        . "$1"
        shift
        COMP_WORDS=(modpython-relink "$@") COMP_CWORD=$#
        _modpython_relink
        printf "%s\n" "${COMPREPLY[@]}"' bash "$root/usr/local/share/bash-completion/completions/modpython-relink" "$@" | sort
}
if command -v bash >/dev/null; then
    for subcommand in '' patch; do
        # shellcheck disable=SC2086
        "$command" $subcommand --help | grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort >"$work/options"
        # shellcheck disable=SC2086
        offered $subcommand -- >"$work/offered"
        diff "$work/options" "$work/offered" >&2 || fail "bash does not offer the options of ${subcommand:-the command}"
    done
    offered pat | grep -qx patch || fail 'bash does not offer the subcommand'
    passed 'bash offers every option'
else
    echo 'NOT RUN: the completion of bash: no bash'
    test -z "${CI:-}"
fi
for shell in zsh fish; do
    file=$(grep -e "/$shell/" "$work/installed")
    if command -v $shell >/dev/null; then
        $shell -n "$root/$file" || fail "$shell cannot read its completion"
        passed "$shell reads its completion"
    else
        echo "NOT RUN: the completion of $shell: no $shell"
    fi
done

run "$here" uninstall DESTDIR="$root"
files "$root" >"$work/left"
[ ! -s "$work/left" ] || fail "make uninstall leaves: $(cat "$work/left")"
passed 'make uninstall removes every file'

# Two Pythons: the files that both need stay for the other.
run "$here" install DESTDIR="$root"
touch "$root/usr/local/lib/pkgconfig/modpython-core-py2.0.pc"
run "$here" uninstall DESTDIR="$root"
[ -x "$command" ] && [ ! -e "$library" ] || fail 'uninstall of one Python takes what the other needs, or leaves its own'
[ "$(readlink "$root/usr/local/lib/pkgconfig/modpython-core.pc")" = modpython-core-py2.0.pc ] || fail 'modpython-core.pc is for a Python that is gone'
passed 'make uninstall for one of two Pythons'

export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
for folder in one elsewhere/with/a/longer/name; do
    mkdir -p "$work/$folder"
    (cd "$here" && tar -cf - --exclude=./target --exclude=./.git .) | (cd "$work/$folder" && tar -xf -)
    run "$work/$folder" install DESTDIR="$work/built/$(basename "$folder")"
    rm -rf "$work/$folder/target/py$minor/release/deps"
done
diff -r "$work/built/one" "$work/built/name" >&2 || fail 'the same source in two folders gives different files'
passed 'two builds in two folders are equal, byte for byte'
