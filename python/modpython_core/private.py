"""Private names: what they give to those who import them, and the classes that have them.

A class is pickled by the name of its module. Which of two files of one name got the bare name depends on which was asked
for first; the private name does not. So the classes of a handler's directory are of the module's private name after the
load, and a module that has the bare name is in sys.modules under both. What was pickled under the bare name still loads.
"""

from __future__ import absolute_import

import os
import sys
import types

from modpython_core import finding, names, platform, running, search, sessions, siblings

# The kinds of classes; with functions they are what is pickled by name.
_CLASSES = (type, getattr(types, 'ClassType', type))

core = None
load = None


def name_of(sys_name):
    """The private name of a module that is in sys.modules under that name; None if there is no file to make it from."""
    top, dot, rest = sys_name.partition('.')
    if top.startswith(names.PREFIX):
        return sys_name
    file = platform.file_of(sys.modules.get(top))
    return names.PREFIX + names.encode(file) + dot + rest if file else None


def give(found, sys_name, before):
    """After the code of a file in a handler's directory has run: it, and what it has imported from there by plain
    imports, get their private names. `before` is what sys.modules had before."""
    inside = found.directory.rstrip('/') + '/'
    for name, module in sys.modules.copy().items():
        if name != sys_name and (name in before or name.startswith(names.PREFIX)):
            continue
        file = platform.file_of(module) if module is not None else None
        if name != sys_name and not (file and file.startswith(inside) and _is_done(module, file)):
            continue
        # Looked at last: the load of another thread may have failed since the copy was made, and taken it out.
        if sys.modules.get(name) is not module:
            continue
        # What is there in the place of the module itself may say nothing of its file.
        private = names.private(found) if name == found.name and name == sys_name else name_of(name)
        if private is None:
            continue
        if platform.is_plain(module):
            _rename(vars(module), name, private, 0)
        if private != name:
            sys.modules[private] = module


def _is_done(module, file):
    """Whether it is nobody else's to name: a load of its own, by another thread perhaps, that may yet fail."""
    return core.name_of(platform.path_bytes(file)) is None and not platform.is_initialising(module)


def _rename(namespace, name, private, depth):
    # A copy, since that of a class is no dict.
    for value in core.rename_functions(namespace.copy(), name, private):
        # Not isinstance(), which asks a lazy object for its class, and so makes it.
        if issubclass(type(value), _CLASSES):
            try:
                if value.__module__ != name:
                    continue
                value.__module__ = private
            except Exception:
                continue  # A metaclass that minds.
            if depth < 9:
                _rename(vars(value), name, private, depth + 1)


def directory_of(found):
    """The handler's directory of a file that has a module under its private name; None if it has none."""
    if '.' in found.name or names.private(found) not in sys.modules:
        return None
    directory = place_of(found.file)[0]
    return directory if siblings.knows(directory) else None


def forget(found):
    """The module that the file gave is no longer under its own name: nor is it to be had by the private one."""
    private, known = names.private(found), core.running(found.key)
    if known is not None and core.name_of(found.key) != private and sys.modules.get(private) is known:
        sys.modules.pop(private, None)


def source(private):
    """Where the module of a private name, found in a pickle perhaps, is to be had: its directory and its name there.
    None if nowhere.

    Only where a handler's module has been loaded from: a name that a request gives, letters and underscores, must not
    lead to any file there is. A site may have moved since it wrote its sessions: a name from elsewhere then means the
    module of that name beside the page that asks.
    """
    file = names.decode(private)
    if not file or '\0' in file:
        return None
    directory, name = place = place_of(file)
    if siblings.knows(directory) or siblings.is_put_first(directory):
        return place if os.path.exists(file) else None
    page = sys._getframe()
    while page is not None:
        beside = os.path.dirname(page.f_globals.get('__file__') or '')
        if siblings.knows(beside):
            found = finding.find_file(name, [beside])
            return (beside, name) if found is not None and found.directory == beside else None
        page = page.f_back
    return None


def place_of(file):
    """The directory of a module's file, and its name there."""
    directory, last = os.path.split(file)
    name = last.partition('.')[0]
    return os.path.split(directory) if name == '__init__' else (directory, name)


def import_from(place):
    """The module of that directory and name."""
    directory, name = place
    return core.drive(load(name, False, 0, None, search.DIRECTORY, directory))


class Finder(object):
    """Finds modules by their private names, also in a process that was never asked for them before."""

    is_of_modpython_core = True

    def find_spec(self, name, path=None, target=None):
        if not name.startswith(names.PREFIX):
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
                finding.spec_of_existing(name, lambda: platform.import_plainly(real + '.' + last)))
        place = source(name)
        return finding.spec_of_existing(name, lambda: import_from(place)) if place else None

    def load_module(self, name):
        """The protocol of Python 2; the extension module finds."""
        if name == sessions.NAME:
            return sessions.load()
        known = sys.modules.get(name)
        found = finding.found_for(known, name) if platform.is_plain(known) else None
        if found is not None:
            # reload() is to run it again.
            core.drive(running.run(found, known, True))
            return known
        parent, _, last = name.rpartition('.')
        if parent:
            real = getattr(sys.modules.get(parent), '__name__', parent)
            module = platform.import_plainly(real + '.' + last)
        else:
            place = source(name)
            if place is None:
                raise platform.not_found(name)
            module = import_from(place)
        sys.modules[name] = module
        return module
