"""Sessions of mod_python 3.5 have numbers of their own, whoever imports the module first, and however."""

import sys

import mod_python
from harness import Directory, case, run, together

# As in 3.5: each thread's generator has the same numbers to come.
COPIES = '''import random
first = random.Random(7)
second = random.Random()
%s
rnd_gens, turn = [first, second], [0]
def _get_generator():
    turn[0] += 1
    return rnd_gens[turn[0] %% 2]
'''
WAYS = ['import mod_python.Session as Session', 'from mod_python import Session',
        'from mod_python.Session import _get_generator\nfrom mod_python import Session',
        'import importlib\nSession = importlib.import_module("mod_python.Session")']


def session(text, way, threads=8):
    """Session as that statement of some threads gives it, of a mod_python whose Session has that text."""
    here = Directory(False)
    here.write('Session.py', text)
    mod_python.__path__ = [here.path]

    def statement():
        names = {}
        exec(way, names)
        return names['Session']

    try:
        modules = [result.get() for result in together(*[statement] * threads)]
    finally:
        mod_python.__path__ = []
        sys.modules.pop('mod_python.Session', None)
        vars(mod_python).pop('Session', None)
    assert all(module is modules[0] for module in modules)
    assert modules[0].__file__.startswith(here.path)
    return modules[0]


def numbers(module):
    return [module._get_generator().randint(0, 10 ** 9) for _ in range(2)]


@case
def sessions_that_begin_at_once_are_two():
    for way in WAYS:
        one, other = numbers(session(COPIES % 'second.setstate(first.getstate())', way))
        assert one != other, way


@case
def generators_that_differ_are_left_as_they_are():
    # Up to 3.4 each has gone on by a million numbers.
    for way in WAYS:
        module = session(COPIES % 'second.seed(8)', way)
        expected = [module.second.randint(0, 10 ** 9), module.first.randint(0, 10 ** 9)]
        module.first.seed(7)
        module.second.seed(8)
        assert numbers(module) == expected, way


@case
def a_module_that_fails_is_said_to_fail():
    try:
        # Of several threads Python may tell some that there is no such name.
        session('1 / 0\n', WAYS[0], 1)
    except ZeroDivisionError:
        return
    raise AssertionError('no error')


run()
