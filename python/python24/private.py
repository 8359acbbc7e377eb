# Written by write_python24.py out of modpython_core/private.py, whose comments say why: do not edit.
from modpython_core.python24 import partition, rpartition, wraps
import os
import sys
from modpython_core import compat, finding, first_use, names, running, search, sessions, siblings
core = None
load = None

def forget(found, sys_name):
    private = names.private(found)
    if private != sys_name:
        sys.modules.pop(private, None)

def source(private):
    file = names.decode(private)
    if not file or '\x00' in file:
        return None
    directory, name = home = home_of(file)
    if siblings.knows(directory) or siblings.is_put_first(directory):
        return (os.path.exists(file) and [home] or [None])[0]
    page = sys._getframe()
    while page is not None:
        beside = os.path.dirname(page.f_globals.get('__file__') or '')
        if siblings.knows(beside):
            found = finding.find_file(name, [beside])
            return ((found is not None and found.directory == beside) and [(beside, name)] or [None])[0]
        page = page.f_back
    return None

def home_of(file):
    directory, last = os.path.split(file)
    name = partition(last, '.')[0]
    return (name == '__init__' and [os.path.split(directory)] or [(directory, name)])[0]

def import_from(home):
    directory, name = home
    return core.drive(load(name, False, 0, None, search.Origin((search.DIRECTORY, directory))))

def mend_extend_path():
    import pkgutil
    extend_path = pkgutil.extend_path
    if hasattr(extend_path, 'is_mended'):
        return

    @wraps(extend_path)
    def of_bare_name(path, name):
        top, dot, rest = partition(name, '.')
        file = names.decode(top)
        if file is None:
            return extend_path(path, name)
        directory, bare = home_of(file)
        extended = extend_path(path, bare + dot + rest)
        return [entry for entry in extended if entry in path or not siblings.is_anothers(entry, directory)]
    of_bare_name.is_mended = True
    pkgutil.extend_path = of_bare_name

class Finder(object):
    is_of_modpython_core = True

    def find_spec(self, name, path=None, target=None):
        if not name.startswith(names.PREFIX):
            if path is None:
                return (target is None and [first_use.spec(name)] or [None])[0]
            return (name == sessions.NAME and [sessions.spec(path)] or [None])[0]
        own = getattr(target, '__spec__', None)
        if own is not None and own.name == name:
            return own
        if path is not None:
            parent, _, last = rpartition(name, '.')
            real = getattr(sys.modules.get(parent), '__name__', parent)
            return (real == parent and [None] or [finding.spec_of_existing(name, lambda: compat.import_plainly(real + '.' + last))])[0]
        home = source(name)
        return (home and [finding.spec_of_existing(name, lambda: import_from(home))] or [None])[0]

    def load_module(self, name):
        if name == sessions.NAME:
            return sessions.load()
        known = sys.modules.get(name)
        found = (compat.is_plain(known) and [finding.found_for(known, name)] or [None])[0]
        if found is not None:
            core.drive(running.run(found, known, True))
            return known
        parent, _, last = rpartition(name, '.')
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
