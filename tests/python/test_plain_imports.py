"""Plain imports of Python 2 beside import_module: they hold no lock that it could wait for, and it has to see them."""

import sys
import threading

import harness
from harness import PYTHON2, Directory, case, core, import_module, run, together, until

platform = sys.modules['modpython_core.platform']

if PYTHON2:
    # Any import statement waits for the one import lock, and these cases say who holds it.
    import __builtin__
    __builtin__.harness = harness


@case
def a_generator_that_yields_does_not_hide_who_runs_a_module():
    if not PYTHON2:
        return
    here = Directory()
    here.write('yielding.py', 'def endless():\n    while True:\n        for turn in range(9):\n            pass\n'
               '        yield\nvalues = endless()\nwhile not harness.enough.is_set():\n    values.next()\n')
    harness.enough, interval = threading.Event(), sys.getcheckinterval()

    def ask():
        until(lambda: core.locks() == 1 and hasattr(sys.modules.get('yielding'), 'values'))
        try:
            return sum(platform.is_initialising(sys.modules['yielding']) for turn in range(400))
        finally:
            harness.enough.set()

    def deep(more=200):
        # Frames to be looked at too: the more of them, the more often the generator yields meanwhile.
        return deep(more - 1) if more else harness.enough.wait(20)

    sys.setcheckinterval(1)
    try:
        loaded, seen = together(lambda: import_module('yielding'), ask, *[deep] * 8)[:2]
    finally:
        sys.setcheckinterval(interval)
    loaded.get()
    assert seen.get() == 400, seen.value


run()
