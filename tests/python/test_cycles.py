"""Modules that import each other, by import_module and plainly, in opposite orders and at the same moment (I4)."""

import sys
import threading

import harness
from harness import (PYTHON2, Barrier, Directory, Request, apache, case, core, import_module, run, runs, together,
                     until)

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


def all_complete(*names):
    for name in names:
        assert sys.modules[name].complete, name
        assert runs[name] == 1, runs


@case
def two_modules_import_each_other_by_import_module():
    for threads in (2, 24):
        here = Directory()
        runs.clear()
        a, b = 'ring_a%d' % threads, 'ring_b%d' % threads
        body = MEET + 'from mod_python import apache\nother = apache.import_module(%r)\ncomplete = True\n'
        here.write(a + '.py', body % b)
        here.write(b + '.py', body % a)
        meeting(2)
        calls = [lambda: import_module(a).complete, lambda: import_module(b).complete] * (threads // 2)
        assert [result.get() for result in together(*calls)] == [True] * threads
        all_complete(a, b)
        assert sys.modules[a].other is sys.modules[b] and sys.modules[b].other is sys.modules[a]


@case
def three_modules_in_a_ring():
    here = Directory()
    names = ['three_a', 'three_b', 'three_c']
    for name, other in zip(names, names[1:] + names[:1]):
        here.write(name + '.py', MEET + 'from mod_python import apache\n'
                   'other = apache.import_module(%r)\ncomplete = True\n' % other)
    meeting(3)
    calls = [lambda name=name: import_module(name).complete for name in names * 8]
    assert [result.get() for result in together(*calls)] == [True] * 24
    all_complete(*names)


@case
def a_plain_import_meets_a_load_that_imports_plainly():
    for threads in (2, 24):
        here = Directory()
        runs.clear()
        helper, handler = 'helper%d' % threads, 'handler%d' % threads
        here.write(helper + '.py', MEET + 'from mod_python import apache\n'
                   'other = apache.import_module(%r)\ncomplete = True\n' % handler)
        here.write(handler + '.py', MEET + 'import %s\ncomplete = True\n' % helper)
        meeting(2)
        calls = [lambda: __import__(helper).complete, lambda: import_module(handler).complete] * (threads // 2)
        # The import statement of Python 2 hands out what is in sys.modules, finished or not.
        results = together(*calls)
        assert all(result.get() for result in (results[1::2] if PYTHON2 else results))
        all_complete(helper, handler)


@case
def the_same_with_the_import_lock_waited_for_last():
    # The load blocks in importlib after the plain import has begun to wait on our lock: importlib cannot see it, so
    # the thread that waits for us has to look again.
    here = Directory()
    harness.waits = threading.Event()
    here.write('last_helper.py', 'import harness\nharness.ran(__name__)\nharness.begun.set()\n'
               'from mod_python import apache\n'
               'other = apache.import_module("last_handler")\ncomplete = True\n')
    here.write('last_handler.py', 'import harness\nharness.ran(__name__)\nharness.begun.wait(20)\n'
               'harness.until(lambda: harness.core.waiting(%r) == 1)\n'
               'import last_helper\ncomplete = True\n' % here.key('last_handler.py'))
    harness.begun = threading.Event()

    def plain():
        until(lambda: core.locks() == 2)
        return __import__('last_helper').complete

    for result in together(lambda: import_module('last_handler').complete, plain):
        assert result.get()
    all_complete('last_helper', 'last_handler')


@case
def a_plain_import_races_import_module_on_one_file():
    for round in range(20):
        here = Directory()
        runs.clear()
        name = 'raced%d' % round
        here.write(name + '.py', 'import harness, time\nharness.ran(__name__)\ntime.sleep(0.02)\ncomplete = True\n')
        plain = [lambda: __import__(name).complete] * 4
        ours = [lambda: import_module(name).complete] * 4
        calls = plain + ours if round % 2 else ours + plain
        results = together(*calls)
        # The import statement of Python 2 hands out what is in sys.modules, finished or not.
        asked_us = [result for call, result in zip(calls, results) if not PYTHON2 or call in ours]
        assert all(result.get() for result in asked_us)
        all_complete(name)
        assert sys.modules[name] is import_module(name) is __import__(name)


@case
def a_module_that_imports_itself():
    here = Directory()
    here.write('itself.py', 'import harness\nharness.ran(__name__)\nfrom mod_python import apache\n'
               'me = apache.import_module("itself")\nimport itself\ncomplete = True\n')
    for result in together(*[lambda: import_module('itself').complete] * 8):
        assert result.get()
    assert sys.modules['itself'].me is sys.modules['itself'] and runs == {'itself': 1}
    here.write('itself.py', 'from mod_python import apache\nme = apache.import_module("itself")\nvalue = 2\n')
    assert import_module('itself').value == 2


@case
def a_module_that_imports_itself_while_it_is_plainly_imported():
    here = Directory()
    here.write('plainly.py', 'import harness\nharness.ran(__name__)\nfrom mod_python import apache\n'
               'me = apache.import_module("plainly")\ncomplete = True\n')
    results = together(*[lambda: __import__('plainly').complete, lambda: import_module('plainly').complete] * 4)
    assert all(result.get() for result in (results[1::2] if PYTHON2 else results))
    assert runs == {'plainly': 1}


@case
def the_module_of_a_package_and_the_package():
    here = Directory()
    here.write('ringed/__init__.py', MEET + 'from mod_python import apache\n'
               'inner = apache.import_module("ringed.inner")\ncomplete = True\n')
    here.write('ringed/inner.py', 'import harness\nharness.ran(__name__)\nimport ringed\ncomplete = True\n')
    meeting(1)

    def plain():
        import ringed.inner
        return ringed.inner.complete

    calls = [lambda: import_module('ringed').complete, plain, lambda: import_module('ringed.inner').complete] * 6
    results = together(*calls)
    if PYTHON2:
        del results[1::3]  # The import statements, as above.
    assert all(result.get() for result in results)
    all_complete('ringed', 'ringed.inner')


@case
def a_deadlock_that_importlib_reports_to_nobody():
    # The owner of "there" waits for a lock of this thread, and "there" is not in sys.modules when it is looked for:
    # importlib then raises _DeadlockError out of the import statement.
    if PYTHON2:
        return
    from importlib import _bootstrap
    here, there = _bootstrap._get_module_lock('lock_here'), _bootstrap._get_module_lock('lock_there')
    directory = Directory()
    directory.write('lock_there.py', 'complete = True\n')
    begun = threading.Event()

    def owner_of_there():
        there.acquire()
        try:
            begun.wait(20)
            here.acquire()
            here.release()
        finally:
            there.release()

    def owner_of_here():
        here.acquire()
        try:
            until(lambda: there.owner)
            begun.set()
            platform = sys.modules['modpython_core.platform']
            until(lambda: (there.owner, here.owner) in platform.blocked())
            return __import__('lock_there').complete
        finally:
            here.release()

    for result in together(owner_of_there, owner_of_here):
        result.get()


@case
def many_modules_in_random_orders():
    import random
    for seed in range(20):
        here = Directory()
        runs.clear()
        dice = random.Random(seed)
        names = ['web%d_%d' % (seed, number) for number in range(8)]
        for name in names:
            others = dice.sample(names, 3)
            body = 'import harness\nharness.ran(__name__)\nfrom mod_python import apache\n'
            for other in others:
                body += 'import %s\n' % other if dice.random() < 0.5 else 'apache.import_module(%r)\n' % other
            here.write(name + '.py', body + 'complete = True\n')

        def call(name):
            if dice.random() < 0.3:
                return lambda: PYTHON2 and __import__(name) or __import__(name).complete
            return lambda: import_module(name).complete

        for result in together(*[call(name) for name in names * 3]):
            assert result.get()
        all_complete(*names)


def by_path(name, directory):
    return import_module(name, path=[directory.path])


def by_handler(name, directory):
    # As the import statements of its pages ask, too.
    return apache.CallBack().HandlerDispatch(Request(name, directory.path))


def called_at_once(directory, waits, ask=by_path):
    """The answers of two handlers that are called when their loads have ended. Of their modules, or of what these import,
    one has got the other half-made, and ends first; the other goes on when that one's handler has been called, or its
    thread waits: `waits(module)`."""
    called = []

    def go_on(name, other):
        if getattr(sys.modules[other], 'complete', False):
            until(lambda: called or waits(name))

    def answer(name):
        handler = ask(name, directory).handler
        called.append(name)
        return handler()

    harness.go_on = go_on
    meeting(2)
    return [result.get() for result in together(lambda: answer('a'), lambda: answer('b'))]


CROSSING = MEET + 'import %(other)s\n' + 'harness.go_on(%(name)r, %(other)r)\ncomplete = True\n'


def put(directory, name, other, handler=''):
    text = CROSSING % {'name': name, 'other': other}
    directory.write(name.replace('.', '/') + '.py', text + handler)


def forget(*names):
    for name in names:
        sys.modules.pop(name, None)


@case
def two_handlers_that_import_each_other_are_asked_for_at_once():
    # The first requests of two pages: one of them answered "partially initialized module 'a' has no attribute".
    for ask in [by_path, by_handler] * 4:
        here = Directory()
        handler = 'def handler():\n    return %s.complete\n'
        put(here, 'a', 'b', handler % 'b')
        put(here, 'b', 'a', handler % 'a')
        waits = lambda name: core.waiting(here.file(name + '.py').encode()) > 0
        assert called_at_once(here, waits, ask) == [True, True]
        forget('a', 'b')


@case
def helpers_of_two_handlers_import_each_other():
    for _ in range(5):
        here = Directory()
        handler = 'import %s as helper\ndef handler():\n    return helper.other()\n'
        put(here, 'm1', 'm2', 'def other():\n    return m2.complete\n')
        put(here, 'm2', 'm1', 'def other():\n    return m1.complete\n')
        here.write('a.py', handler % 'm1')
        here.write('b.py', handler % 'm2')
        waits = lambda name: core.waiting(here.file(name + '.py').encode()) > 0
        assert called_at_once(here, waits) == [True, True]
        forget('a', 'b', 'm1', 'm2')


@case
def parts_of_a_package_import_each_other():
    # Under importlib's own locks alone. Python 2 has one for all, and hands out whatever is there.
    if PYTHON2:
        return
    from importlib._bootstrap import _blocking_on
    for _ in range(5):
        here = Directory()
        handler = 'import p.%s as part\ndef handler():\n    return part.other()\n'
        here.write('p/__init__.py', '')
        part = CROSSING.replace('import %(other)s', 'import %(other)s as other_part')
        for name, other in (('p.m1', 'p.m2'), ('p.m2', 'p.m1')):
            here.write(name.replace('.', '/') + '.py', part % {'name': name, 'other': other}
                       + 'def other():\n    return other_part.complete\n')
        here.write('a.py', handler % 'm1')
        here.write('b.py', handler % 'm2')
        assert called_at_once(here, lambda name: bool(_blocking_on)) == [True, True]
        forget('a', 'b', 'p', 'p.m1', 'p.m2')


def kept_back(number):
    """How many threads wait for what is kept back under one of these numbers."""
    return sum(core.waiting(('half made\0%d' % each).encode()) for each in range(1, number))


def answer(here, name):
    return import_module(name, path=[here.path]).handler()


def asked_in_the_middle(here, first, second, waits=True):
    """What a page answers and what `second` gives, which another thread does in the middle of the load of that page; it may
    have to wait for the end of that, or not."""
    answered, in_the_middle = [], threading.Event()

    def middle():
        in_the_middle.set()
        until(lambda: answered or waits and kept_back(1000))

    def late():
        in_the_middle.wait(10)
        try:
            return second()
        finally:
            answered.append(True)

    harness.middle = middle
    answers = [result.get() for result in together(lambda: answer(here, first), late)]
    assert core.locks() == 0
    return answers


# The code of b has run to its end long before that of a, which it uses.
PAGE_A = 'import b, harness\nharness.middle()\ncomplete = True\ndef handler():\n    return b.complete\n'
PAGE_B = 'import a\ncomplete = True\ndef handler():\n    return a.complete\n'


@case
def a_page_is_asked_for_while_one_that_imports_it_is_loaded():
    here = Directory()
    here.write('a.py', PAGE_A)
    here.write('b.py', PAGE_B)
    assert asked_in_the_middle(here, 'a', lambda: answer(here, 'b')) == [True, True]
    forget('a', 'b')


@case
def what_a_page_imports_is_not_complete():
    here = Directory()
    here.write('a.py', PAGE_A)
    here.write('b.py', PAGE_B)
    here.write('c.py', 'import b\ndef handler():\n    return b.handler()\n')
    assert asked_in_the_middle(here, 'a', lambda: answer(here, 'c')) == [True, True]
    forget('a', 'b', 'c')


@case
def a_page_that_is_imported_at_the_time_of_a_request():
    here = Directory()
    here.write('a.py', PAGE_A)
    here.write('b.py', PAGE_B)
    here.write('late.py', 'def handler():\n    import b\n    return b.handler()\n')
    import_module('late', path=[here.path])
    if PYTHON2:
        # Any import statement waits for the import that the other thread is in.
        return
    assert asked_in_the_middle(here, 'a', lambda: answer(here, 'late')) == [True, True]
    forget('a', 'b')


@case
def what_is_complete_is_for_everybody_at_once():
    # A package whose parts import it is no cycle any more when its own code has run.
    here = Directory()
    here.write('whole/__init__.py', 'import whole.part\ncomplete = True\n')
    here.write('whole/part.py', 'import whole\n')
    here.write('slow_page.py', 'import whole, harness\nharness.middle()\ndef handler():\n    return True\n')
    here.write('other_page.py', 'import whole\ndef handler():\n    return whole.complete\n')
    assert asked_in_the_middle(here, 'slow_page', lambda: answer(here, 'other_page'), waits=False) == [True, True]


@case
def a_load_that_fails_waits_for_nobody():
    here = Directory()
    here.write('a.py', MEET + 'import b\nharness.go_on("a", "b")\ncomplete = True\n')
    here.write('b.py', MEET + 'import a\n1 / 0\n')
    harness.go_on = lambda name, other: None
    meeting(2)
    ways = [lambda name=name: import_module(name, path=[here.path]) for name in 'ab']
    errors = []
    for result in together(*ways):
        try:
            result.get()
        except ZeroDivisionError as error:
            errors.append(error)
    assert errors
    assert core.locks() == 0
    forget('a', 'b')


run()
