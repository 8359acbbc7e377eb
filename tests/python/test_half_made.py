"""Pages and helpers that import each other: nobody gets one that is not complete, once its load has ended (I2)."""

import sys
import threading

import harness
from harness import PYTHON2, Directory, Request, apache, case, core, import_module, run, together, until
from meeting import MEET, meeting


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
    """The answer of a page, and the result of `second`, which another thread calls in the middle of that page's load;
    with `waits` it has to wait for the end of the load."""
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
