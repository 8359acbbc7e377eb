"""What differs between Python 2 and 3, for Python 3: finding a file, importlib's locks, making a module, running it."""

import importlib
import importlib.util
import os
import sys
from importlib.machinery import ExtensionFileLoader, PathFinder, SourceFileLoader

# importlib's locks have no public face. These names are the same from Python 3.9 to 3.13; where one is missing, this
# module fails, and mod_python keeps its own import_module.
_bootstrap = importlib._bootstrap

core = None


class Found(object):
    """A file that holds the module of that name, and the spec with which importlib would load it."""

    def __init__(self, name, file, spec):
        self.name = name
        self.file = file
        self.spec = spec
        # The lock is that of the path, and not of the inode: a file that is replaced by a rename gets a new inode,
        # and two threads that saw the old one and the new one would load into one module at a time.
        self.key = os.fsencode(file)
        real = os.fsencode(os.path.realpath(file))
        self.real_key = real if real != self.key else None

    @property
    def is_source(self):
        return type(self.spec.loader) is SourceFileLoader


def native(text):
    """A name as Python looks modules up by."""
    return text


def file_of(module):
    """The file of a module, or None for one that has none."""
    file = getattr(module, '__file__', None)
    return file if isinstance(file, str) else None


def find(name, directories):
    """The file for a name (its last part) in these directories, in their order, or None."""
    directories = [entry for entry in directories if '\0' not in str(entry)]
    return _search(name, directories, [PathFinder])


def find_anywhere(name):
    """The file for a top-level name where `import` would find it; a spec without a file; or None."""
    return _search(name, None, list(sys.meta_path))


def _search(name, directories, finders):
    for attempt in (1, 2):
        for finder in finders:
            find_spec = getattr(finder, 'find_spec', None)
            spec = find_spec(name, directories) if find_spec else None
            if spec is None or (directories is not None and not spec.has_location):
                continue
            if not spec.has_location:
                return spec
            return Found(name, spec.origin, spec)
        # A finder remembers the directory as of its time stamp, and so misses a file made in the same tick.
        for entry in (sys.path if directories is None else directories):
            remembered = sys.path_importer_cache.get(entry)
            if hasattr(remembered, 'invalidate_caches'):
                remembered.invalidate_caches()
    return None


def found_for(module, name):
    """The file of a module that is there already; None if it is none that could be loaded again."""
    file = file_of(module)
    spec = getattr(module, '__spec__', None)
    if file and (spec is None or spec.loader is None or spec.origin != file):
        spec = importlib.util.spec_from_file_location(name, file)
    return Found(name, file, spec) if file and spec is not None else None


def import_plainly(name):
    """A module without a file of its own (built-in, frozen, namespace): there is nothing to watch."""
    return importlib.import_module(name)


def not_found(name):
    """The exception for a module that is nowhere."""
    return ModuleNotFoundError('No module named %r' % (name,), name=name)


class module_lock(object):
    """importlib's own lock for a module, so that a plain import of it waits for our load, and ours for its.

    Gives True if this thread has come in from outside. False means that it is inside already: a plain import of the
    module, by this thread, is under way; or importlib has seen a deadlock coming, which is to say that the owner of
    the lock waits for this thread. It then goes on without the lock, as an import does.
    """

    def __init__(self, name):
        self.lock = _bootstrap._get_module_lock(name)
        self.held = False

    def __enter__(self):
        inside = self.lock.owner == _bootstrap._thread.get_ident()
        try:
            self.lock.acquire()
        except _bootstrap._DeadlockError:
            return False
        self.held = True
        return not inside

    def __exit__(self, *error):
        if self.held:
            self.lock.release()


class _StandingDeadlocks(_bootstrap._ModuleLockManager):
    """importlib's own way to hold a module's lock, which goes on without it where it has seen a deadlock coming.

    importlib accepts a module that is half-made where waiting would close a cycle. Not so if the module appears
    between its look at sys.modules and its look at the lock: then the import statement raises _DeadlockError. Two
    handlers that import each other plainly get there, loaded by two threads at once, and one of them fails.
    """

    def __enter__(self):
        try:
            super(_StandingDeadlocks, self).__enter__()
        except _bootstrap._DeadlockError:
            self._lock = None

    def __exit__(self, *error):
        if self._lock is not None:
            super(_StandingDeadlocks, self).__exit__(*error)


def stand_deadlocks():
    """Lets import statements take what is half-made instead of failing, in this interpreter."""
    _bootstrap._ModuleLockManager = _StandingDeadlocks


def blocked():
    """Who waits for whom in importlib's locks: a list of (thread, owner).

    Threads run on while it is made, so it is made twice, and what is in both has been true in between all at once.
    """
    first = _blocked_now()
    return [pair for pair in _blocked_now() if pair in first] if first else first


def _blocked_now():
    blocking_on = _bootstrap._blocking_on
    pairs = []
    # A dict up to 3.11; from 3.12 on a dict of weak references, whose values are lists.
    for thread in list(getattr(blocking_on, 'data', blocking_on)):
        locks = blocking_on.get(thread)
        for lock in list(locks) if isinstance(locks, list) else [locks]:
            owner = getattr(lock, 'owner', None)
            if owner is not None and owner != thread:
                pairs.append((thread, owner))
    return pairs


def is_initialising(module):
    """Whether an import of the module is under way."""
    return bool(getattr(getattr(module, '__spec__', None), '_initializing', False))


def is_left_behind(module):
    """The same, for whoever has the module's lock: the thread whose import it was has not come along in a fork."""
    return is_initialising(module)


def being_imported_here(found):
    """importlib's own locks are looked at where it is waited; see blocked()."""
    return None


class initialising(object):
    """Marks a module as one that is being imported: a plain import that finds it in sys.modules waits on its lock."""

    def __init__(self, module):
        self.spec = getattr(module, '__spec__', None)

    def __enter__(self):
        self._mark(True)

    def __exit__(self, *error):
        self._mark(False)

    def _mark(self, flag):
        try:
            self.spec._initializing = flag
        except AttributeError:
            pass


def new_module(found, name):
    """A module object for the file, under that name, whose code has not been run."""
    spec = found.spec
    if name != spec.name:
        spec = importlib.util.spec_from_file_location(
            name, found.file, submodule_search_locations=spec.submodule_search_locations)
    return importlib.util.module_from_spec(spec)


def run(found, module):
    """Runs the code of the file in the module. Returns the version of what was run, None for what cannot change."""
    if found.is_source:
        # From source, always: bytecode of the same second and size is stale, and is not told from fresh one.
        source, version = read(found)
        code = found.spec.loader.source_to_code(source, found.file)
        exec(code, module.__dict__)
        return version
    version = core.version(found.key)
    loader = module.__spec__.loader
    if hasattr(loader, 'exec_module'):
        loader.exec_module(module)
    else:
        # zipimport before Python 3.10; it runs the code in the module that it finds in sys.modules.
        loader.load_module(module.__name__)
    return None if isinstance(loader, ExtensionFileLoader) else version


def read(found):
    """The text of the file, and the version that this text is."""
    for attempt in range(5):
        try:
            with open(found.key, 'rb') as file:
                before = core.version(file.fileno())
                source = file.read()
                after = core.version(file.fileno())
        except FileNotFoundError:
            error = not_found(found.name)
            error.args = ('No module named %r: its file %r has gone' % (found.name, found.file),)
            error.msg = error.args[0]
            error.path = found.file
            raise error from None
        # Written to while it was read: read again, so that the text is of one piece.
        if before == after:
            break
    return source, before


def has_changed_since_import(found, module, version):
    """Whether the file, in this version, is another than the one a plain import has run.

    A module does not say. Its bytecode does, if the import has written it or found it to be right: it names time and
    size of its source. Where this process could not write it, it may have been stale all along, and says nothing.
    """
    cached = getattr(module, '__cached__', None)
    if version is None or not cached or not found.is_source:
        return False
    if sys.dont_write_bytecode or not os.access(os.path.dirname(cached), os.W_OK):
        return False
    try:
        with open(cached, 'rb') as file:
            header = file.read(16)
    except OSError:
        return False
    if len(header) < 16 or header[4:8] != b'\0\0\0\0':
        return False
    time, size = (int.from_bytes(header[at:at + 4], 'little') for at in (8, 12))
    return time != version[0] & 0xffffffff or size != version[2] & 0xffffffff


def watch_forks():
    """In a forked child no other thread lives on, and nobody would ever release its import locks."""
    os.register_at_fork(after_in_child=_forget_other_threads)


def _forget_other_threads():
    me = _bootstrap._thread.get_ident()
    for name, reference in list(_bootstrap._module_locks.items()):
        lock = reference()
        if getattr(lock, 'owner', None) not in (None, me):
            _bootstrap._module_locks.pop(name, None)
