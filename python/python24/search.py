# Written by write_python24.py out of modpython_core/search.py, whose comments say why: do not edit.
from modpython_core.python24 import any, rpartition
import os
import sys
from modpython_core import compat, finding
PLAIN, DIRECTORY, PATH, EXPRESSION, PAGE = range(5)

class Origin(tuple):
    __slots__ = ()
    kind = property(lambda self: self[0])
    where = property(lambda self: self[1])
PLAINLY = Origin((PLAIN, None))
expression_names = {}
goes_on_elsewhere = False
core = None
_lists = {}

def evaluated(entries):
    pass

class Present(object):

    def __init__(self, module):
        self.module = module

class WithoutFile(object):

    def __init__(self, name, spec):
        self.name = name
        self.spec = spec

def locate(name, origin, parent):
    if parent is not None:
        return _in_package(name, parent)
    if origin.kind != PLAIN:
        entries = directories(origin)
        found = finding.find(name, entries)
        if found is not None and (not hasattr(found, 'key')):
            if origin.kind != PATH or goes_on_elsewhere:
                return _plainly(name, found.spec)
            found = finding.find_file(name, entries)
        if origin.kind == PATH and goes_on_elsewhere and getattr(found, 'is_namespace', False):
            elsewhere = _with_code(name)
            if elsewhere is not None:
                return elsewhere
        if found is not None:
            if origin.kind == EXPRESSION or found.directory in finding.original_path:
                found.directory = None
            return found
        if origin.kind == PATH and (not goes_on_elsewhere):
            raise compat.not_found(name)
    return _plainly(name)

def _with_code(name):
    try:
        found = _plainly(name)
    except ImportError:
        return None
    if isinstance(found, Present):
        return (getattr(found.module, '__path__', None) and [None] or [found])[0]
    if isinstance(found, WithoutFile):
        return (found.spec.submodule_search_locations is not None and [None] or [found])[0]
    return (found.is_namespace and [None] or [found])[0]

def is_of_expression(entry):
    return any((entry in entries for entries in list(_lists.values())))

def directories(origin):
    where = origin.where
    if origin.kind == DIRECTORY:
        return [normal(where)]
    if origin.kind == PATH:
        entries = [compat.path_entry(entry) for entry in where]
        return [(isinstance(entry, type('')) and [normal(entry)] or [entry])[0] for entry in entries]
    if where not in _lists:
        entries = _evaluate(where)
        evaluated(entries)
        _lists[where] = entries
    return _lists[where]

def files(name, origin):
    if origin.kind in (DIRECTORY, PATH) and '.' not in name and ('\x00' not in name):
        for directory in directories(origin):
            if isinstance(directory, str) and '\x00' not in directory:
                for tail in ('.py', '/__init__.py'):
                    yield compat.path_bytes('%s/%s%s' % (directory, name, tail))

def normal(directory):
    if '\x00' in directory:
        return directory
    if not directory.startswith('/'):
        try:
            directory = os.path.join(os.getcwd(), directory)
        except OSError:
            return directory
    tidy = os.path.normpath(directory)
    if tidy.startswith('//'):
        tidy = tidy[1:]
    if tidy != directory.rstrip('/') and '..' in directory and (os.path.realpath(tidy) != os.path.realpath(directory)):
        return directory
    return tidy

def _plainly(name, spec=None):
    module = sys.modules.get(name)
    if module is not None:
        file = core.hidden_file(PLAINLY, name)
        found = (file and [finding.find_anywhere(name)] or [None])[0]
        if file and getattr(found, 'key', None) == file:
            return found
        return finding.found_for(module, name) or Present(module)
    found = (spec is None and [finding.find_anywhere(name)] or [finding.anywhere(name, spec)])[0]
    if found is None:
        raise compat.not_found(name)
    return (hasattr(found, 'key') and [found] or [WithoutFile(name, found)])[0]

def _in_package(name, parent):
    full_name = '%s.%s' % (parent.__name__, rpartition(name, '.')[2])
    if not hasattr(parent, '__path__'):
        module = sys.modules.get(full_name)
        if module is None:
            raise compat.no_part(name, parent.__name__)
        return Present(module)
    parts = [str(part) for part in parent.__path__]
    module = sys.modules.get(full_name)
    if module is not None:
        found = finding.found_for(module, full_name)
        if found is None:
            return Present(module)
        if _lies_in(found.file, parts):
            return found
    found = finding.find(full_name, parts, True)
    if found is None:
        return Present((module is not None and [module] or [compat.import_plainly(full_name)])[0])
    found.stale = module
    return found

def _lies_in(file, directories):
    own = os.path.dirname(file)
    return own in directories or os.path.dirname(own) in directories

class _OriginalSys(object):

    def __init__(self):
        self.path = list(finding.original_path)

    def __getattr__(self, name):
        return getattr(sys, name)

def _evaluate(expression):
    try:
        return list(eval(expression, dict(expression_names, sys=_OriginalSys())))
    except (SystemExit, KeyboardInterrupt):
        raise
    except Exception:
        return list(sys.path)
