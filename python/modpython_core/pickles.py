"""The names of modules in pickles, in sessions say, of which several handlers' directories have one.

A class is pickled by the name of its module. Which of two files of one name has the bare name depends on which was asked
for first, in this process as in the one that has written the pickle. So a bare name means the module of the page that
reads it, if this has the class, and else that of another directory. A private name says itself which file it means.
"""

from __future__ import absolute_import

import sys

core = None

if sys.version_info[0] == 2:
    # Now, and not in the load of a page: all imports have one lock.
    __import__('cPickle')
    __import__('cStringIO')
    __import__('pickle')


def found(find, module, name):
    """The result of find(module, name) for the module that is meant."""
    for meant in sys.modules['modpython_core.siblings'].in_pickle(module):
        try:
            return find(meant, name)
        except (ImportError, AttributeError):
            pass
    return find(module, name)


def find_global(module, name):
    """For cPickle of Python 2."""
    def find(module, name):
        __import__(module)
        return getattr(sys.modules[module], name)
    return found(find, module, name)


def watch():
    """From now on what reads pickles asks. It is done where there is a second directory: a site of one has all as it was."""
    import pickle
    unpickler = getattr(pickle, '_Unpickler', pickle.Unpickler)
    if hasattr(unpickler.find_class, 'asks'):
        return
    try:
        import cPickle as reader
    except ImportError:
        try:
            from _pickle import Unpickler as reader
        except ImportError:
            reader = None
    if reader is not None:
        core.watch_pickles(reader)
    # Last: another thread that finds it done goes on to run a page.
    _watch_class(unpickler)


def _watch_class(unpickler):
    """The one in Python."""
    from functools import wraps
    find_class = unpickler.find_class

    @wraps(find_class)
    def of_reader(self, module, name):
        return found(lambda *names: find_class(self, *names), module, name)
    of_reader.asks = True
    unpickler.find_class = of_reader
