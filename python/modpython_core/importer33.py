"""Has the importer of mod_python 3.3 load a file once, however many requests ask for it at once.

It decides whether to load a file before it takes the lock of the file's entry, and does not ask again once it has the
lock: threads that arrive while the file loads load it once more, one after the other, and one that comes a moment
earlier is given None. Two threads that load modules which import each other wait for each other for ever.

Here a thread that finds a load to do takes the lock of the file first, as import_module does (core.locked), and then
has the importer decide again. The importer still decides, loads and caches as before.
"""

from __future__ import absolute_import

import os
import sys

from modpython_core import attributes, compat, loading
from modpython_core.failures import Failure

# The parts relied on: functions of the class of the cache with their arguments, and names of an entry.
_FUNCTIONS = {
    'import_module': ('self', 'file', 'autoreload', 'log', 'path'),
    '_reload_required': ('self', 'modules', 'label', 'file', 'autoreload'),
    '_check_module': ('self', 'modules', 'parent', 'current', 'visited', 'ancestors'),
}
_CACHE = ('_cache', '_frozen', '_generation')
_ENTRY = ('module', 'mtime', 'generation', 'reload', 'lock')


class Due(BaseException):
    """Comes out of the importer where it would begin a load. `modules` is what the request has imported so far."""

    def __init__(self, modules, label, file):
        BaseException.__init__(self, label)
        self.modules = modules
        self.label = label
        self.file = file


class NoLock(object):
    """Takes the place of an entry's lock: loads have ours, and a thread that finds the module there need not wait."""

    def acquire(self):
        pass

    def release(self):
        pass


_no_lock = NoLock()


def guard(importer, core):
    """Puts a function of ours before the one of the importer's cache. An exception if that is not as it is known."""
    cache = importer._global_modules_cache
    if 'import_module' in cache.__dict__:
        return  # For an earlier attempt to start this interpreter.
    _check(importer, cache)
    # The importer looks for the module that a call comes from by going back over frames of its own file.
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
    for holder, names in (cache, _CACHE), (importer._CacheInfo('', '', 0), _ENTRY):
        for name in names:
            getattr(holder, name)


def _is_due(entry):
    """Whether its module is not there yet, or a new version has been seen and not loaded. The importer notes the time
    of a file when it decides to load it: to others it then seems to be what has been loaded."""
    return entry.module is None or getattr(entry, 'time_of_load', entry.mtime) != entry.mtime


def _guarded(cache, core):
    stock = cache.__class__
    # Label of a file -> the modules that the request which runs it has imported, its own among them.
    running = {}

    class Look(stock):
        """The cache, for a thread that may not load: a load to do is Due."""

        def __init__(self):
            self.__dict__ = cache.__dict__

        def _reload_required(self, modules, label, file, autoreload):
            entry, load = self._decide(modules, label, file, autoreload)
            # Outside of a request the importer raises an error of its own, which is nobody else's.
            if load and modules is not None:
                raise Due(modules, label, file)
            return entry, load

        def _decide(self, modules, label, file, autoreload):
            entry, load = stock._reload_required(self, modules, label, file, autoreload)
            entry.lock = _no_lock
            if not load and autoreload and not self._frozen:
                # The mark last: a load that has begun since the importer looked at it has set it before anything else.
                load = _is_due(entry) or entry.reload
            elif not load:
                load = entry.module is None
            return entry, load

        def _check_module(self, modules, parent, current, visited, ancestors):
            if running.get(current.label) is modules and parent.generation > current.generation_at_load:
                # This request is running it. Another one, which could not wait for that, has loaded the parent since,
                # with what there was of it: that is no reason to load the parent again now.
                return False
            return _is_due(current) or stock._check_module(self, modules, parent, current, visited, ancestors)

    class Load(Look):
        """The same, for the thread that has the lock of the file."""

        def _reload_required(self, modules, label, file, autoreload):
            entry, load = self._decide(modules, label, file, autoreload)
            if load:
                # First the mark by which others see that there is a load to do: at no moment does it look fresh.
                entry.reload = 1
                entry.time_of_load = entry.mtime
                entry.generation_at_load = self._generation
                running[label] = modules
            return entry, load

    look, load = Look(), Load()

    def at_hand(*arguments):
        # By itself, so that the code of the module does not find our exception in sys.exc_info().
        try:
            return stock.import_module(look, *arguments)
        except Due:
            return sys.exc_info()[1]

    def at_best(label):
        """The module of a file whose thread waits for this one: the version before, or as much as has run."""
        entry = cache._cache.get(label)
        if entry is not None and entry.module is not None:
            return entry.module
        return (running.get(label) or {}).get(label)

    def load_once(due, arguments):
        def decide(nested):
            module = at_best(due.label) if nested else None
            if module is not None:
                # The importer answers from here, and notes who has imported it. The request itself gets it whole.
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
            # None: another thread's load has gone well. It may have been one of an older version.
            if module is not None:
                return module

    return import_module
