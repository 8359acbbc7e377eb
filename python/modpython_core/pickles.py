"""The names of modules in pickles, in sessions say, of which several handlers' directories have one.

A class is pickled by the name of its module. Which of two files of one name has the bare name depends on which was asked
for first, in this process as in the one that has written the pickle. So a bare name means the module of the page that
reads it, if this has the class, and else that of another directory. A private name says itself which file it means.
"""

from __future__ import absolute_import

import sys

from modpython_core import siblings


def found(find, module, name):
    """What find(module, name) gives for the module that is meant."""
    for meant in siblings.in_pickle(module):
        try:
            return find(meant, name)
        except (ImportError, AttributeError):
            pass
    return find(module, name)


def mend():
    """From now on what reads pickles asks found(). It imports here, since an importlib that is not the known one is to be
    found before."""
    import pickle
    if getattr(pickle, 'is_mended', False):
        return
    pickle.is_mended = True
    _mend_class(getattr(pickle, '_Unpickler', pickle.Unpickler))
    try:
        import cPickle
    except ImportError:
        if pickle.Unpickler is not pickle._Unpickler:
            _mend_python3(pickle)
    else:
        _mend_python2(cPickle)


def _mend_class(unpickler):
    """The one in Python."""
    import functools
    find_class = unpickler.find_class

    @functools.wraps(find_class)
    def of_reader(self, module, name):
        return found(lambda *names: find_class(self, *names), module, name)
    unpickler.find_class = of_reader


def _mend_python3(pickle):
    import functools
    import io
    load, loads = pickle.load, pickle.loads

    class Unpickler(pickle.Unpickler):
        __doc__ = pickle.Unpickler.__doc__
        __module__, __qualname__ = pickle.Unpickler.__module__, pickle.Unpickler.__qualname__

        def find_class(self, module, name):
            return found(super(Unpickler, self).find_class, module, name)

    @functools.wraps(load)
    def of_reader(*args, **keywords):
        return Unpickler(*args, **keywords).load() if siblings.are_several() else load(*args, **keywords)

    @functools.wraps(loads)
    def of_reader_of_bytes(*args, **keywords):
        if not siblings.are_several() or not args or isinstance(args[0], str):
            return loads(*args, **keywords)
        return Unpickler(io.BytesIO(args[0]), *args[1:], **keywords).load()

    pickle.Unpickler, pickle.load, pickle.loads = Unpickler, of_reader, of_reader_of_bytes


def _mend_python2(cPickle):
    import functools
    from cStringIO import StringIO
    loads, unpickler = cPickle.loads, cPickle.Unpickler

    def find(module, name):
        __import__(module)
        return getattr(sys.modules[module], name)

    @functools.wraps(unpickler)
    def of_file(file):
        made = unpickler(file)
        made.find_global = lambda module, name: found(find, module, name)
        return made

    @functools.wraps(cPickle.load)
    def of_reader(file):
        return of_file(file).load()

    @functools.wraps(loads)
    def of_reader_of_bytes(data):
        return of_file(StringIO(data)).load() if siblings.are_several() else loads(data)

    cPickle.Unpickler, cPickle.load, cPickle.loads = of_file, of_reader, of_reader_of_bytes
