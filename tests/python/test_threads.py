"""Many threads at once: one run per version, nothing half-made handed out, files in parallel (I1, I2, I3, I9)."""

import sys
import threading
import time

import harness
from harness import Barrier, Directory, case, core, import_module, run, runs, together, until


@case
def thirty_two_first_calls_run_it_once():
    here = Directory()
    here.write('slow.py', 'import harness, time\nharness.ran("slow")\ntime.sleep(0.2)\nready = True\n')
    results = together(*[lambda: import_module('slow').ready for _ in range(32)])
    assert [result.get() for result in results] == [True] * 32
    assert runs == {'slow': 1}


@case
def who_asks_for_what_is_being_loaded_does_not_look_for_it():
    # A look at the disk gives up the GIL, and 31 threads that look hold up the one that loads.
    search = sys.modules['modpython_core.search']
    here, looks, locate = Directory(False), [], search.locate
    here.write('wanted.py', 'import harness\nharness.ran("wanted")\nharness.hold()\n')
    harness.hold = lambda: until(lambda: core.waiting(here.key('wanted.py')) == 31)

    def look(*args):
        looks.append(args)
        return locate(*args)

    def late():
        until(lambda: runs.get('wanted'))
        return ask()

    def ask():
        return import_module('wanted', path=[here.path])

    search.locate = look
    try:
        results = together(ask, *[late] * 31)
    finally:
        search.locate = locate
    assert len(set(id(result.get()) for result in results)) == 1
    assert len(looks) == 1, looks


@case
def different_files_load_at_the_same_time():
    here = Directory()
    harness.meet = Barrier(12).wait
    for number in range(12):
        here.write('apart%d.py' % number, 'import harness\nharness.meet()\n')
    for result in together(*[lambda n=number: import_module('apart%d' % n) for number in range(12)]):
        result.get()


@case
def who_comes_during_a_reload_waits_for_its_end():
    here = Directory()
    here.write('again.py', 'value = 1\ndone = 1\n')
    import_module('again')
    harness.hold = threading.Event()
    here.write('again.py', 'import harness\nharness.ran("again")\nvalue = 2\nharness.hold.wait(20)\ndone = 2\n')

    def let_go():
        until(lambda: core.waiting(here.key('again.py')) == 8)
        harness.hold.set()

    def late(autoreload):
        until(lambda: runs.get('again'))
        module = import_module('again', autoreload=autoreload)
        return module.value, module.done

    calls = [lambda: late(1)] * 4 + [lambda: late(0)] * 4
    results = together(lambda: import_module('again').done, let_go, *calls)
    assert results[0].get() == 2
    assert [result.get() for result in results[2:]] == [(2, 2)] * 8
    assert runs == {'again': 1}


@case
def touched_all_the_time_under_load():
    here = Directory()
    source = 'import harness\nharness.ran(%d)\nvalue = None\nvalue = %d\n'
    here.write('busy.py', source % (0, 0))
    written, stop = [0], threading.Event()

    def touch():
        for number in range(1, 25):
            written[0], _ = number, here.write('busy.py', source % (number, number))
            time.sleep(0.005)
        stop.set()

    def ask():
        last = 0
        while not stop.is_set():
            value = import_module('busy').value
            assert value is not None and value >= last, (value, last)
            last = value
        return True

    for result in together(touch, *[ask] * 8):
        result.get()
    assert import_module('busy').value == written[0]
    assert set(runs.values()) == {1}, runs


@case
def every_call_after_a_write_sees_it():
    here = Directory()
    here.write('seen.py', 'value = 0\n')
    for number in range(1, 30):
        here.write('seen.py', 'value = %d\n' % number)
        results = together(*[lambda: import_module('seen').value] * 6)
        assert [result.get() for result in results] == [number] * 6


@case
def locks_are_not_held_while_a_module_waits_for_input():
    here = Directory()
    harness.hold = threading.Event()
    here.write('held.py', 'import harness\nharness.hold.wait(20)\n')
    here.write('free.py', 'value = 1\n')

    def other():
        until(lambda: core.locks() == 2)
        try:
            return import_module('free').value
        finally:
            harness.hold.set()

    held, free = together(lambda: import_module('held'), other)
    held.get()
    assert free.get() == 1


@case
def a_fork_while_another_thread_loads():
    import os
    if not _is_main_interpreter():
        # A sub-interpreter refuses os.fork from Python 3.12 on, and before does not run Python's own handlers right.
        return
    here = Directory()
    # No Event, whose own lock the fork copies as it is: the child would wait for a thread that it does not have.
    harness.released = []
    here.write('forked.py', 'import harness\nharness.until(lambda: harness.released)\nvalue = 1\n')

    def fork():
        until(lambda: core.locks() == 2)
        child = os.fork()
        harness.released.append(True)
        if child == 0:
            status = 1
            try:
                status = 0 if core.locks() == 0 and import_module('forked').value == 1 else 2
            finally:
                os._exit(status)
        return os.waitpid(child, 0)[1]

    loaded, status = together(lambda: import_module('forked').value, fork)
    assert (loaded.get(), status.get()) == (1, 0), (loaded.value, status.value)


def _is_main_interpreter():
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        try:
            import _interpreters as interpreters
        except ImportError:
            return True
    current, main = interpreters.get_current(), interpreters.get_main()
    return current == main


@case
def a_load_failed_while_another_thread_looked_at_its_module():
    """It was taken for a module that is whole, and an import statement then found nothing."""
    siblings, here = sys.modules['modpython_core.siblings'], Directory(False)
    file = here.write('gives_up.py', 'import harness\nharness.inside.set()\nassert harness.seen.wait(30)\n1 / 0\n')
    here.write('asks.py', 'def ask():\n    import gives_up\n')
    page, file_of = import_module('asks', path=[here.path]), siblings.compat.file_of
    harness.inside, harness.seen = threading.Event(), threading.Event()

    def looks(module):
        found = file_of(module)
        if threading.current_thread().name == 'looks' and found == file and not harness.seen.is_set():
            harness.seen.set()
            until(lambda: not core.is_running(here.key('gives_up.py')))
        return found

    def second():
        threading.current_thread().name = 'looks'
        assert harness.inside.wait(30)
        page.ask()

    siblings.compat.file_of = looks
    try:
        results = together(lambda: import_module('gives_up', path=[here.path]), second)
    finally:
        siblings.compat.file_of = file_of
    # The second one runs the file itself, and gets the error of that run.
    assert [type(result.error) for result in results] == [ZeroDivisionError] * 2, [result.error for result in results]


run()
