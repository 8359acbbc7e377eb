#!/bin/sh
# The lints of the Python files: usage: PYTHON=... python-lint.sh FOLDER...; by ruff or pyflakes, where one is there.
set -eu

/usr/bin/python3 python/write_python24.py --check

# Python 2's, in what is for Python 2.
export PYFLAKES_BUILTINS=unicode,basestring
if ruff --version >/dev/null 2>&1; then
    ruff check --no-cache --select E9,F --ignore F841 --config 'builtins = ["unicode", "basestring"]' "$@"
elif /usr/bin/python3 -m pyflakes --version >/dev/null 2>&1; then
    # A name that is bound to hold an object, and not read, is on purpose.
    ! /usr/bin/python3 -m pyflakes "$@" | grep -v 'assigned to but never used'
else
    find "$@" -name '*.py' | while read -r file; do
        "$PYTHON" -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' "$file"
    done
    echo 'NOT RUN: the lints of the Python files (neither ruff nor pyflakes); their syntax is right'
    test -z "${CI:-}"
fi
