"""Looks at what import has left in a module that are no use of it. A lazy module (importlib's LazyLoader, Mercurial's
demandimport, a proxy that a site puts into sys.modules) runs, or makes what it stands for, at its first use: an import is
none.
"""

from __future__ import absolute_import

import types

_dictionary = types.ModuleType.__dict__['__dict__'].__get__
_getset = type(type.__dict__['__dict__'])
old_instance = getattr(types, 'InstanceType', None)


def of(thing, name):
    """The attribute as it was set, without a call of anything that its class has defined; None if absent."""
    kind = type(thing)
    if issubclass(kind, types.ModuleType):
        return _dictionary(thing).get(name)
    if kind is old_instance:
        return thing.__dict__.get(name)
    own, of_class = None, None
    for base in kind.__mro__:
        found = base.__dict__.get('__dict__')
        if own is None and type(found) is _getset and found.__objclass__ is base:
            own = found.__get__(thing)
        if of_class is None:
            of_class = base.__dict__.get(name)
    if own is not None and name in own:
        return own[name]
    return of_class


def code(function):
    """The code of a function in Python; None for any other object. Before 2.6 the attribute had another name."""
    return getattr(function, '__code__', None) or getattr(function, 'func_code', None)
