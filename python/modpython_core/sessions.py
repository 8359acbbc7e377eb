"""Mends the numbers of sessions in mod_python 3.5: all its generators of random numbers are copies of one, with the same
numbers to come, so that visitors behind one address whose sessions begin in the same tenth of a millisecond share one.
"""

from __future__ import absolute_import

import sys

from modpython_core import compat
from modpython_core.remedies import cures

NAME = 'mod_python.Session'


def mend(module):
    generators = getattr(module, 'rnd_gens', ())
    if not cures('session-ids') or not hasattr(module, '_get_generator') or not _are_copies(generators):
        return
    from random import SystemRandom
    generator = SystemRandom()
    module._get_generator = lambda: generator


def _are_copies(generators):
    return len(generators) > 1 and generators[0].getstate() == generators[1].getstate()


def mend_when_imported():
    """Mends a module that has been imported already, as far as it has given no number."""
    if NAME in sys.modules:
        mend(sys.modules[NAME])


def load():
    """mod_python.Session, for Python 2: mended under the lock of all imports, before anybody gets it."""
    module = compat.load_part('Session')
    mend(module)
    return module


def spec(path):
    """Of mod_python.Session, for Python 3: mended before anybody gets it."""
    from importlib.machinery import PathFinder
    found = PathFinder.find_spec(NAME, path)
    run = getattr(getattr(found, 'loader', None), 'exec_module', None)
    if run is None:
        return found

    def exec_module(module):
        run(module)
        mend(module)

    found.loader.exec_module = exec_module
    return found
