#!/bin/sh
# Makes Debian's source package, with the crates in it: usage: source-package.sh FOLDER [PYTHON]
#
# `dpkg-buildpackage` in the folder that is printed then needs no network. PYTHON (default /usr/bin/python3) is that of
# the release which the package is for.
#
# The crates for Windows are emptied, not removed: Cargo.lock asks for them by name.
set -eu

out=$1 python=${2:-/usr/bin/python3}
here=$(cd "$(dirname "$0")/.." && pwd)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/Cargo.toml" | head -n 1)
pyver=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
mkdir -p "$out"
out=$(cd "$out" && pwd)
tree=$out/modpython-core-$version
rm -rf "$tree"
mkdir "$tree"
(cd "$here" && tar -cf - --exclude=./target --exclude=./.git --exclude=__pycache__ .) | (cd "$tree" && tar -xf -)
(cd "$tree" && "${CARGO:-cargo}" vendor --locked --quiet vendor >/dev/null)

for crate in "$tree"/vendor/windows* "$tree"/vendor/winapi*; do
    [ -d "$crate" ] || continue
    find "$crate" -mindepth 1 -maxdepth 1 ! -name Cargo.toml ! -name .cargo-checksum.json -exec rm -rf {} +
    mkdir "$crate/src"
    echo '//! For Windows; nothing of it is used.' >"$crate/src/lib.rs"
    # Features and targets that named files which are gone.
    sed -i '/^\[\[/,$d; /^build = /d' "$crate/Cargo.toml"
    sed -i 's/"files":{[^}]*}/"files":{}/' "$crate/.cargo-checksum.json"
done

# The source of the packaging has no place in the source that is packaged, but as debian/.
mv "$tree/packaging/debian" "$out/debian"
tar -C "$out" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-0}" -cJf \
    "$out/modpython-core_$version.orig.tar.xz" "modpython-core-$version"
rm -rf "$tree/debian"
mv "$out/debian" "$tree/debian"
cd "$tree/debian"
sed "s/@PYVER@/$pyver/g" control.in >control
for file in install lintian-overrides; do
    sed "s/@PYVER@/$pyver/g" "libmodpython-core0.$file.in" >"libmodpython-core0-py$pyver.$file"
done
rm -f ./*.in
{
    echo "libmodpython-core-py$pyver.so.0 libmodpython-core0-py$pyver #MINVER#"
    echo " MODPYTHON_CORE_0@MODPYTHON_CORE_0 $version"
    sed -n "s/^\([A-Za-z_][A-Za-z0-9_]*\) *\(# *3 *\)\{0,1\}\$/ \1@MODPYTHON_CORE_0 $version/p" "$here/capi/modpython_core.symbols" | sort
} >"libmodpython-core0-py$pyver.symbols"
echo "$tree"
