"""What stands on the stack between a module of a handler's directory and what it imports from there (I11): nothing of
ours."""

import sys
import threading

import harness
from harness import Directory, case, import_module, raises, together

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
def an_exception_of_a_reload_is_what_the_code_has_raised():
    here = Directory()
    here.write('stopping.py', '')
    import_module('stopping')
    here.write('stopping.py', 'raise StopIteration("here")\n')
    assert raises(StopIteration, import_module, 'stopping').args == ('here',)


harness.run()
