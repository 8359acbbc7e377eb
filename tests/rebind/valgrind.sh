#!/bin/sh
# Runs the scenarios of one request and another under valgrind, each in a process of its own: nothing may be read or
# written after it was given back. Usage: valgrind.sh TEST_PROGRAM
#
# Values that were never set are not looked for: valgrind does not follow how CPython 3.11 fills what it imports, and
# speaks of hundreds in code that is CPython's alone.
set -eu

program=$1
cd "$(dirname "$0")/../.."
# Without signals: valgrind runs one thread at a time, and the scenario that counts where they come in takes for ever.
scenarios=$(sed -n 's/^ *"\([a-z_]*\)" => \(separate\|phases\)::.*/\1/p' tests/rebind/scenarios.rs |
    grep -v -e a_signal_handler -e interpreters_whose_starts)
[ -n "$scenarios" ]
passed=0
for scenario in $scenarios; do
    if REBIND_SCENARIO=$scenario PYTHONMALLOC=malloc PYTHONPATH=$PWD/tests/python PYTHONDONTWRITEBYTECODE=1 \
        timeout 600 valgrind -q --error-exitcode=9 --undef-value-errors=no \
        "$program" --exact shared::scenario --nocapture >target/valgrind.log 2>&1; then
        passed=$((passed + 1))
        echo "$scenario: nothing"
    else
        cat target/valgrind.log
        echo "$scenario: see above" >&2
        exit 1
    fi
done
echo "$passed passed, 0 failed"
