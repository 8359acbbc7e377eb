"""Where to look for a module, and what is found there."""

from __future__ import absolute_import

import os
import sys

from modpython_core import compat, finding

# The kinds of origins, as the extension module numbers them (src/import_module/origin.rs). PAGE: a module of that
# handler's directory calls import_module, which means what an import statement there would mean (siblings.origin).
PLAIN, DIRECTORY, PATH, EXPRESSION, PAGE = range(5)


class Origin(tuple):
    """Where a module is looked for: a kind, and its directory, directories or expression (None for the plain kind)."""

    __slots__ = ()
    kind = property(lambda self: self[0])
    where = property(lambda self: self[1])


PLAINLY = Origin((PLAIN, None))

# The names that a PythonPath expression may use.
expression_names = {}

# Whether a name that the directories of `path=` do not have is looked for as if there were no `path=`.
goes_on_elsewhere = False

core = None

_lists = {}


def evaluated(entries):
    """Is told what a PythonPath expression gives, before a module is looked for there."""


class Present(object):
    """A module that is at hand, and has no file to watch."""

    def __init__(self, module):
        self.module = module


class WithoutFile(object):
    """A module that an import statement would find, in no file: built-in, a folder without code, or out of a database. Its
    finder is not asked again."""

    def __init__(self, name, spec):
        self.name = name
        self.spec = spec


def locate(name, origin, parent):
    """The file for a name, or what is there without one. Raises ImportError if there is nothing."""
    if parent is not None:
        return _in_package(name, parent)
    if origin.kind != PLAIN:
        entries = directories(origin)
        found = finding.find(name, entries)
        if found is not None and not hasattr(found, 'key'):
            # Stock gives what a finder of the site claims, except where stock looks at the given files alone.
            if origin.kind != PATH or goes_on_elsewhere:
                return _plainly(name, found.spec)
            found = finding.find_file(name, entries)
        if origin.kind == PATH and goes_on_elsewhere and getattr(found, 'is_namespace', False):
            elsewhere = _with_code(name)
            if elsewhere is not None:
                return elsewhere
        if found is not None:
            if origin.kind == EXPRESSION or found.directory in finding.original_path:
                # The server's own path, to which PythonPath belongs.
                found.directory = None
            return found
        if origin.kind == PATH and not goes_on_elsewhere:
            # Never a module from elsewhere: a caller that gives a path names a file in it, and must not be able to
            # reach os, say, because a request named it. With a stock that ignores the path, callers rely on that.
            raise compat.not_found(name)
    return _plainly(name)


def _with_code(name):
    """The module elsewhere that a folder without code gives way to; None if there are only such folders."""
    try:
        found = _plainly(name)
    except ImportError:
        return None
    if isinstance(found, Present):
        return None if getattr(found.module, '__path__', None) else found
    if isinstance(found, WithoutFile):
        return None if found.spec.submodule_search_locations is not None else found
    return None if found.is_namespace else found


def is_of_expression(entry):
    """Whether a PythonPath expression names that directory."""
    return any(entry in entries for entries in list(_lists.values()))


def directories(origin):
    where = origin.where
    if origin.kind == DIRECTORY:
        return [normal(where)]
    if origin.kind == PATH:
        entries = [compat.path_entry(entry) for entry in where]
        return [normal(entry) if isinstance(entry, type('')) else entry for entry in entries]
    if where not in _lists:
        entries = _evaluate(where)
        evaluated(entries)
        _lists[where] = entries
    return _lists[where]


def files(name, origin):
    """The files, as bytes, that a module of that name in the origin's directories may have."""
    if origin.kind in (DIRECTORY, PATH) and '.' not in name and '\0' not in name:
        for directory in directories(origin):
            if isinstance(directory, str) and '\0' not in directory:
                for tail in ('.py', '/__init__.py'):
                    yield compat.path_bytes('%s/%s%s' % (directory, name, tail))


def normal(directory):
    """One directory has one name, however it was written; but not where `..` follows a symbolic link."""
    if '\0' in directory:
        return directory
    if not directory.startswith('/'):
        try:
            directory = os.path.join(os.getcwd(), directory)
        except OSError:
            return directory  # There is no working directory any more.
    tidy = os.path.normpath(directory)
    if tidy.startswith('//'):
        tidy = tidy[1:]
    if tidy != directory.rstrip('/') and '..' in directory and os.path.realpath(tidy) != os.path.realpath(directory):
        return directory
    return tidy


def _plainly(name, spec=None):
    module = sys.modules.get(name)
    if module is not None:
        # An object that a module has put in its own place says nothing of the module's file.
        file = core.hidden_file(PLAINLY, name)
        found = finding.find_anywhere(name) if file else None
        if file and getattr(found, 'key', None) == file:
            return found
        return finding.found_for(module, name) or Present(module)
    found = finding.find_anywhere(name) if spec is None else finding.anywhere(name, spec)
    if found is None:
        raise compat.not_found(name)
    return found if hasattr(found, 'key') else WithoutFile(name, found)


def _in_package(name, parent):
    full_name = '%s.%s' % (parent.__name__, name.rpartition('.')[2])
    if not hasattr(parent, '__path__'):
        # A module may enter what it likes under a name of its own, as os does with os.path.
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
        # It may be there all the same: a package can enter what it likes under a name of its own.
        return Present(module if module is not None else compat.import_plainly(full_name))
    found.stale = module
    return found


def _lies_in(file, directories):
    own = os.path.dirname(file)
    return own in directories or os.path.dirname(own) in directories


class _OriginalSys(object):
    """The module sys as a PythonPath expression sees it: with the path that the server started with."""

    def __init__(self):
        self.path = list(finding.original_path)

    def __getattr__(self, name):
        return getattr(sys, name)


def _evaluate(expression):
    """The list that a PythonPath expression gives, with nothing in it of what other expressions have added.

    The stock dispatcher evaluates "sys.path + [...]" on top of what the last one has left in sys.path
    (MODPYTHON-114), so that the directory of another application may come first.
    """
    try:
        return list(eval(expression, dict(expression_names, sys=_OriginalSys())))
    except Exception:
        # The stock dispatcher has evaluated it a moment ago, with its own local names; take what it has made of it.
        return list(sys.path)
