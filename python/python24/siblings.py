# Written by write_python24.py out of modpython_core/siblings.py, whose comments say why: do not edit.
from modpython_core.python24 import any, partition
import sys
from modpython_core import attributes, compat, finding, pickles, search
core = None
load = None
stock_reloads = True
try:
    import builtins
except ImportError:
    import __builtin__ as builtins
_directories = set()
_put_first = set()
_known = {}
_on_server = {}
_given = {}

def belongs(found, sys_name):
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
    _directories.add(found.directory)

def watch():
    if hasattr(finding, 'OneModule') and (not any((isinstance(finder, finding.OneModule) for finder in sys.meta_path))):
        finding.before_path_finder(finding.OneModule(core))
    try:
        getattr(core, '__import__').__module__ = builtins.__name__
    except TypeError:
        pass
    owner, name = compat.by_name()
    core.watch_imports(builtins, owner, name, sibling, named, compat.say_bare_name)

def knows(directory):
    return directory in _directories

def is_anothers(path, directory):
    owners = [own for own in list(_directories) if (path + '/').startswith(own + '/')]
    return bool(owners) and sorted(owners, key=len)[-1] != directory

def is_put_first(directory):
    return any((directory in _before(own) for own in _directories - _put_first))

def _before(directory):
    inside, entries = (directory + '/', [])
    for entry in list(sys.path):
        if not isinstance(entry, str):
            continue
        if entry.rstrip('/') == directory:
            return entries
        if entry.startswith(inside) and _is_of(entry, directory):
            entries.append(entry)
    return []

def _is_of(entry, directory):
    if search.normal(entry) != entry or entry in finding.original_path or search.is_of_expression(entry):
        return False
    owners = _directories - _put_first | set([directory])
    return sorted([own for own in owners if (entry + '/').startswith(own + '/')], key=len)[-1] == directory

def _own_path(directory):
    others = set((other for other in _directories if not other.startswith(directory + '/')))
    entries = [entry for entry in list(sys.path) if isinstance(entry, str)]
    return (directory,) + tuple((entry for entry in entries if search.normal(entry) not in others))

def is_replaced(sys_name, key):
    if sys_name not in sys.modules:
        return False
    present = sys.modules[sys_name]
    if present is core.running(key):
        return False
    file = (present is None and [None] or [compat.file_of(present)])[0]
    if file is None:
        return True
    try:
        return compat.path_bytes(file) != key and attributes.of(present, '__name__') != sys_name
    except (SystemExit, KeyboardInterrupt):
        raise
    except Exception:
        return True

def _is_on_path(directory):
    return any((isinstance(entry, str) and entry.rstrip('/') == directory for entry in list(sys.path)))

def sibling(top, directory, importer, name=None):
    left = _left(name, top, directory)
    if left is not None:
        return left
    reloading = not stock_reloads and core.is_reloading()
    sys_name, key = _known.get((top, directory), (None, None))
    module = sys.modules.get(sys_name)
    if module is not None and core.running(key) is module and (not reloading) and core.is_complete(key):
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
    sys_name = ((name is not None and name != top) and [_given.get(top, {}).get(directory)] or [None])[0]
    if sys_name is None or sys_name in sys.modules or sys_name + name[len(top):] not in sys.modules:
        return None
    return sys_name

def left_part(name, origin):
    top = partition(name, '.')[0]
    if origin.kind == search.PLAIN:
        return (top in sys.modules and [None] or [sys.modules.get(name)])[0]
    for directory in search.directories(origin):
        left = _left(name, top, directory)
        if left is not None:
            return sys.modules.get(left + name[len(top):])
    return None

def has_left_parts(found):
    given = _given.get(found.name, {}).copy()
    owners = [own + '/' for own, sys_name in given.items() if sys_name == found.name and own != found.directory]
    for name, module in (owners and [sys.modules.copy().items()] or [()])[0]:
        if name.startswith(found.name + '.'):
            file = compat.file_of(module)
            if file and any((file.startswith(own) for own in owners)):
                return True
    return False

def origin(top, directory):
    meant = _meant(top, directory)
    return (meant is not None and [meant[1]] or [search.PLAINLY])[0]

def named(top, importer, name=None):
    caller = sys._getframe().f_back
    if caller is not None and caller.f_globals.get('__name__') == 'importlib':
        caller = caller.f_back
    asking = (caller is not None and [caller.f_globals.get('__name__')] or [None])[0]
    if isinstance(asking, str) and asking.startswith('modpython_core.'):
        return None
    directory = _of_request(caller)
    if directory is None or (isinstance(importer, str) and compat.is_relative(top, importer)):
        return None
    return (_is_on_server(top) and [None] or [sibling(top, directory, '', name)])[0]

def in_pickle(name):
    top, dot, rest = partition(name, '.')
    if top in sys.modules and top not in _given:
        return []
    directory = _of_request(sys._getframe(1))
    own = (directory is not None and [core.drive(sibling(top, directory, '', name))] or [None])[0]
    others = (_is_on_server(top) and [[]] or [list(_given.get(top, {}).values())])[0]
    return [meant + dot + rest for meant in [own or top] + others]

def _is_on_server(top):
    known = _on_server.get(top)
    if known is None:
        if len(_on_server) >= 1000:
            _on_server.clear()
        known = _on_server[top] = finding.server_file(top) is not None
    return known

def _of_request(frame):
    while frame is not None:
        directory = core.directory_of(frame.f_globals.get('__name__'))
        if directory is not None:
            return directory
        frame = frame.f_back
    return None

def _is_imported(top, found, reloading):
    present = sys.modules.get(top)
    return present is not None and compat.file_of(present) == found.file and (not core.is_running(found.key)) and core.is_complete(found.key) and (not (reloading and core.name_of(found.key) is not None)) and (sys.modules.get(top) is present)

def _meant(top, directory):
    if finding.is_built_in(top):
        return None
    found = finding.find_file(top, [directory])
    if found is None or found.directory is None:
        return None
    before = _before(directory)
    if before:
        found = finding.find_file(top, before + [directory]) or found
    origin = search.Origin((search.DIRECTORY, found.directory))
    if found.is_namespace:
        origin = search.Origin((search.PATH, _own_path(directory)))
        found = finding.find_file(top, origin.where)
        if found is None or not found.is_namespace:
            return None
    if sys.modules.get(top) is None and (not _is_on_path(directory)) and (finding.server_file(top) is not None):
        return None
    own = core.name_of(found.key)
    if own is not None and core.is_running(found.key) and (sys.modules.get(own) is None) and core.is_running(found.key):
        return None
    return (found, origin)

def _loaded(top, directory, reloading, found, origin):
    if top not in sys.modules:
        compat.audit_import(top)
    yield load(top, reloading, 0, None, origin)
    core.answer()
    sys_name = core.name_of(found.key)
    if sys_name is not None:
        _known[top, directory] = (sys_name, found.key)
    yield (None, sys_name)
    core.answer()
