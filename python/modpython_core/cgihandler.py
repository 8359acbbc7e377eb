"""Mends mod_python.cgihandler, which otherwise ruins every other handler of its interpreter.

Before each script it deletes all modules from sys.modules that were imported after itself, so that a script's helpers
are read anew. It does so outside its own lock, and takes handlers, their helpers and half-loaded modules with it: they
load again and again, fail in the midst, or (in Python 2) lose their globals while they run. As before, a
script runs anew each time, and so do the modules that scripts import from their own directory.
"""

from __future__ import absolute_import

import os
import sys
import threading

from modpython_core import compat
from modpython_core.remedies import cures

# One for all scripts, since the working directory and sys.stdout are the process's and the interpreter's. Reentrant: a
# script may redirect to another.
_lock = threading.RLock()

# Names that import_module has given to the modules it has loaded; none of them is a script's.
_handlers = set()

# Names that have come into sys.modules with scripts, from the directories of those.
_helpers = set()


class _Kept(object):
    """Takes the place of the list of names that the deletion spares."""

    def __contains__(self, name):
        return name not in _helpers or name in _handlers


NAME = 'mod_python.cgihandler'


def loaded(name, sys_name, module):
    """Told of each load by import_module, before anybody gets the module."""
    _handlers.add(sys_name)
    if name == NAME and cures('cgihandler'):
        _mend(module)


class Finder(object):
    """For mod_python 3.3, whose importer leaves it to an import statement: mended under the lock of all imports."""

    def find_module(self, name, path=None):
        return self if name == NAME else None

    def load_module(self, name):
        module = compat.load_part('cgihandler')
        _mend(module)
        return module


def mend_when_imported():
    if not cures('cgihandler') or any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    if NAME in sys.modules:
        _mend(sys.modules[NAME])
    sys.meta_path.append(Finder())


def _mend(module):
    stock = module.handler

    def handler(req):
        _lock.acquire()
        try:
            return _run(stock, req)
        finally:
            _lock.release()

    module.original = _Kept()
    module._lock = _lock
    module.handler = handler


def _run(stock, req):
    directory, file = os.path.split(_script(req))
    name = os.path.splitext(file)[0]
    # A handler's module of the script's name must not have the script run in it.
    aside = sys.modules.pop(name, None) if name in _handlers else None
    before = set(sys.modules)
    try:
        return stock(req)
    finally:
        if aside is not None:
            sys.modules[name] = aside
        for new in set(sys.modules) - before - _handlers:
            if _is_in(directory, sys.modules.get(new)):
                _helpers.add(new)


def _script(req):
    try:
        return req.subprocess_env['script_filename']
    except KeyError:
        return req.filename


def _is_in(directory, module):
    file = getattr(module, '__file__', None)
    return isinstance(file, str) and os.path.abspath(file).startswith(os.path.join(directory, ''))
