"""Finding the file of a module, for Python 2: as its own import does."""

from __future__ import absolute_import

import imp
import os
import sys

from modpython_core.compat import file_of, native

# sys.path as it was before any handler added to it.
original_path = []


class Found(object):
    """A file that holds the module of that name; `kind` is that of the module imp."""

    is_namespace = False

    def __init__(self, name, file, kind, directory=None):
        self.name = native(name)
        self.file = file
        self.kind = kind
        # The handler's directory or entry of `path=` that it was found in; None if an import statement would find it.
        self.directory = directory
        # Another file's module that has its name in the package without being in it.
        self.stale = None
        self.is_package = os.path.basename(file).split('.')[0] == '__init__'
        self.package_directory = os.path.dirname(file)
        # The lock is that of the path, and not of the inode: a file that is replaced by a rename gets a new inode,
        # and two threads that saw the old one and the new one would load into one module at a time.
        self.key = file
        real = os.path.realpath(file)
        self.real_key = real if real != file else None

    @property
    def is_source(self):
        return self.kind == imp.PY_SOURCE

    def replaces(self, module):
        return module is not None and module is self.stale


class BuiltIn(object):
    """A module that is built in or frozen."""


def find(name, directories, in_package=False):
    """The file for a name (its last part) in these directories, in their order, or None."""
    for entry in directories:
        if isinstance(entry, basestring) and '\0' not in entry:
            found = _search(name, [native(entry)])
            if isinstance(found, Found):
                found.directory = None if in_package else native(entry)
                return found
    return None


def find_file(name, directories):
    """The file for a top-level name in these directories, in their order, or None."""
    return find(name, directories)


def find_anywhere(name):
    """The file for a top-level name where `import` would find it; something without a file; or None."""
    return _search(name, None)


def _search(name, directories):
    last = native(name).rpartition('.')[2]
    if '\0' in last:
        return None
    try:
        handle, path, description = imp.find_module(last, directories)
    except (ImportError, IOError):  # A directory called x.py is opened before it is looked at.
        return None
    if handle:
        handle.close()
    kind = description[2]
    if kind == imp.PKG_DIRECTORY:
        return _search_package(name, path)
    if kind in (imp.PY_SOURCE, imp.PY_COMPILED, imp.C_EXTENSION):
        return Found(name, path, kind)
    return BuiltIn()


def _search_package(name, directory):
    try:
        handle, path, description = imp.find_module('__init__', [directory])
    except ImportError:
        return None
    handle.close()
    return Found(name, path, description[2])


def found_for(module, name):
    """The file of a module that is there already; None if it cannot be loaded again."""
    file = file_of(module)
    for suffix, mode, kind in imp.get_suffixes():
        if file and file.endswith(suffix):
            return Found(name, file, kind)
    return None


def is_built_in(name):
    """Whether Python has it in itself, frozen perhaps."""
    return name in sys.builtin_module_names or imp.is_frozen(name)


def server_file(name):
    """The file of that name on the server's own path; '' for a module without a file; None if absent."""
    if is_built_in(name):
        return ''
    found = find(name, original_path)
    return None if found is None else found.file
