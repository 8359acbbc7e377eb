#!/bin/sh
# Comment lines of more than 120 columns, and files of more than 400 lines, in what is written by hand; there are none.
set -eu

cd "$(dirname "$0")/../.."
files=$(git ls-files 2>/dev/null || find . -type f -not -path './target/*' | sed 's|^\./||')
written=$(printf '%s\n' "$files" | grep -E '(\.(rs|py|c|h|sh|toml|mk)|Makefile|\.ci/run)$' |
    grep -v -e '^capi/include/modpython-core/modpython_core.h$' -e '^python/python24/' -e '^fuzz/corpus/')
# In the C locale a letter of UTF-8 is several; those that go on with one do not count.
found=$(printf '%s\n' "$written" | LC_ALL=C xargs awk '
    FNR == 401 { printf "%s: more than 400 lines\n", FILENAME }
    /^[ \t]*(\/\/|#[^\[e]|\*|\/\*)/ {
        line = $0
        gsub(/[\200-\277]/, "", line)
        if (length(line) > 120) printf "%s:%d: a comment of %d columns\n", FILENAME, FNR, length(line)
    }')
[ -z "$found" ] || {
    echo "$found" >&2
    echo 'No comment passes 120 columns, and no file 400 lines.' >&2
    exit 1
}
