# Written by write_python24.py out of modpython_core/importer33.py, whose comments say why: do not edit.
from modpython_core.python24 import BaseException
import os
import sys
from modpython_core import attributes, compat, loading
from modpython_core.failures import Failure
_FUNCTIONS = {'import_module': ('self', 'file', 'autoreload', 'log', 'path'), '_reload_required': ('self', 'modules', 'label', 'file', 'autoreload'), '_check_module': ('self', 'modules', 'parent', 'current', 'visited', 'ancestors')}
_CACHE = ('_cache', '_frozen', '_generation')
_ENTRY = ('module', 'mtime', 'generation', 'reload', 'lock')

class Due(BaseException):

    def __init__(self, modules, label, file):
        BaseException.__init__(self, label)
        self.modules = modules
        self.label = label
        self.file = file

class NoLock(object):

    def acquire(self):
        pass

    def release(self):
        pass
_no_lock = NoLock()

def guard(importer, core):
    cache = importer._global_modules_cache
    if 'import_module' in cache.__dict__:
        return
    _check(importer, cache)
    globals()['__file__'] = importer.__file__
    cache.import_module = _guarded(cache, core)

def _check(importer, cache):
    for name, arguments in _FUNCTIONS.items():
        code = attributes.code(getattr(cache.__class__, name))
        if code.co_varnames[:code.co_argcount] != arguments:
            raise TypeError('%s() takes other arguments than those that are known' % name)
    for name in ('_reload_required', 'lock'):
        if name not in attributes.code(cache.__class__.import_module).co_names:
            raise TypeError('import_module() makes no use of %s' % name)
    for holder, names in ((cache, _CACHE), (importer._CacheInfo('', '', 0), _ENTRY)):
        for name in names:
            getattr(holder, name)

def _is_due(entry):
    return entry.module is None or getattr(entry, 'time_of_load', entry.mtime) != entry.mtime

def _guarded(cache, core):
    stock = cache.__class__
    running = {}

    class Look(stock):

        def __init__(self):
            self.__dict__ = cache.__dict__

        def _reload_required(self, modules, label, file, autoreload):
            entry, load = self._decide(modules, label, file, autoreload)
            if load and modules is not None:
                raise Due(modules, label, file)
            return (entry, load)

        def _decide(self, modules, label, file, autoreload):
            entry, load = stock._reload_required(self, modules, label, file, autoreload)
            entry.lock = _no_lock
            if not load and autoreload and (not self._frozen):
                load = _is_due(entry) or entry.reload
            elif not load:
                load = entry.module is None
            return (entry, load)

        def _check_module(self, modules, parent, current, visited, ancestors):
            if running.get(current.label) is modules and parent.generation > current.generation_at_load:
                return False
            return _is_due(current) or stock._check_module(self, modules, parent, current, visited, ancestors)

    class Load(Look):

        def _reload_required(self, modules, label, file, autoreload):
            entry, load = self._decide(modules, label, file, autoreload)
            if load:
                entry.reload = 1
                entry.time_of_load = entry.mtime
                entry.generation_at_load = self._generation
                running[label] = modules
            return (entry, load)
    look, load = (Look(), Load())

    def at_hand(*arguments):
        try:
            return stock.import_module(look, *arguments)
        except Due:
            return sys.exc_info()[1]

    def at_best(label):
        entry = cache._cache.get(label)
        if entry is not None and entry.module is not None:
            return entry.module
        return (running.get(label) or {}).get(label)

    def load_once(due, arguments):

        def decide(nested):
            module = (nested and [at_best(due.label)] or [None])[0]
            if module is not None:
                due.modules[due.label] = module
                try:
                    return stock.import_module(look, *arguments)
                finally:
                    due.modules.pop(due.label, None)
            try:
                return stock.import_module(load, *arguments)
            finally:
                running.pop(due.label, None)

        def failed(error):
            failure = Failure(os.path.splitext(os.path.basename(due.file))[0], due, error)
            loading.log_line(failure.line(), loading.apache.APLOG_ERR)
            return failure
        return core.locked(compat.path_bytes(due.file), None, decide, failed)

    def import_module(file, autoreload=None, log=None, path=None):
        while True:
            module = at_hand(file, autoreload, log, path)
            if isinstance(module, Due):
                module = load_once(module, (file, autoreload, log, path))
            if isinstance(module, Failure):
                raise module.another()
            if module is not None:
                return module
    return import_module
