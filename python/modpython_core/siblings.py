"""Plain imports in modules of handlers' directories: a name that the module's own directory has gives that directory's
file, also where another directory's module of that name is in sys.modules already, or another directory comes first in
sys.path: the dispatchers put each directory there when it is first asked for.
"""

from __future__ import absolute_import

import sys

from modpython_core import attributes, compat, finding, pickles, search

core = None
load = None

# See loading.
stock_reloads = True

try:
    import builtins
except ImportError:
    import __builtin__ as builtins

_directories = set()
# Those among them that a page has put before its own in sys.path.
_put_first = set()
# (name, directory) -> the name in sys.modules, and the file.
_known = {}
# Name -> whether the server's own path has it.
_on_server = {}
# Name -> directory -> the name in sys.modules of the module that this directory has given.
_given = {}


def belongs(found, sys_name):
    """From now on the module of that name, and the parts of it, are of that directory."""
    core.scope(sys_name, found.name, found.directory)
    _given.setdefault(found.name, {})[found.directory] = sys_name
    if found.directory in _directories:
        return
    if not _directories:
        watch()
    if _directories or sys_name != found.name:
        pickles.watch()
    if is_put_first(found.directory):
        _put_first.add(found.directory)
    # Last: another thread that finds it there goes on to run code of that directory.
    _directories.add(found.directory)


def watch():
    """From now on imports are looked at. Other threads may be in here, too."""
    if hasattr(finding, 'OneModule') and not any(isinstance(finder, finding.OneModule) for finder in sys.meta_path):
        finding.before_path_finder(finding.OneModule(core))
    try:
        # A pickle of it is read where we are not.
        getattr(core, '__import__').__module__ = builtins.__name__
    except TypeError:
        pass  # Python 2.5 lets nobody say so.
    owner, name = compat.by_name()
    core.watch_imports(builtins, owner, name, sibling, named, compat.say_bare_name)


def knows(directory):
    """Whether handlers' modules have been loaded from there."""
    return directory in _directories


def is_anothers(path, directory):
    """Whether the innermost handlers' directory that the path lies in is not that one, but another."""
    owners = [own for own in list(_directories) if (path + '/').startswith(own + '/')]
    return bool(owners) and sorted(owners, key=len)[-1] != directory


def is_put_first(directory):
    """Whether it lies below a handler's directory, and a page there has put it before that one in sys.path."""
    return any(directory in _before(own) for own in _directories - _put_first)


def _before(directory):
    """The entries of sys.path before that directory which pages of it have put there: of those that lie below it, the
    ones that nobody else has. An entry elsewhere may have come from another application."""
    inside, entries = directory + '/', []
    for entry in list(sys.path):
        if not isinstance(entry, str):
            continue
        if entry.rstrip('/') == directory:
            return entries
        if entry.startswith(inside) and _is_of(entry, directory):
            entries.append(entry)
    return []


def _is_of(entry, directory):
    # One that has a slash at its end may be a dispatcher's, of which nothing has been loaded yet.
    if search.normal(entry) != entry or entry in finding.original_path or search.is_of_expression(entry):
        return False
    owners = (_directories - _put_first) | set([directory])
    return sorted([own for own in owners if (entry + '/').startswith(own + '/')], key=len)[-1] == directory


def _own_path(directory):
    """That directory, and the entries of sys.path which are no other handlers'."""
    others = set(other for other in _directories if not other.startswith(directory + '/'))
    entries = [entry for entry in list(sys.path) if isinstance(entry, str)]
    return (directory,) + tuple(entry for entry in entries if search.normal(entry) not in others)


def is_replaced(sys_name, key):
    """Whether code of the site has put something else in the place of the module that the file gave under that name:
    that is what an import statement gives then, as ever."""
    if sys_name not in sys.modules:
        return False
    present = sys.modules[sys_name]
    if present is core.running(key):
        return False
    file = None if present is None else compat.file_of(present)
    if file is None:
        return True
    try:
        # A module imported under that name is of this file, or of another one that has got the name since.
        return compat.path_bytes(file) != key and attributes.of(present, '__name__') != sys_name
    except Exception:
        return True


def _is_on_path(directory):
    # The dispatchers put theirs there with a slash at its end.
    return any(isinstance(entry, str) and entry.rstrip('/') == directory for entry in list(sys.path))


def sibling(top, directory, importer, name=None):
    """The name in sys.modules of what `import top` in a module of that directory means; None for what it always means.
    `name` is the full name of the import, if it asks for a part of that."""
    left = _left(name, top, directory)
    if left is not None:
        return left
    # Where the stock core reloads nothing, a new release comes as a whole: a page that is run again does not get the
    # helper of the release before.
    reloading = not stock_reloads and core.is_reloading()
    sys_name, key = _known.get((top, directory), (None, None))
    module = sys.modules.get(sys_name)
    if module is not None and core.running(key) is module and not reloading and core.is_complete(key):
        return sys_name
    if sys_name is not None and is_replaced(sys_name, key):
        return sys_name
    if compat.is_relative(top, importer):
        return None
    meant = _meant(top, directory)
    if meant is None or _is_imported(top, meant[0], reloading):
        return None
    return _loaded(top, directory, reloading, *meant)


def _left(name, top, directory):
    """The name of a package of that directory which has failed, and has left that part of itself behind: an import statement
    finds the part, and does not run the package again."""
    sys_name = _given.get(top, {}).get(directory) if name is not None and name != top else None
    if sys_name is None or sys_name in sys.modules or sys_name + name[len(top):] not in sys.modules:
        return None
    return sys_name


def left_part(name, origin):
    """The same for import_module: the part; None if it has to be looked for."""
    top = name.partition('.')[0]
    if origin.kind == search.PLAIN:
        return None if top in sys.modules else sys.modules.get(name)
    for directory in search.directories(origin):
        left = _left(name, top, directory)
        if left is not None:
            return sys.modules.get(left + name[len(top):])
    return None


def has_left_parts(found):
    """Whether a package of that name has failed in another directory, and may yet be loaded there with its parts."""
    # Copies are made in one step; a list of the items is not.
    given = _given.get(found.name, {}).copy()
    owners = [own + '/' for own, sys_name in given.items() if sys_name == found.name and own != found.directory]
    for name, module in sys.modules.copy().items() if owners else ():
        if name.startswith(found.name + '.'):
            file = compat.file_of(module)
            if file and any(file.startswith(own) for own in owners):
                return True
    return False


def origin(top, directory):
    """Where import_module, called in a module of that directory, looks for the name."""
    meant = _meant(top, directory)
    return meant[1] if meant is not None else search.PLAINLY


def named(top, importer, name=None):
    """The same for code in no module of a handler's directory: a function that imports by name (importlib's, mock's, that of
    logging's configuration), or what runs with globals of its own (exec, a template). In a request of a page it means what
    it means there, if nobody but handlers' directories has the name."""
    # None where C code imports with no Python code on the stack.
    caller = sys._getframe().f_back
    if caller is not None and caller.f_globals.get('__name__') == 'importlib':
        caller = caller.f_back
    asking = caller.f_globals.get('__name__') if caller is not None else None
    if isinstance(asking, str) and asking.startswith('modpython_core.'):
        # The shim asks for a name that it has found to be no directory's.
        return None
    directory = _of_request(caller)
    if directory is None or isinstance(importer, str) and compat.is_relative(top, importer):
        return None
    return None if _is_on_server(top) else sibling(top, directory, '', name)


def in_pickle(name):
    """The names in sys.modules of the modules that a pickle may mean by that one: that of the page which reads it, and
    those of other handlers' directories. None where it means what it says."""
    top, dot, rest = name.partition('.')
    if top in sys.modules and top not in _given:
        return []
    directory = _of_request(sys._getframe(1))
    own = core.drive(sibling(top, directory, '', name)) if directory is not None else None
    others = [] if _is_on_server(top) else list(_given.get(top, {}).values())
    return [meant + dot + rest for meant in [own or top] + others]


def _is_on_server(top):
    known = _on_server.get(top)
    if known is None:
        if len(_on_server) >= 1000:
            # Requests may name them.
            _on_server.clear()
        known = _on_server[top] = finding.server_file(top) is not None
    return known


def _of_request(frame):
    """The directory of the innermost module of a handler's directory on the stack; None if absent."""
    while frame is not None:
        directory = core.directory_of(frame.f_globals.get('__name__'))
        if directory is not None:
            return directory
        frame = frame.f_back
    return None


def _is_imported(top, found, reloading):
    """Whether what an import statement finds in sys.modules is the module of that file, to its end. One that runs is waited
    for: an import statement of Python 2 would hand it out half-made."""
    present = sys.modules.get(top)
    return (present is not None and compat.file_of(present) == found.file and not core.is_running(found.key)
            and core.is_complete(found.key) and not (reloading and core.name_of(found.key) is not None)
            # Asked last: the run of another thread may have failed meanwhile, and is no longer running for that reason.
            and sys.modules.get(top) is present)


def _meant(top, directory):
    """The file that `import top` means in a module of that directory, and its origin; None for what that
    always means."""
    if finding.is_built_in(top):
        # An import statement looks there first, so that no file or folder of that name is ever imported.
        return None
    found = finding.find_file(top, [directory])
    if found is None or found.directory is None:
        return None
    before = _before(directory)
    if before:
        found = finding.find_file(top, before + [directory]) or found
    origin = search.Origin((search.DIRECTORY, found.directory))
    if found.is_namespace:
        # A folder without code gives way to a module on any entry of sys.path, or is one package with its namesakes.
        origin = search.Origin((search.PATH, _own_path(directory)))
        found = finding.find_file(top, origin.where)
        if found is None or not found.is_namespace:
            return None
    if sys.modules.get(top) is None and not _is_on_path(directory) and finding.server_file(top) is not None:
        # A directory that no import statement looks into does not hide what is Python's.
        return None
    own = core.name_of(found.key)
    if own is not None and core.is_running(found.key) and sys.modules.get(own) is None and core.is_running(found.key):
        # It has taken itself out of the way of another of its name, to which it hands over. Asked twice: the run of
        # another thread that fails ends, and is taken out, in one.
        return None
    return found, origin


def _loaded(top, directory, reloading, found, origin):
    if top not in sys.modules:
        # An import statement tells audit hooks of a module that is not in sys.modules.
        compat.audit_import(top)
    yield load(top, reloading, 0, None, origin)
    sys_name = core.name_of(found.key)
    if sys_name is not None:
        _known[top, directory] = sys_name, found.key
    yield None, sys_name
