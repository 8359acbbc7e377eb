"""Where to look for a module, and what is found there."""

from __future__ import absolute_import

import sys

from modpython_core import platform

# What import_module is asked for, as the extension module numbers it.
PLAIN, DIRECTORY, PATH, EXPRESSION = range(4)

# sys.path as it was before any handler added to it, and the names that a PythonPath expression may use.
original_path = []
expression_names = {}

_lists = {}


class Present(object):
    """A module that is at hand, and has no file to watch."""

    def __init__(self, module):
        self.module = module


def locate(name, kind, where, parent):
    """The file for a name, or what is there without one. Raises ImportError if there is nothing."""
    if parent is not None:
        return _in_package(name, parent)
    if kind != PLAIN:
        found = platform.find(name, _directories(kind, where))
        if found is not None:
            return found
        if kind == PATH:
            # Never a module from elsewhere: a caller that gives a path names a file in it, and must not be able to
            # reach os, say, because a request named it.
            raise platform.not_found(name)
    return _plainly(name)


def _directories(kind, where):
    if kind == DIRECTORY:
        return [where]
    if kind == PATH:
        return list(where)
    if where not in _lists:
        _lists[where] = _evaluate(where)
    return _lists[where]


def _plainly(name):
    module = sys.modules.get(name)
    if module is not None:
        return platform.found_for(module, name) or Present(module)
    found = platform.find_anywhere(name)
    if found is None:
        raise platform.not_found(name)
    if not hasattr(found, 'key'):
        return Present(platform.import_plainly(name))
    return found


def _in_package(name, parent):
    full_name = '%s.%s' % (parent.__name__, name.rpartition('.')[2])
    if not hasattr(parent, '__path__'):
        raise platform.not_found(name)
    module = sys.modules.get(full_name)
    found = None
    if module is not None:
        found = platform.found_for(module, full_name)
        if found is None:
            return Present(module)
    else:
        found = platform.find(full_name, list(parent.__path__))
    if found is None:
        return Present(platform.import_plainly(full_name))
    return found


class _OriginalSys(object):
    """The module sys as a PythonPath expression sees it: with the path that the server started with."""

    def __init__(self):
        self.path = list(original_path)

    def __getattr__(self, name):
        return getattr(sys, name)


def _evaluate(expression):
    """The list that a PythonPath expression gives, with nothing in it of what other expressions have added.

    The stock dispatcher evaluates "sys.path + [...]" on top of what the last one has left in sys.path
    (MODPYTHON-114), so that the directory of another application may come first.
    """
    try:
        return list(eval(expression, dict(expression_names, sys=_OriginalSys())))
    except Exception:
        # The stock dispatcher has evaluated it a moment ago, with its own local names; take what it has made of it.
        return list(sys.path)
