"""What is no hit: the load of one file under its lock."""

from __future__ import absolute_import

import sys

from modpython_core import cgihandler, names, platform, search
from modpython_core.failures import Failure

core = None
apache = None

# file -> module whose code is running now, or whose import lock is waited for.
_running = {}

_AGAIN = object()


class Request(object):
    """One call of import_module."""

    def __init__(self, name, log, path, kind, where):
        self.name = name
        self.log = log
        self.path = path
        self.kind = kind
        self.where = where

    def hit(self, name, autoreload):
        return core.hit(self.kind, self.where, name, autoreload)

    def notice(self, name):
        if not self.log:
            return
        text = "mod_python: (Re)importing module '%s'" % name
        if self.path:
            text = "%s with path set to '%s'" % (text, self.path)
        _log(text, apache.APLOG_NOTICE)


def load(name, autoreload, log, path, kind, where):
    """What import_module calls when the module is not at hand, or not fresh."""
    name = platform.native(name)
    request = Request(name, log, path, kind, where)
    parts = name.split('.')
    if '' in parts:
        raise platform.not_found(name)
    parent = None
    for depth in range(1, len(parts)):
        # The packages on the way need to be there, and are not looked at for changes.
        parent = _one(request, '.'.join(parts[:depth]), parent, False)
    return _one(request, name, parent, autoreload)


def _one(request, name, parent, autoreload):
    while True:
        module = request.hit(name, autoreload)
        if module is not None:
            return module
        found = search.locate(name, request.kind, request.where, parent)
        if isinstance(found, search.Present):
            return found.module
        module = _under_lock(request, name, found, autoreload)
        if module is not _AGAIN:
            if parent is not None:
                setattr(parent, name.rpartition('.')[2], module)
            return module


def _under_lock(request, name, found, autoreload):
    module = platform.being_imported_here(found)
    if module is not None:
        return module
    depth = core.begin(found.key)
    if depth is None:
        # The attempt we waited on has gone well. Look again: the file may be another by now.
        return _AGAIN
    if isinstance(depth, Failure):
        # Who does not ask for a reload is content with what was there before it failed.
        module = None if autoreload else request.hit(name, False)
        if module is None:
            raise depth.another()
        return module
    if depth != 1:
        # This thread is itself running the file, or whoever runs it waits for this thread: what there is of the
        # module must do, as with an import. If there is nothing of it yet, then nobody runs it: its owner waits
        # before that, and will look again before it does anything.
        module = _half_made(found)
        if module is not None:
            if depth:
                core.end(found.key)
            return module
    failure = None
    try:
        return _with_real_file(request, name, found, autoreload)
    except:  # Python 2 knows exceptions of classes that are of no base.
        failure = Failure(name, found.file, sys.exc_info()[1])
        _log(failure.line(), apache.APLOG_ERR)
        raise
    finally:
        if depth:
            core.finish(found.key, failure)
        # The traceback of the error refers to this frame.
        failure = None


def _half_made(found):
    module = _running.get(found.file) or core.verdict(found.key, False)[1]
    if module is None:
        module = sys.modules.get(found.name)
        if module is not None and platform.file_of(module) != found.file:
            return None
    return module


def _with_real_file(request, name, found, autoreload):
    """A symbolic link has a module of its own, but shares the lock of the file it leads to."""
    if found.real_key is None:
        return _decide(request, name, found, autoreload)
    depth = core.begin(found.real_key)
    while not isinstance(depth, int):
        # We are told of an attempt on another path to the file, whose module is another.
        depth = core.begin(found.real_key)
    try:
        return _decide(request, name, found, autoreload)
    finally:
        if depth:
            core.end(found.real_key)


def _decide(request, name, found, autoreload):
    """Hit, load or reload, decided again now that nobody else can load the file (I6)."""
    verdict, known, sys_name = core.verdict(found.key, autoreload)
    if verdict == 'hit':
        core.link(request.kind, request.where, name, found.key)
        return known
    while True:
        if verdict == 'load':
            sys_name = names.claim(found)
        with platform.module_lock(sys_name) as from_outside:
            current = sys.modules.get(sys_name)
            if current is None or from_outside and _is_wreck(current, found):
                loaded = _load(request, name, found, sys_name, current)
                if loaded is None:
                    continue
                module, version = loaded
            elif verdict == 'reload' and current is known:
                module, version = _reload(request, name, found, known)
            elif platform.file_of(current) != found.file:
                # A plain import of another file has come first: it has the name.
                verdict = 'load'
                continue
            elif platform.is_initialising(current):
                if from_outside:
                    # In Python 2 a plain import has begun since we have waited for the end of those there were.
                    continue
                # A plain import of this file, by this thread or by one that waits for it, is what we are inside of.
                return current
            else:
                # A plain import has run the file; once is enough, unless it has changed since.
                module, version = current, core.version(found.key)
                if platform.has_changed_since_import(found, current, version):
                    module, version = _reload(request, name, found, current)
            _set_mtime(module, version or core.version(found.key))
            cgihandler.loaded(name, sys_name, module)
            core.publish(request.kind, request.where, name, found.key, module, sys_name, version)
            return module


def _is_wreck(module, found):
    """Whether this is what a thread has left half-made that the fork of this process has not brought along."""
    if platform.file_of(module) != found.file:
        return False
    # Who asks has the lock of the file, and runs it not.
    return found.file in _running or platform.is_left_behind(module)


def _load(request, name, found, sys_name, current):
    """None if, in the place of `current`, another module has come meanwhile: in Python 2 an import statement holds no
    lock that we wait for, and runs in the very module that is in sys.modules, which it does not keep alive."""
    module = platform.new_module(found, sys_name)
    with platform.initialising(module):
        if current is not None:
            sys.modules[sys_name] = module
        elif sys.modules.setdefault(sys_name, module) is not module and sys.modules.get(sys_name) is not None:
            return None
        sys.modules[sys_name] = _running[found.file] = module
        request.notice(name)
        try:
            version = platform.run(found, module)
        except:
            sys.modules.pop(sys_name, None)
            names.give_back(sys_name, found)
            raise
        finally:
            _running.pop(found.file, None)
    # A module may have put something else in its place.
    if sys_name not in sys.modules:
        raise ImportError("module '%s' (%s) has taken itself out of sys.modules" % (name, found.file))
    return sys.modules[sys_name], version


def _reload(request, name, found, module):
    """Runs the file again in the same module object, where applications keep their connections, say."""
    request.notice(name)
    namespace = module.__dict__
    before = dict(namespace)
    with platform.initialising(module):
        _running[found.file] = module
        core.set_loading(found.key, True)
        try:
            version = platform.run(found, module)
        except:
            # First everything back in, then what is new out: requests are running in it, and none must miss a name.
            namespace.update(before)
            for new in [key for key in list(namespace) if key not in before]:
                namespace.pop(new, None)
            raise
        finally:
            core.set_loading(found.key, False)
            _running.pop(found.file, None)
    return module, version


def _set_mtime(module, version):
    try:
        module.__mtime__ = version[0] + version[1] * 1e-9 if version else 0
    except (AttributeError, TypeError):
        # Something else than a module, that takes no attributes.
        pass


def _log(text, level):
    try:
        apache.log_error(text, apache.APLOG_NOERRNO | level)
    except Exception:
        # A line that cannot be written must not turn into the failure of a load, nor hide the one it tells of.
        pass
