"""No frame of ours is on the stack between a module of a handler's directory and one that it imports there (I11)."""

import sys
import threading
import traceback
import warnings

import harness
from harness import PYTHON2, Directory, case, core, import_module, raises, together, until

LONG = 1100


def chain(prefix):
    """Modules of which each imports the next, more than Python's limit of frames lets through."""
    here = Directory()
    for number in range(LONG):
        here.write('%s%d.py' % (prefix, number), 'import harness\nharness.deepest = %d\nimport %s%d\n'
                   % (number, prefix, number + 1))
    return here


def reached(ask):
    """How many modules of a chain the limit lets through."""
    harness.deepest = 0
    # Debug builds use much of the thread's own stack.
    before = threading.stack_size(64 << 20)
    try:
        error = together(ask)[0].error
    finally:
        threading.stack_size(before)
    assert isinstance(error, RuntimeError), error  # RecursionError is one.
    return harness.deepest


@case
def chains_of_siblings_ended_with_half_of_the_modules():
    chain('plain')
    plain = reached(lambda: __import__('plain0'))
    here = chain('sibling')
    sys.path.remove(here.path)
    ours = reached(lambda: import_module('sibling0', path=[here.path]))
    assert ours >= 0.8 * plain and ours >= 110, (ours, plain)


@case
def chains_of_import_module_ended_early():
    here = Directory()
    text = 'import harness\nharness.deepest = %d\nharness.import_module("called%d")\n'
    for number in range(LONG):
        here.write('called%d.py' % number, text % (number, number + 1))
    ours = reached(lambda: import_module('called0'))
    assert ours >= 110, ours


@case
def a_chain_was_too_long_for_a_small_stack():
    """The thread's own stack came to its end before the limit of frames did: a crash."""
    here = chain('small')
    sys.path.remove(here.path)
    before = threading.stack_size(512 << 10)
    try:
        error = together(lambda: import_module('small0', path=[here.path]))[0].error
    finally:
        threading.stack_size(before)
    assert isinstance(error, RuntimeError), error
    assert not [name for name in sys.modules if name.startswith('small')]


@case
def warnings_named_a_file_of_ours():
    here = Directory(False)
    here.write('page.py', 'import warns\n')
    text = 'import warnings\nwarnings.warn("old", stacklevel=2)\n'
    for name, file in ('page', here.file('page.py')), ('warns', __file__):
        here.write('warns.py', text)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            import_module(name, path=[here.path])
        assert [warning.filename for warning in caught] == [file], (name, list(map(str, caught)))


def files(kind, name, here):
    """The files of the traceback, the page's first, without their directory."""
    try:
        import_module(name, path=[here.path])
    except kind:
        entries = traceback.extract_tb(sys.exc_info()[2])
    assert entries[0][0] == __file__, entries
    return [entry[0].replace(here.path + '/', '') for entry in entries[1:]]


@case
def tracebacks_showed_the_shim_between_page_and_sibling():
    here = Directory(False)
    here.write('page.py', 'import middle\n')
    here.write('middle.py', 'import last\n')
    for text, kind, end in (('1 / 0\n', ZeroDivisionError, ['last.py']), ('import nowhere\n', ImportError, ['last.py']),
                            ('def f():\n  raise StopIteration\nf()\n', StopIteration, ['last.py', 'last.py']),
                            ('1 +\n', SyntaxError, []), ('raise ImportError\n', ImportError, ['last.py'])):
        here.write('last.py', text)
        seen = files(kind, 'page', here)
        assert seen == ['page.py', 'middle.py'] + end, (kind, seen)


@case
def a_bug_of_ours_is_seen():
    names = sys.modules['modpython_core.names']
    here = Directory(False)
    here.write('page.py', 'import sibling\n')
    here.write('sibling.py', '')
    kept, names.claim = names.claim, lambda found: kept(found) if found.name == 'page' else found.nonsense
    try:
        seen = files(AttributeError, 'page', here)
    finally:
        names.claim = kept
    assert seen[0] == 'page.py' and seen[-2:] == ['modpython_core/loading.py', __file__], seen


@case
def an_exception_of_a_reload_is_what_the_code_has_raised():
    here = Directory()
    here.write('stopping.py', '')
    import_module('stopping')
    here.write('stopping.py', 'raise StopIteration("here")\n')
    assert raises(StopIteration, import_module, 'stopping').args == ('here',)


@case
def a_stop_iteration_became_a_runtime_error():
    here = Directory(False)
    here.write('stopper.py', 'import harness\nharness.hold.wait(50)\nraise StopIteration("here")\n')
    harness.hold = threading.Event()

    def let_go():
        until(lambda: core.waiting(here.key('stopper.py')) == 2)
        harness.hold.set()

    results = together(let_go, *[lambda: import_module('stopper', path=[here.path])] * 3)[1:]
    assert [result.error.args for result in results] == [('here',)] * 3, [result.error for result in results]
    assert all(isinstance(result.error, StopIteration) for result in results)

    class Finder(object):
        def find_spec(self, name, path=None, target=None):
            if name == 'nowhere':
                return next(iter(()))

        def find_module(self, name, path=None):
            return None

    finder = Finder()
    sys.meta_path.insert(0, finder)
    try:
        seen = files(ImportError if PYTHON2 else StopIteration, 'nowhere', here)
    finally:
        sys.meta_path.remove(finder)
    assert PYTHON2 or seen[-1] == __file__, seen


harness.run()
