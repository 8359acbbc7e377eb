# Written by write_python24.py out of modpython_core/sessions.py, whose comments say why: do not edit.
import sys
from modpython_core import compat
from modpython_core.remedies import cures
NAME = 'mod_python.Session'

def mend(module):
    generators = getattr(module, 'rnd_gens', ())
    if not cures('session-ids') or not hasattr(module, '_get_generator') or (not _are_copies(generators)):
        return
    from random import SystemRandom
    generator = SystemRandom()
    module._get_generator = lambda: generator

def _are_copies(generators):
    return len(generators) > 1 and generators[0].getstate() == generators[1].getstate()

def mend_when_imported():
    if NAME in sys.modules:
        mend(sys.modules[NAME])

def load():
    module = compat.load_part('Session')
    mend(module)
    return module

def spec(path):
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
