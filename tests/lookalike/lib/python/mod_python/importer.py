"""The importer of the shape of 3.3. A module is known by its file, and each load of one makes a new module object; what
a request has imported stays the same for that request. A file is loaded again when it has changed, or one that its
module has imported while it was loaded.

As there, it decides whether to load before it takes the lock of the file's entry, and not again under that lock: who
comes during a load loads once more, and who comes before it is given None. Modules that import each other, asked for in
two threads, wait for each other for ever.
"""

from __future__ import with_statement

import hashlib
import os
import sys
import threading
import time
import types

from mod_python import apache

PREFIX = "_mp_"


class Modules(dict):
    """The modules of a request, by label, and the time of its first import."""

    ctime = 0


class Place(threading.local):
    """The request of a thread, and the directory of its handler."""

    modules = None
    root = None


here = Place()


def calling_module():
    """The Info of the module that has called this file; None if it was not loaded here."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__file__") == __file__:
        frame = frame.f_back
    return frame.f_globals.get("__mp_info__") if frame is not None else None


def import_module(module_name, autoreload=None, log=None, path=None):
    """By a path, by one that begins with the handler's directory (~/) or the caller's (./, ../), or by a name."""
    parent = calling_module()
    if module_name.startswith("~/") and here.root:
        file = os.path.join(here.root, module_name[2:])
    elif module_name.startswith(("./", "../")) and parent:
        file = os.path.join(os.path.dirname(parent.file), module_name)
    elif os.path.isabs(module_name):
        file = module_name
    else:
        directories = list(path or []) + [here.root, parent and os.path.dirname(parent.file)]
        files = [os.path.join(directory, module_name + ".py") for directory in directories if directory]
        file = ([file for file in files if os.path.exists(file)] or [None])[0]
    if file is None:
        return __import__(module_name, {}, {}, ["*"])
    return _global_modules_cache.import_module(file, autoreload, log, path)


class _CacheInfo:
    """The state of a file, for all requests."""

    def __init__(self, label, file, mtime):
        self.label = label
        self.file = file
        self.mtime = mtime
        self.module = None
        self.children = {}
        self.generation = 0
        self.reload = 0
        self.lock = threading.Lock()


class Info:
    """A module's own record; `children` are the labels of its imports."""

    def __init__(self, file):
        self.file = file
        self.children = {}


class _ModuleCache:

    def __init__(self):
        self._cache = {}
        self._lock1 = threading.Lock()
        self._frozen = False
        self._generation = 0

    def import_module(self, file, autoreload=None, log=None, path=None):
        file = os.path.normpath(file)
        autoreload = 1 if autoreload is None else autoreload
        parent, modules = calling_module(), here.modules
        label = PREFIX + hashlib.md5(file.encode("utf-8")).hexdigest()
        if parent:
            parent.children[label] = time.time()
        if modules is not None and label in modules:
            return modules[label]
        entry, load = self._reload_required(modules, label, file, autoreload)
        entry.lock.acquire()
        try:
            # An error in a thread that is no request.
            modules.ctime = modules.ctime or time.time()
            if not load:
                modules[label] = entry.module
                return entry.module
            return self.load(modules, entry, label, file, log)
        finally:
            entry.lock.release()

    def load(self, modules, entry, label, file, log):
        entry.reload = 1
        if log:
            apache.log_error("mod_python: importing '%s'" % file, apache.APLOG_NOERRNO | apache.APLOG_NOTICE)
        module = types.ModuleType(label)
        module.__file__ = file
        module.__mp_info__ = Info(file)
        modules[label] = module
        try:
            with open(file) as source:
                code = compile(source.read(), file, "exec")
            exec(code, module.__dict__)
        except BaseException:
            if entry.module is None:
                del self._cache[label]
            raise
        entry.module, entry.reload, entry.children = module, 0, dict(module.__mp_info__.children)
        self._generation += 1
        entry.generation = self._generation
        return module

    def _reload_required(self, modules, label, file, autoreload):
        with self._lock1:
            entry = self._cache.get(label)
            if entry is None:
                entry = self._cache[label] = _CacheInfo(label, file, os.path.getmtime(file))
                return entry, True
            if not entry.reload and (self._frozen or not autoreload):
                return entry, False
            mtime = changed(file, entry.mtime)
            if entry.reload or mtime != entry.mtime:
                entry.mtime = mtime
                return entry, True
            visited = {}
            for child in [self._cache.get(child) for child in entry.children]:
                if child is None or self._check_module(modules, entry, child, visited, [label]):
                    return entry, True
            return entry, False

    def _check_module(self, modules, parent, current, visited, ancestors):
        if current.reload or current.generation > parent.generation or current.label in ancestors:
            return True
        if current.label in visited:
            return False
        if changed(current.file, current.mtime) != current.mtime:
            return True
        for label in list(current.children):
            child = self._cache.get(label)
            if child is None or self._check_module(modules, current, child, visited, ancestors + [current.label]):
                return True
        visited[current.label] = current
        modules[current.label] = current.module
        return False


def changed(file, mtime):
    """The time of the file; that which was known if it is gone."""
    try:
        return os.path.getmtime(file)
    except OSError:
        return mtime


def in_request(dispatch):
    """The dispatcher, with what its request imports; a request inside another shares that."""

    def dispatched(callback, about):
        before = here.modules, here.root
        if here.modules is None:
            here.modules = Modules()
        here.root = getattr(getattr(about, "hlist", None), "directory", None)
        try:
            return dispatch(callback, about)
        finally:
            here.modules, here.root = before

    return dispatched


_global_modules_cache = _ModuleCache()
apache.import_module = import_module
for name in ("HandlerDispatch", "FilterDispatch", "ConnectionDispatch", "ImportDispatch"):
    setattr(apache.CallBack, name, in_request(getattr(apache.CallBack, name)))
