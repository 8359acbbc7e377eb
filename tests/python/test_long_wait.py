# interpreters: 1
"""A thread that waits long for a load says so, once, with the file and the thread it waits for (I15)."""

import os
import tempfile
import threading

import harness
from harness import DEADLINE, Directory, case, import_module, run, together, until

try:
    from threading import get_ident
except ImportError:
    from thread import get_ident  # Python 2


@case
def ten_seconds_are_said_once():
    here = Directory()
    harness.let_go = threading.Event()
    here.write('long.py', 'import harness\nharness.ran("long")\nharness.let_go.wait(%d)\n' % DEADLINE)
    # The library writes to standard error if Apache is absent.
    log = tempfile.TemporaryFile()
    errors = os.dup(2)
    os.dup2(log.fileno(), 2)

    def written():
        log.seek(0)
        return [line for line in log.read().decode().splitlines() if line.startswith('MPC0023: ')]

    def load():
        import_module('long')
        return get_ident()

    def late():
        until(lambda: harness.runs.get('long'))
        import_module('long')

    def watch():
        try:
            until(written)
            threading.Event().wait(0.5)
        finally:
            harness.let_go.set()

    try:
        results = together(load, late, watch)
    finally:
        os.dup2(errors, 2)
        os.close(errors)
    loader = [result.get() for result in results][0]
    said, = written()
    assert here.file('long.py') in said and 'thread %#x' % loader in said, said


run()
