# Written by write_python24.py out of modpython_core/finding2.py, whose comments say why: do not edit.
from modpython_core.python24 import rpartition
import imp
import os
import sys
from modpython_core.compat import file_of, native
original_path = []

class Found(object):
    is_namespace = False

    def __init__(self, name, file, kind, directory=None):
        self.name = native(name)
        self.file = file
        self.kind = kind
        self.directory = directory
        self.stale = None
        self.is_package = os.path.basename(file).split('.')[0] == '__init__'
        self.package_directory = os.path.dirname(file)
        self.key = file
        real = os.path.realpath(file)
        self.real_key = (real != file and [real] or [None])[0]

    @property
    def is_source(self):
        return self.kind == imp.PY_SOURCE

    def replaces(self, module):
        return module is not None and module is self.stale

class BuiltIn(object):
    pass

def find(name, directories, in_package=False):
    for entry in directories:
        if isinstance(entry, basestring) and '\x00' not in entry:
            found = _search(name, [native(entry)])
            if isinstance(found, Found):
                found.directory = (in_package and [None] or [native(entry)])[0]
                return found
    return None

def find_file(name, directories):
    return find(name, directories)

def find_anywhere(name):
    return _search(name, None)

def _search(name, directories):
    last = rpartition(native(name), '.')[2]
    if '\x00' in last:
        return None
    try:
        handle, path, description = imp.find_module(last, directories)
    except (ImportError, IOError):
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
    file = file_of(module)
    for suffix, mode, kind in imp.get_suffixes():
        if file and file.endswith(suffix):
            return Found(name, file, kind)
    return None

def is_built_in(name):
    return name in sys.builtin_module_names or imp.is_frozen(name)

def server_file(name):
    if is_built_in(name):
        return ''
    found = find(name, original_path)
    return (found is None and [None] or [found.file])[0]
