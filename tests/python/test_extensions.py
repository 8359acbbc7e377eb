# interpreters: 2
"""Extension modules that several interpreters import at once: the others wait for the first that makes one.

A module that keeps its data in static variables is made once a process, and CPython copies it for the next interpreter.
Two that make it at the same time make it twice, and what the one has got is for good not what the other's code uses:
of decimal, exceptions that nobody can catch. It was seen as one wrong page of a Django site in some hundred cold starts.
"""

import os
import sys
import tempfile
import threading

from harness import PYTHON2, Directory, Messages, case, core, run, until

# The interpreters agree on one directory by the process id, which is theirs in common.
FOLDER = os.path.join(tempfile.gettempdir(), 'modpython-core-meeting-%d' % os.getpid())


def say(word):
    """Whether no interpreter has said it before."""
    try:
        os.makedirs(os.path.join(FOLDER, word))
        return True
    except OSError:
        return False


def is_said(word):
    return os.path.isdir(os.path.join(FOLDER, word))


def other_waits(name):
    """Whether the thread of the interpreter that came second waits for a lock, or has no need to any more."""
    threads = [word.split('-')[-1] for word in os.listdir(FOLDER) if word.startswith(name + '-thread-')]
    return is_said(name + '-done') or [thread for thread in threads if core.waits(int(thread))]


def meet(name, first, second):
    """`first()` in one of the two interpreters, then `second()` in the other while that has not ended, if it says
    name + '-inside'. The answer of whichever it was."""
    if say(name):
        answer = first()
        say(name + '-inside')
    else:
        until(lambda: is_said(name + '-inside'))
        say('%s-thread-%d' % (name, threading.current_thread().ident))
        answer = second()
        say(name + '-done')
    say('%s-end-%d' % (name, id(sys)))
    until(lambda: len([word for word in os.listdir(FOLDER) if word.startswith(name + '-end-')]) == 2)
    return answer


class Spec(object):
    def __init__(self, name, origin=None):
        self.name, self.origin = name, origin or '/%s.so' % name


def make(create, name, origin=None):
    return core.create_extension(create, 'origin', Spec(name, origin))


def complaints(function):
    """The lines about imports that have waited too long, while the function runs."""
    with Messages('MPC0029') as messages:
        function()
    return messages.lines()


# Of that name one that _decimal imports while it is made. (A finder would hold all other imports up.)
NUMBERS = """
import test_extensions
test_extensions.say('decimal-inside')
test_extensions.until(lambda: test_extensions.other_waits('decimal'))
with open(%r) as source:
    exec(source.read())
"""


@case
def decimal_is_one_and_the_same():
    if PYTHON2 or (3, 9) <= sys.version_info < (3, 9, 6):
        return  # The second import makes it again there, whenever that is (cpython issue 44050).
    assert '_decimal' not in sys.modules, 'it is too late to see anything'

    def first():
        import numbers
        here = Directory()
        here.write('numbers.py', NUMBERS % numbers.__file__)
        del sys.modules['numbers']
        sys.modules['test_extensions'] = sys.modules[__name__]
        import decimal
        return decimal

    def second():
        import decimal
        return decimal

    decimal = meet('decimal', first, second)
    for _ in range(2):
        try:
            decimal.Decimal('x')
        except decimal.InvalidOperation:
            pass


@case
def one_that_fails_is_tried_again():
    if PYTHON2:
        return

    def fail(spec):
        say('failing-inside')
        until(lambda: other_waits('failing'))
        raise ImportError('not in this one')

    def first():
        try:
            make(fail, 'failing')
        except ImportError as error:
            return str(error)

    answer = meet('failing', first, lambda: make(lambda spec: spec.name, 'failing'))
    assert answer in ('not in this one', 'failing'), answer


def hang(word):
    """What makes a module, and ends when the other interpreter is done."""
    def create(spec):
        say(word + '-inside')
        until(lambda: is_said(word + '-done'))
    return create


@case
def a_wait_ends():
    """The first may wait for the second, by a way that nobody sees: then that goes on without it, and nobody waits for
    it any more. Each interpreter and each request had."""
    if PYTHON2:
        return

    def second():
        def twice():
            assert [make(lambda spec: spec.name, 'late') for _ in range(2)] == ['late'] * 2
        return complaints(twice)

    answer = meet('late', lambda: make(hang('late'), 'late'), second)
    assert answer is None or len(answer) == 1 and ' /late.so ' in answer[0], answer


@case
def nobody_waits_for_another_file():
    """Two sites had each a module of the name, and the one waited for the other's."""
    if not PYTHON2:
        answer = meet('another', lambda: make(hang('another'), 'same', '/one/same.so'),
                      lambda: complaints(lambda: make(lambda spec: None, 'same', '/other/same.so')))
        assert not answer, answer


@case
def nobody_waits_after_the_first():
    """All that are of another kind were made one after the other, whatever that took."""
    if not PYTHON2:
        if say('made'):
            make(lambda spec: None, 'often')
            say('made-once')
        until(lambda: is_said('made-once'))
        answer = meet('often', lambda: make(hang('often'), 'often'), lambda: complaints(lambda: make(lambda spec: None, 'often')))
        assert not answer, answer


@case
def no_thread_waits_for_its_own_interpreter():
    """A module that waits for a thread which makes the same waited for itself."""
    if PYTHON2:
        return

    def create(spec):
        thread = threading.Thread(target=lambda: make(lambda spec: None, 'own'))
        thread.start()
        thread.join()

    answer = meet('own', lambda: complaints(lambda: make(create, 'own')), lambda: None)
    assert not answer, answer


@case
def they_look_and_fail_as_ever():
    if PYTHON2:
        return
    import _imp
    import inspect
    for function in (_imp.create_builtin, _imp.create_dynamic):
        stock = function.__wrapped__
        for part in ('__name__', '__qualname__', '__module__', '__doc__', '__self__', '__text_signature__'):
            assert getattr(function, part) is getattr(stock, part) or getattr(function, part) == getattr(stock, part)
        for given in [(), (None,), (None, None, None), (Spec(5, 5),), (Spec('', ''),)]:
            answers = []
            for called in (function, stock):
                try:
                    answers.append(called(*given))
                except Exception as error:
                    answers.append((type(error), str(error)))
            assert answers[0] == answers[1], answers
    assert inspect.signature(_imp.create_builtin) == inspect.signature(_imp.create_builtin.__wrapped__)


run(alone=False)
