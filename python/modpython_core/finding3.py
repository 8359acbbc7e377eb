"""Finding the file of a module, for Python 3: by the finders that an import statement asks, in given directories."""

import importlib.util
import os
import sys
import threading
import time
from importlib.machinery import BuiltinImporter, FrozenImporter, ModuleSpec, PathFinder, SOURCE_SUFFIXES

from modpython_core import attributes

# sys.path as it was before any handler added to it.
original_path = []


class Found(object):
    """A file that holds the module of that name, and the spec with which importlib would load it."""

    def __init__(self, name, file, spec, directory=None):
        self.name = name
        self.file = file
        self.spec = spec
        # The handler's directory or entry of `path=` that it was found in; None if an import statement would find it.
        self.directory = directory
        # Another file's module that has its name in the package without being in it.
        self.stale = None
        # The lock is that of the path, and not of the inode: a file that is replaced by a rename gets a new inode,
        # and two threads that saw the old one and the new one would load into one module at a time.
        self.key = os.fsencode(file)
        real = os.fsencode(os.path.realpath(file))
        self.real_key = real if real != self.key else None

    @property
    def is_source(self):
        return self.file.endswith(tuple(SOURCE_SUFFIXES)) and self.spec.loader is not None

    @property
    def is_package(self):
        return self.spec.submodule_search_locations is not None

    @property
    def is_namespace(self):
        return self.is_package and not self.spec.has_location

    @property
    def package_directory(self):
        return os.path.dirname(self.file) if self.spec.has_location else self.file

    def replaces(self, module):
        return module is not None and module is self.stale


class Claimed(object):
    """A module that a finder of the site has under that name, elsewhere or in no file. An import statement gives it,
    also where there is a file of that name."""

    def __init__(self, spec):
        self.spec = spec


def find_file(name, directories):
    """The file for a top-level name in these directories, in their order, or None. No finder of the site is asked: the
    thread that loads asks it, once."""
    directories = _usable(directories)
    return _found(name, PathFinder.find_spec(name, directories) or _look_again(name, directories), directories, False)


def find(name, directories, in_package=False):
    """The file for a name (its last part) in these directories, in their order; Claimed; or None."""
    directories = _usable(directories)
    site = _Site(name, directories)
    for finder in list(sys.meta_path):
        if finder in (BuiltinImporter, FrozenImporter) or getattr(finder, 'is_of_modpython_core', False):
            continue
        if in_package or finder is PathFinder:
            found = _found(name, _ask(finder, name, directories), directories, in_package)
        else:
            found = site.found_by(finder)
        if found is not None:
            return found
    return _found(name, _look_again(name, directories), directories, in_package)


def _usable(directories):
    return [str(entry) for entry in directories if '\0' not in str(entry)]


class _Site(object):
    """One look for a top-level name by the finders that the site has put into sys.meta_path."""

    def __init__(self, name, directories):
        self.name = name
        self.directories = directories
        self._own = self._everywhere = False

    def found_by(self, finder):
        """As an import statement asks it, with no path. A finder that goes on to ask others is to meet what is in the
        directories, and not what another handler's has under that name."""
        looked_for = getattr(_looked_for, 'by_name', None)
        if looked_for is None:
            looked_for = _looked_for.by_name = {}
        before = looked_for.get(self.name)
        looked_for[self.name] = self.directories
        try:
            spec = _ask(finder, self.name, None)
        finally:
            looked_for[self.name] = before
            if before is None:
                del looked_for[self.name]
        found = _found(self.name, spec, self.directories, False)
        if found is None and not _has_no_file(spec) and not self._is_seen_by_statements():
            found = _found(self.name, _ask(finder, self.name, self.directories), self.directories, False)
        if found is not None or spec is None or self.own() is None:
            return found
        everywhere = self.everywhere()
        if everywhere is not None and spec.has_location and spec.origin == everywhere.origin:
            return None  # It has found what an import statement would without it: another directory's.
        return Claimed(spec)

    def own(self):
        """The spec that the directories give."""
        if self._own is False:
            self._own = PathFinder.find_spec(self.name, self.directories)
        return self._own

    def everywhere(self):
        """The spec that sys.path gives."""
        if self._everywhere is False:
            self._everywhere = PathFinder.find_spec(self.name)
        return self._everywhere

    def _is_seen_by_statements(self):
        if self.own() is None:
            entries = [entry.rstrip('/') for entry in list(sys.path) if isinstance(entry, str)]
            return all(directory.rstrip('/') in entries for directory in self.directories)
        everywhere = self.everywhere()
        return everywhere is not None and everywhere.origin == self.own().origin


# By thread: the name that a finder of the site is asked for, and the directories that it is to be found in.
_looked_for = threading.local()


class LookedFor(object):
    """Stands before PathFinder, for finders of the site that ask all others."""

    is_of_modpython_core = True

    def find_spec(self, name, path=None, target=None):
        looked_for = getattr(_looked_for, 'by_name', None)
        if path is not None or not looked_for or name not in looked_for:
            return None
        return PathFinder.find_spec(name, looked_for[name])


def before_path_finder(finder):
    """Puts a finder right before PathFinder, or last if PathFinder is absent."""
    at = sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else len(sys.meta_path)
    sys.meta_path.insert(at, finder)


def find_anywhere(name):
    """The file for a top-level name where `import` would find it; a spec without a file; or None."""
    spec = None
    for finder in list(sys.meta_path):
        if getattr(finder, 'is_of_modpython_core', False):
            continue
        spec = _ask(finder, name, None)
        if spec is not None:
            break
    spec = spec or _look_again(name, sys.path)
    return None if spec is None else anywhere(name, spec)


def anywhere(name, spec):
    """The file of a spec, or the spec if it has none."""
    return Found(name, spec.origin, spec) if spec.has_location else spec


def _ask(finder, name, directories):
    find_spec = getattr(finder, 'find_spec', None)
    if find_spec is not None:
        return find_spec(name, directories)
    # The protocol of before, which import statements honour up to Python 3.11.
    find_legacy = getattr(importlib._bootstrap, '_find_spec_legacy', None)
    return find_legacy(finder, name, directories) if find_legacy and hasattr(finder, 'find_module') else None


def _found(name, spec, directories, in_package):
    """The Found of a finder's spec, if it is in these directories: some finders ignore those they are given."""
    if spec is None:
        return None
    parts = spec.submodule_search_locations
    if spec.has_location:
        directory = os.path.dirname(spec.origin)
        if parts is not None and not in_package and directory not in directories:
            directory = os.path.dirname(directory)
        if not in_package and directory not in directories and not _is_in(directory, directories):
            return None
        return Found(name, spec.origin, spec, None if in_package else directory)
    if in_package or not parts:
        return None
    # A namespace package: nothing to run, and nothing to watch.
    parts = [part for part in parts if os.path.dirname(part) in directories]
    return Found(name, parts[0], spec, os.path.dirname(parts[0])) if parts else None


def _has_no_file(spec):
    return spec is not None and not spec.has_location and spec.submodule_search_locations is None


def _is_in(directory, directories):
    return os.path.normpath(directory) in map(os.path.normpath, directories)


def _look_again(name, entries):
    """A finder remembers a directory as of its time stamp, and so misses a file made in the same tick. Where a directory
    has changed just now, it is looked at by a new finder: one that other threads use is not to be touched."""
    now = time.time()
    for entry in entries:
        try:
            if not isinstance(entry, str) or os.stat(entry or '.').st_mtime < now - 2:
                continue
        except (OSError, ValueError):
            continue
        for hook in sys.path_hooks:
            try:
                finder = hook(entry)
            except ImportError:
                continue
            spec = _ask(finder, name, None) if not hasattr(finder, 'path') else finder.find_spec(name)
            if spec is not None and spec.loader is not None:
                return spec
            break
    return None


def found_for(module, name):
    """The file of a module that is there already; None if it cannot be loaded again."""
    file = attributes.of(module, '__file__')
    file = file if isinstance(file, str) else None
    spec = attributes.of(module, '__spec__')
    if file and (spec is None or getattr(spec, 'loader', None) is None or spec.origin != file):
        spec = importlib.util.spec_from_file_location(name, file)
    return Found(name, file, spec) if file and spec is not None else None


def is_built_in(name):
    """Whether Python has it in itself, frozen perhaps."""
    return name in sys.builtin_module_names or FrozenImporter.find_spec(name) is not None


def server_file(name):
    """The file of that name on the server's own path; '' for a module without a file; None if absent."""
    if is_built_in(name):
        return ''
    spec = PathFinder.find_spec(name, original_path)
    return None if spec is None else spec.origin or ''


class OneModule(object):
    """Stands before PathFinder once there are private names: a file that has a module under one of those is not made
    another by a plain import that finds it."""

    is_of_modpython_core = True

    def __init__(self, core):
        self.core = core

    def find_spec(self, name, path=None, target=None):
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or path is not None or not spec.has_location or not spec.origin:
            return spec
        sys_name = self.core.name_of(os.fsencode(spec.origin))
        if sys_name is None or sys_name == name or sys.modules.get(sys_name) is None:
            return spec
        from modpython_core import private
        existing = _Existing(lambda: private.import_from(private.home_of(spec.origin)), spec.loader)
        # Code that looks for it without importing it (runpy, pkgutil, inspect) finds the file.
        made = importlib.util.spec_from_file_location(
            name, spec.origin, loader=existing, submodule_search_locations=spec.submodule_search_locations)
        made.cached = spec.cached
        return made


def spec_of_existing(name, get):
    """The spec by which an import statement gets what get() gives."""
    return ModuleSpec(name, _Existing(get), origin='modpython_core')


class _Existing(object):
    """Gives a module that is there, or that is loaded under another name, to an import statement; for all else it is the
    loader of the file."""

    def __init__(self, get, loader=None):
        self.get = get
        self.loader = loader
        self.spec = None

    def __getattr__(self, name):
        return getattr(self.__dict__.get('loader'), name)

    def create_module(self, spec):
        module = self.get()
        self.spec = attributes.of(module, '__spec__')
        return module

    def exec_module(self, module):
        # The import has given the module a spec that says another name.
        try:
            module.__spec__ = self.spec
        except AttributeError:
            pass
