"""Modules that import each other, by import_module and plainly, in opposite orders and at the same moment (I4)."""

import sys
import threading

import harness
from harness import PYTHON2, Directory, case, core, import_module, run, runs, together, until
from meeting import MEET, meeting

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
            compat = sys.modules['modpython_core.compat']
            until(lambda: (there.owner, here.owner) in compat.import_lock_edges())
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


run()
