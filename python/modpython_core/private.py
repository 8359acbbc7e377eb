"""Private names: what they give to those who import them, in a pickle of another process perhaps, in which the file's module
had its private name.
"""

from __future__ import absolute_import

import os
import sys

from modpython_core import compat, finding, first_use, names, running, search, sessions, siblings

core = None
load = None


def forget(found, sys_name):
    """The file is run under that name: an earlier module of it is no longer found by the private one."""
    private = names.private(found)
    if private != sys_name:
        sys.modules.pop(private, None)


def source(private):
    """The directory of the module with that private name, found in a pickle perhaps, and its name there; else None.

    Only where a handler's module has been loaded from: a name that a request gives, letters and underscores, must not
    lead to any file there is. A site may have moved since it wrote its sessions: a name from elsewhere then means the
    module of that name beside the page that asks.
    """
    file = names.decode(private)
    if not file or '\0' in file:
        return None
    directory, name = home = home_of(file)
    if siblings.knows(directory) or siblings.is_put_first(directory):
        return home if os.path.exists(file) else None
    page = sys._getframe()
    while page is not None:
        beside = os.path.dirname(page.f_globals.get('__file__') or '')
        if siblings.knows(beside):
            found = finding.find_file(name, [beside])
            return (beside, name) if found is not None and found.directory == beside else None
        page = page.f_back
    return None


def home_of(file):
    """The directory of a module's file, and its name there."""
    directory, last = os.path.split(file)
    name = last.partition('.')[0]
    return os.path.split(directory) if name == '__init__' else (directory, name)


def import_from(home):
    """The module of that directory and name."""
    directory, name = home
    return core.drive(load(name, False, 0, None, search.Origin((search.DIRECTORY, directory))))


def mend_extend_path():
    """pkgutil.extend_path looks for directories of the package's name, which for it is the private one."""
    from functools import wraps
    import pkgutil
    extend_path = pkgutil.extend_path
    if hasattr(extend_path, 'is_mended'):
        return

    @wraps(extend_path)
    def of_bare_name(path, name):
        top, dot, rest = name.partition('.')
        file = names.decode(top)
        if file is None:
            return extend_path(path, name)
        directory, bare = home_of(file)
        extended = extend_path(path, bare + dot + rest)
        # Another handler's directory has a package of its own under that name.
        return [entry for entry in extended if entry in path or not siblings.is_anothers(entry, directory)]

    of_bare_name.is_mended = True
    pkgutil.extend_path = of_bare_name


class Finder(object):
    """Finds modules by their private names, also in a process that was never asked for them before."""

    is_of_modpython_core = True

    def find_spec(self, name, path=None, target=None):
        if not name.startswith(names.PREFIX):
            if path is None:
                return first_use.spec(name) if target is None else None
            return sessions.spec(path) if name == sessions.NAME else None
        own = getattr(target, '__spec__', None)
        if own is not None and own.name == name:
            # importlib.reload() is to run it again.
            return own
        if path is not None:
            parent, _, last = name.rpartition('.')
            real = getattr(sys.modules.get(parent), '__name__', parent)
            # A package that has the private name itself has its parts found as any other.
            return None if real == parent else (
                finding.spec_of_existing(name, lambda: compat.import_plainly(real + '.' + last)))
        home = source(name)
        return finding.spec_of_existing(name, lambda: import_from(home)) if home else None

    def load_module(self, name):
        """The protocol of Python 2; the extension module finds."""
        if name == sessions.NAME:
            return sessions.load()
        known = sys.modules.get(name)
        found = finding.found_for(known, name) if compat.is_plain(known) else None
        if found is not None:
            # reload() is to run it again.
            core.drive(running.run(found, known, True))
            return known
        parent, _, last = name.rpartition('.')
        if parent:
            real = getattr(sys.modules.get(parent), '__name__', parent)
            module = compat.import_plainly(real + '.' + last)
        else:
            home = source(name)
            if home is None:
                raise compat.not_found(name)
            module = import_from(home)
        sys.modules[name] = module
        return module
