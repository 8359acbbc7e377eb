"""Modules whose loads meet, so that each is at its first lines when another wants it."""

import threading

import harness
from harness import PYTHON2, Barrier

# In the place of a sleep: both threads are inside their first module before either goes on to the second.
MEET = 'import harness\nharness.ran(__name__)\nharness.meet()\n'
if PYTHON2:
    # Any import statement waits for the one import lock, which the other thread may hold while it waits here.
    import __builtin__
    __builtin__.harness = harness
    MEET = MEET.replace('import harness\n', '')


def meeting(number):
    """Blocks the first `number` callers until all are there, and lets everyone after them pass."""
    barrier, seen, lock = Barrier(number), [0], threading.Lock()

    def meet():
        with lock:
            seen[0] += 1
            mine = seen[0]
        if mine <= number:
            barrier.wait()

    harness.meet = meet
