# Written by write_python24.py out of modpython_core/cgihandler.py, whose comments say why: do not edit.
from modpython_core.python24 import any
import os
import sys
import threading
from modpython_core import compat
from modpython_core.remedies import cures
_lock = threading.RLock()
_handlers = set()
_helpers = set()

class _Kept(object):

    def __contains__(self, name):
        return name not in _helpers or name in _handlers
NAME = 'mod_python.cgihandler'

def loaded(name, sys_name, module):
    _handlers.add(sys_name)
    if name == NAME and cures('cgihandler'):
        _mend(module)

class Finder(object):

    def find_module(self, name, path=None):
        return (name == NAME and [self] or [None])[0]

    def load_module(self, name):
        module = compat.load_part('cgihandler')
        _mend(module)
        return module

def mend_when_imported():
    if not cures('cgihandler') or any((isinstance(finder, Finder) for finder in sys.meta_path)):
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
    aside = (name in _handlers and [sys.modules.pop(name, None)] or [None])[0]
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
