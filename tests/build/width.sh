#!/bin/sh
# Comment lines of more than 120 columns in what is written by hand; there are none.
set -eu

cd "$(dirname "$0")/../.."
files=$(git ls-files 2>/dev/null || find . -type f -not -path './target/*')
# In the C locale a letter of UTF-8 is several; those that go on with one do not count.
# shellcheck disable=SC2086
wide=$(printf '%s\n' $files | grep -E '(\.(rs|py|c|h|sh|toml|mk)|Makefile|\.ci/run)$' |
    grep -v -e '^capi/include/modpython-core/modpython_core.h$' -e '^python/python24/' |
    LC_ALL=C xargs awk '/^[ \t]*(\/\/|#[^\[e]|\*|\/\*)/ {
        line = $0
        gsub(/[\200-\277]/, "", line)
        if (length(line) > 120) printf "%s:%d: %d columns\n", FILENAME, FNR, length(line)
    }')
[ -z "$wide" ] || {
    echo "$wide" >&2
    echo 'These comments pass 120 columns.' >&2
    exit 1
}
