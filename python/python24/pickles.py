# Written by write_python24.py out of modpython_core/pickles.py, whose comments say why: do not edit.
from modpython_core.python24 import wraps
import sys
core = None
if sys.version_info[0] == 2:
    __import__('cPickle')
    __import__('cStringIO')
    __import__('pickle')

def found(find, module, name):
    for meant in sys.modules['modpython_core.siblings'].in_pickle(module):
        try:
            return find(meant, name)
        except (ImportError, AttributeError):
            pass
    return find(module, name)

def find_global(module, name):

    def find(module, name):
        __import__(module)
        return getattr(sys.modules[module], name)
    return found(find, module, name)

def watch():
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
    _watch_class(unpickler)

def _watch_class(unpickler):
    find_class = unpickler.find_class

    @wraps(find_class)
    def of_reader(self, module, name):
        return found(lambda *names: find_class(self, *names), module, name)
    of_reader.asks = True
    unpickler.find_class = of_reader
