"""Exceptions that come between two bytecodes, at any point: signal handlers with alarm limits, watchdogs (I13)."""

import ctypes
import signal
import sys
import threading

import harness
from harness import PYTHON2, Directory, apache, case, clock, core, import_module, lines, raises, run, runs, \
    together, until

set_async = ctypes.pythonapi.PyThreadState_SetAsyncExc
set_async.argtypes = (ctypes.c_long if PYTHON2 else ctypes.c_ulong, ctypes.py_object)
get_ident = threading._get_ident if PYTHON2 else threading.get_ident


class Limit(BaseException):
    """A watchdog throws it."""


# Where importlib holds its global lock; the second is the callback of a weak reference, whose exceptions nobody sees.
LOCKED = '_get_module_lock', 'cb'


def traced(count, function):
    """Runs the function, and throws Limit at the `count`th line, call or return of Python code in the shim, or call in
    importlib. Says whether it came to that."""
    left = [count]

    def trace(frame, event, argument):
        code = frame.f_code
        if not code.co_filename.startswith(('modpython_core/', '<frozen importlib')):
            return None
        # An interpreter looks for signals where a function begins and after the call of one in C; a trace function is
        # called at places where none can come, and some of importlib would not tolerate one there.
        if code.co_filename[0] == '<' and event != 'call' and code.co_name not in LOCKED:
            return trace
        left[0] -= 1
        if left[0] == 0:
            sys.settrace(None)
            raise Limit
        return trace

    sys.settrace(trace)
    try:
        function()
    except Limit:
        pass
    finally:
        sys.settrace(None)
    return left[0] <= 0


def every_point(prepare, check):
    """Interrupts import_module at each point of the shim's and importlib's code in turn."""
    count, points = 1, 0
    while True:
        ask = prepare()
        if not traced(count, ask):
            break
        assert core.locks() == 0, 'a lock is left at point %d' % count
        check()
        count, points = count + 1, points + 1
    assert points > 20, points


@case
def the_lock_of_a_file_leaked_at_a_first_load():
    here = Directory()
    here.write('limited.py', 'value = 1\n')

    def prepare():
        sys.modules.pop('limited', None)
        return lambda: import_module('limited')

    def check():
        # Another thread gets it, and a plain import does.
        asks = [lambda: import_module('limited').value, lambda: __import__('limited').value]
        # A plain import of Python 2 may hand out what is running, and so is not to race it.
        results = together(asks[0]) + together(asks[1]) if PYTHON2 else together(*asks)
        assert [result.get() for result in results] == [1, 1]
        assert not PYTHON2 and not sys.modules['limited'].__spec__._initializing or PYTHON2

    every_point(prepare, check)


@case
def the_lock_of_a_file_leaked_at_a_reload():
    here = Directory()
    number = [0]
    here.write('limited.py', 'value = 0\n')
    module = import_module('limited')

    def prepare():
        number[0] += 1
        here.write('limited.py', 'value = %d\n' % number[0])
        return lambda: import_module('limited')

    def check():
        assert sys.modules['limited'] is module
        assert together(lambda: import_module('limited').value)[0].get() == number[0]

    every_point(prepare, check)


@case
def the_lock_of_a_file_leaked_at_a_failure():
    here = Directory(False)
    here.write('failing.py', 'raise ValueError\n')

    def ask():
        try:
            import_module('failing', path=[here.path])
        except ValueError:
            pass

    def check():
        raises(ValueError, import_module, 'failing', path=[here.path])
        assert 'failing' not in sys.modules

    every_point(lambda: ask, check)


def throw(thread, kind):
    assert set_async(thread, kind) == 1


@case
def an_exception_thrown_at_a_waiting_thread_was_swallowed():
    here = Directory()
    here.write('long.py', 'import harness\nharness.ran("long")\nharness.hold.wait(50)\nvalue = 1\n')
    harness.hold, waiting = threading.Event(), []

    def patient():
        until(lambda: runs.get('long'))
        waiting.append(get_ident())
        before = clock()
        try:
            import_module('long')
        except Limit:
            return clock() - before
        return None

    def watchdog():
        until(lambda: core.waiting(here.key('long.py')) == 1)
        throw(waiting[0], Limit)
        until(lambda: core.waiting(here.key('long.py')) == 0)
        harness.hold.set()

    loaded, interrupted, dog = together(lambda: import_module('long').value, patient, watchdog)
    dog.get()
    assert loaded.get() == 1 and interrupted.get() is not None and interrupted.get() < 5


@case
def alarms_leaked_locks():
    if threading.current_thread().__class__.__name__ != '_MainThread':
        return
    here = Directory(False)
    here.write('alarmed.py', 'value = 0\n')

    armed = []

    def handler(*args):
        if armed:
            raise Limit

    try:
        before = signal.signal(signal.SIGALRM, handler)
    except ValueError:
        return  # Signal handlers are the main interpreter's.
    hit = 0
    try:
        # Python runs handlers in the process's first thread alone, and this one may be another.
        seen = []
        signal.signal(signal.SIGALRM, lambda *args: seen.append(True))
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        end = clock() + 1
        while not seen and clock() < end:
            pass
        if not seen:
            return
        signal.signal(signal.SIGALRM, handler)
        end = clock() + 2
        number = 0
        while clock() < end:
            number += 1
            here.write('alarmed.py', 'value = %d\n' % number)
            try:
                armed.append(True)
                signal.setitimer(signal.ITIMER_REAL, 0.0001 + number % 40 * 0.00005)
                import_module('alarmed', path=[here.path])
                del armed[:]
            except Limit:
                hit += 1
            del armed[:]
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert core.locks() == 0, 'a lock is left'
            assert import_module('alarmed', path=[here.path]).value == number
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert hit > 20, hit


@case
def what_cannot_be_logged_lost_the_line():
    here = Directory()
    texts = ['"nul \\0 byte"', '"two\\nlines"'] + ([] if PYTHON2 else ['"lone \\udc80 surrogate"'])
    for number, text in enumerate(texts):
        here.write('texts%d.py' % number, 'raise ValueError(%s)\n' % text)
        raises(ValueError, import_module, 'texts%d' % number)
        line = lines(apache.APLOG_ERR)[-1]
        assert 'texts%d' % number in line and '\0' not in line and '\n' not in line
        if not PYTHON2:
            line.encode('utf-8')
    for method in ('__str__', '__reduce__', '__repr__'):
        here.write('rude.py', 'class Rude(Exception):\n  def %s(self):\n    raise SystemExit\nraise Rude\n' % method)
        assert type(raises(Exception, import_module, 'rude')).__name__ == 'Rude'
        assert 'rude' in lines(apache.APLOG_ERR)[-1] and 'Rude' in lines(apache.APLOG_ERR)[-1]


@case
def constructors_of_exceptions_ran_again_for_each_who_waited():
    here = Directory()
    here.write('counted.py', 'import harness\nclass Counted(ValueError):\n'
               '  def __init__(self, text):\n    ValueError.__init__(self, text)\n    harness.ran("made")\n'
               '    self.extra = [text]\n'
               'harness.hold.wait(20)\nraise Counted("once")\n')
    harness.hold = threading.Event()

    def let_go():
        until(lambda: core.waiting(here.key('counted.py')) == 7)
        harness.hold.set()

    results = together(let_go, *[lambda: import_module('counted')] * 8)[1:]
    assert all(type(result.error).__name__ == 'Counted' for result in results)
    assert all(result.error.args == ('once',) and result.error.extra == ['once'] for result in results)
    assert runs == {'made': 1}


run()
