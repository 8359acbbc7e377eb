#!/bin/sh
# Comment lines of more than 120 columns in what is written by hand: usage: width.sh MOST. No more than MOST may be
# there.
set -eu

cd "$(dirname "$0")/../.."
files=$(git ls-files 2>/dev/null || find . -type f -not -path './target/*')
# shellcheck disable=SC2086
wide=$(printf '%s\n' $files | grep -E '(\.(rs|py|c|h|sh|toml)|Makefile|\.ci/run)$' | grep -v '^capi/include/modpython-core/modpython_core.h$' |
    xargs awk 'length($0) > 120 && /^[ \t]*(\/\/|#[^\[e]|\*|\/\*)/ { printf "%s:%d: %d columns\n", FILENAME, FNR, length($0) }')
count=$(printf '%s' "$wide" | grep -c . || true)
if [ "$count" -gt "$1" ]; then
    echo "$wide" >&2
    echo "Comments pass 120 columns on $count lines, more than the $1 that there were." >&2
    exit 1
fi
echo "Comments of more than 120 columns: $count lines (at most $1)"
