"""Plain imports of Python 2 beside import_module: they hold no lock that it could wait for, and it has to see them."""

import os
import sys
import threading
import time

import harness
from harness import PYTHON2, Directory, apache, case, core, import_module, run, runs, together, until

compat = sys.modules['modpython_core.compat']

if PYTHON2:
    # Any import statement waits for the one import lock, and these cases say who holds it.
    import __builtin__
    __builtin__.harness, __builtin__.apache, __builtin__.compat = harness, apache, compat


@case
def a_plain_import_that_begins_as_a_load_has_looked_is_waited_for():
    if not PYTHON2:
        return
    here = Directory()
    here.write('begins.py', 'harness.ran("begins")\nharness.until(harness.go.is_set)\ncomplete = True\n')
    harness.go, looked, real = threading.Event(), threading.Event(), compat.module_lock

    class LookedThenBegun(real):
        def __enter__(self):
            answer = real.__enter__(self)
            if not looked.is_set():
                looked.set()
                until(lambda: runs.get('begins'))
            return answer

    def plain():
        until(looked.is_set)
        return __import__('begins')

    def let_go():
        # In the place of waiting for it, the load took it for what a fork leaves behind, and ran the file again.
        until(lambda: compat._waiting or runs.get('begins') == 2)
        harness.go.set()

    compat.module_lock = LookedThenBegun
    try:
        plainly, ours, _ = together(plain, lambda: import_module('begins'), let_go)
    finally:
        compat.module_lock = real
    assert runs == {'begins': 1}, runs
    assert ours.get() is plainly.get() and ours.get().complete


@case
def two_plain_imports_ask_import_module_for_each_other():
    if not PYTHON2:
        return
    here = Directory()
    # Two plain imports are under way at once when the first has given the import lock up, to wait for a load.
    here.write('slow.py', 'harness.until(harness.second.is_set)\n')
    here.write('one.py', 'apache.import_module("slow")\nother = apache.import_module("two")\ncomplete = True\n')
    here.write('two.py', 'harness.second.set()\nother = apache.import_module("one")\ncomplete = True\n')
    harness.second = threading.Event()

    def first():
        until(lambda: core.locks() == 2)
        return __import__('one').complete

    def second():
        until(lambda: core.waiting(here.key('slow.py')) == 1)
        return __import__('two').complete

    for result in together(lambda: import_module('slow'), first, second):
        assert result.get()
    assert sys.modules['one'].other is sys.modules['two'] and sys.modules['two'].other is sys.modules['one']


@case
def a_generator_that_yields_does_not_hide_who_runs_a_module():
    if not PYTHON2:
        return
    here = Directory()
    here.write('yielding.py', 'def endless():\n    while True:\n        for turn in range(9):\n            pass\n'
               '        yield\nvalues = endless()\nwhile not harness.enough.is_set():\n    values.next()\n')
    harness.enough, interval = threading.Event(), sys.getcheckinterval()

    def ask():
        until(lambda: core.locks() == 2 and hasattr(sys.modules.get('yielding'), 'values'))
        try:
            return sum(compat.is_initialising(sys.modules['yielding']) for turn in range(400))
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


@case
def who_has_ended_its_plain_import_waits_like_any_other():
    if not PYTHON2:
        return
    here = Directory()
    here.write('ended.py', 'harness.ran("ended")\nharness.until(lambda: harness.compat._waiting)\n')
    here.write('waits.py', 'apache.import_module("ended")\ncomplete = True\n')
    harness.compat, look = compat, threading.Event()

    class Time(object):
        @staticmethod
        def sleep(seconds):
            until(look.is_set)

    def load():
        until(lambda: runs.get('ended'))
        return import_module('waits').complete

    def request():
        __import__('ended')
        try:
            # The load still thinks that it waits for this thread, which would be a cycle, if that were so.
            return import_module('waits').complete
        finally:
            look.set()

    def let_go():
        until(lambda: core.waiting(here.key('waits.py')) == 1 or look.is_set())
        look.set()

    compat.time = Time
    try:
        results = together(load, request, let_go)[:2]
    finally:
        compat.time = time
    assert [result.get() for result in results] == [True, True]


@case
def a_fork_while_another_thread_imports_plainly():
    if not PYTHON2:
        return
    here = Directory()
    harness.released = []
    here.write('held.py', 'harness.until(lambda: harness.released)\n')
    here.write('plain.py', 'harness.ran("plain")\napache.import_module("held")\ncomplete = True\n')

    def plain():
        until(lambda: core.locks() == 2)
        return __import__('plain').complete

    def fork():
        until(lambda: core.waiting(here.key('held.py')) == 1)
        # It waits for the import lock, which the plain import gives up after a while, half done.
        child = os.fork()
        harness.released.append(True)
        if child == 0:
            status = 1
            try:
                status = 0 if import_module('plain').complete and runs == {'plain': 2} else 2
            finally:
                os._exit(status)
        return os.waitpid(child, 0)[1]

    _, imported, status = together(lambda: import_module('held'), plain, fork)
    assert (imported.get(), status.get()) == (True, 0), (imported.value, status.value)


@case
def a_request_inside_eval_counted_as_running_the_module():
    here = Directory()
    here.write('evaluated.py', 'value = 1\ndef request(text):\n    return eval(text)\n'
               'def execute(text):\n    exec(text, globals())\n')
    module = import_module('evaluated')
    for way in (module.request, module.execute):
        harness.inside, harness.leave = threading.Event(), threading.Event()
        text = '(harness.inside.set(), harness.leave.wait(%d))' % (harness.DEADLINE / 4)
        if not PYTHON2:
            module.harness = harness
        here.write('evaluated.py', open(here.file('evaluated.py')).read() + '\n')

        def ask():
            until(harness.inside.is_set)
            before = time.time()
            import_module('evaluated')
            taken = time.time() - before
            harness.leave.set()
            return taken

        request, asked = together(lambda: way(text), ask)
        request.get()
        assert asked.get() < harness.DEADLINE / 8, asked.value


@case
def threads_born_in_the_child_of_a_fork_were_taken_for_gone():
    if not PYTHON2:
        return
    here = Directory()
    here.write('forks.py', 'harness.until(lambda: harness.released)\n')
    here.write('born.py', 'harness.ran("born")\nharness.until(lambda: harness.released)\n'
               'harness.until(lambda: harness.looked)\ncomplete = True\n')
    harness.released, harness.looked = [], []

    def in_child():
        # The stacks of the threads that are gone are taken for new ones, and the numbers of threads with them.
        harness.released.append(True)
        results = []
        plain = threading.Thread(target=lambda: __import__('born'))
        plain.start()
        until(lambda: runs.get('born'))
        asks = threading.Thread(target=lambda: results.append(import_module('born').complete))
        asks.start()
        until(lambda: compat._waiting or results)
        harness.looked.append(True)
        plain.join()
        asks.join()
        return results == [True] and runs == {'born': 1}

    def fork():
        until(lambda: core.locks() == 2)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if in_child() else 2
            finally:
                os._exit(status)
        status = os.waitpid(child, 0)[1]
        harness.released.append(True)
        return status

    loads, status = together(lambda: import_module('forks'), fork)[:2]
    loads.get()
    assert status.get() == 0, status.value


run()
