# interpreters: 1
"""A thread that waits long for a load says so, once, with the file and the thread it waits for (I15)."""

import threading

import harness
from harness import DEADLINE, Directory, Messages, case, import_module, run, together, until

try:
    from threading import get_ident
except ImportError:
    from thread import get_ident  # Python 2


@case
def ten_seconds_are_said_once():
    here = Directory()
    harness.let_go = threading.Event()
    here.write('long.py', 'import harness\nharness.ran("long")\nharness.let_go.wait(%d)\n' % DEADLINE)

    def load():
        import_module('long')
        return get_ident()

    def late():
        until(lambda: harness.runs.get('long'))
        import_module('long')

    def watch():
        try:
            until(messages.lines)
            threading.Event().wait(0.5)
        finally:
            harness.let_go.set()

    with Messages('MPC0023') as messages:
        results = together(load, late, watch)
    loader = [result.get() for result in results][0]
    said, = messages.lines()
    assert here.file('long.py') in said and 'thread %#x' % loader in said, said


run()
