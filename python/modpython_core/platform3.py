"""What differs between Python 2 and 3, for Python 3: importlib's locks, making a module, running it."""

import importlib
import importlib.util
import os
import sys
import types
from importlib.machinery import ExtensionFileLoader, ModuleSpec, SourceFileLoader, SourcelessFileLoader
from zipimport import zipimporter

# importlib's locks have no public face. check() says whether they are what this module takes them for.
_bootstrap = importlib._bootstrap

core = None

# A version that no file has.
OLD = (0,) * 7

# file -> version, of the sources that an import statement has run since we were put in place.
_imported = {}


def check():
    """Raises if importlib, from within, is not as we know it from 3.9 to 3.14; import_module then stays the stock one."""
    try:
        _check()
    except Exception as error:
        raise RuntimeError('importlib is another from within: %s: %s' % (type(error).__name__, error)) from None


def _check():
    name = '_modpython_core_check'
    lock = _bootstrap._get_module_lock(name)
    lock.acquire()
    if lock.owner != _bootstrap._thread.get_ident():
        raise RuntimeError('the owner of a lock of importlib is not what it was')
    count = lock.count if isinstance(lock.count, int) else len(lock.count)
    lock.release()
    if count != 1 or _bootstrap._get_module_lock(name) is not lock:
        raise RuntimeError('the locks of importlib are not what they were')
    if not issubclass(_bootstrap._DeadlockError, RuntimeError) or not hasattr(_bootstrap._blocking_on, 'get'):
        raise RuntimeError('the deadlocks of importlib are not what they were')
    _bootstrap._lock_unlock_module(name)
    with _StandingDeadlocks(name) as nothing:
        if nothing is not None or lock.owner is None:
            raise RuntimeError('the lock manager of importlib is not what it was')
    spec = ModuleSpec(name, None)
    spec._initializing = True
    if not is_initialising(_with_spec(spec)):
        raise RuntimeError('the mark of a module that is being imported is not what it was')
    spec.has_location = True
    if not spec.has_location or not isinstance(_bootstrap._module_locks, dict):
        raise RuntimeError('the specs or locks of importlib are not what they were')
    for method in ('path_stats', 'get_data', 'get_code', 'source_to_code', 'exec_module'):
        getattr(SourceFileLoader, method)


def _with_spec(spec):
    module = types.ModuleType(spec.name)
    module.__spec__ = spec
    return module


def native(text):
    """A name as Python looks modules up by."""
    return text


path_bytes, path_text = os.fsencode, os.fsdecode


def path_entry(entry):
    """An entry of `path=`: bytes, and objects of pathlib and the like, are text to the finders."""
    return os.fsdecode(entry) if isinstance(entry, (bytes, os.PathLike)) else entry


def file_of(module):
    """The file of a module, or None for one that has none."""
    try:
        file = getattr(module, '__file__', None)
    except Exception:
        return None  # What others put into sys.modules may import at a look, and fail.
    return file if isinstance(file, str) else None


def is_plain(module):
    """Whether it is a module as import makes it, in which code can be run again."""
    return issubclass(type(module), types.ModuleType)


def import_plainly(name):
    """A module without a file of its own (built-in, frozen, namespace): there is nothing to watch."""
    return importlib.import_module(name)


def not_found(name):
    """The exception for a module that is nowhere."""
    return ModuleNotFoundError('No module named %r' % (name,), name=name)


def under_import_lock(name, function):
    """What function(from_outside) gives under importlib's own lock of that module; see src/import_module/import_lock.rs."""
    yield 'importing', _bootstrap._get_module_lock, name, function


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


class _DeadlockError(_bootstrap._DeadlockError):
    """Raised where importlib sees a deadlock coming, by the lock of the module that it then gives out half-made. Its own
    has this name, by which the extension module knows it."""

    def __init__(self, *args):
        super(_DeadlockError, self).__init__(*args)
        lock = sys._getframe(1).f_locals.get('self')
        if isinstance(lock, _bootstrap._ModuleLock):
            core.half_made(_bootstrap._lock_unlock_module, lock.name)


def stand_deadlocks():
    """Lets import statements take what is half-made instead of failing, in this interpreter; the load that they are in
    waits for it at its end."""
    _bootstrap._ModuleLockManager = _StandingDeadlocks
    _bootstrap._DeadlockError = _DeadlockError


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
    try:
        return bool(getattr(getattr(module, '__spec__', None), '_initializing', False))
    except Exception:
        return False


def is_left_behind(module):
    """The same, for whoever has the module's lock: the thread whose import it was has not come along in a fork."""
    return is_initialising(module)


def being_imported_here(found):
    """importlib's own locks are looked at where it is waited; see blocked()."""
    return None


def new_module(found, name):
    """A module object for the file, under that name, whose code has not been run."""
    spec = found.spec
    if isinstance(spec.loader, ExtensionFileLoader) and name != spec.name:
        # Its initialising function has the name of the file. One of the old kind enters it under that name too.
        before = sys.modules.get(spec.name)
        module = importlib.util.module_from_spec(spec)
        if before is not module and sys.modules.get(spec.name) is module:
            if before is None:
                del sys.modules[spec.name]
            else:
                sys.modules[spec.name] = before
        return module
    return importlib.util.module_from_spec(_renamed(spec, name))


def complete(found, module, name):
    """Gives a module back what its code has deleted of what an import gives each."""
    spec = _renamed(found.spec, name)
    given = {'__name__': name, '__spec__': spec, '__loader__': spec.loader, '__package__': spec.parent,
             '__file__': found.file, '__cached__': spec.cached}
    for attribute, value in given.items():
        module.__dict__.setdefault(attribute, value)


def _renamed(spec, name):
    if name == spec.name:
        return spec
    parts = spec.submodule_search_locations
    loader = _Observer(spec.origin, name).of(spec.loader) if parts is None or spec.has_location else None
    made = ModuleSpec(name, loader, origin=spec.origin, loader_state=spec.loader_state, is_package=parts is not None)
    if parts is not None:
        made.submodule_search_locations = list(parts)
    made.has_location, made.cached = spec.has_location, spec.cached
    return made


class _Observer(object):
    """Copies a loader, or what a hook has wrapped around one, under another name of the module; on request one that notes
    which version of the source it reads, and that looks for no bytecode."""

    def __init__(self, file, name):
        self.file = file
        self.name = name
        self.version = None

    def of(self, loader, prepare=None):
        if isinstance(loader, (SourceFileLoader, SourcelessFileLoader, ExtensionFileLoader)):
            made = _copy(loader)
            made.name = self.name
            if prepare is not None and isinstance(loader, SourceFileLoader):
                prepare(made)
            return made
        for attribute, inner in list(getattr(loader, '__dict__', {}).items()):
            if isinstance(inner, (SourceFileLoader, SourcelessFileLoader)):
                made = _copy(loader)
                setattr(made, attribute, self.of(inner, prepare))
                return made
        return loader

    def from_source(self, loader):
        """Bytecode is not found, and so is compiled and written anew."""
        get_data = loader.get_data

        def sources_only(path):
            if path != self.file:
                raise FileNotFoundError(path)
            return get_data(path)

        self.noting(loader)
        get_data = loader.get_data
        loader.get_data = sources_only

    def again(self, loader):
        """The same, and none is written: the threads that wait are to wait no longer than they must."""
        self.from_source(loader)

        def no_stats(path):
            raise FileNotFoundError(path)

        loader.path_stats = no_stats

    def noting(self, loader):
        path_stats, get_data = loader.path_stats, loader.get_data

        def noted_stats(path):
            if path == self.file:
                self.version = core.version(os.fsencode(path))
            return path_stats(path)

        def noted_data(path):
            if path != self.file:
                return get_data(path)
            source, self.version = read(path)
            return source

        loader.path_stats = noted_stats
        if type(loader).get_data is SourceFileLoader.get_data:
            loader.get_data = noted_data


def _copy(loader):
    made = object.__new__(type(loader))
    made.__dict__.update(loader.__dict__)
    return made


def run(found, module, again):
    """Runs the code of the file in the module. Gives the version of what was run, None for what cannot change."""
    spec = found.spec
    if spec.loader is None or not spec.has_location:
        return  # A namespace package.
    if isinstance(spec.loader, ExtensionFileLoader):
        yield spec.loader.exec_module, module
        yield None, None
        return
    version = core.version(found.key)
    if isinstance(spec.loader, zipimporter):
        # It finds the code by the module's name, and before Python 3.10 has no exec_module.
        yield exec, spec.loader.get_code(spec.name), module.__dict__
        yield None, version
        return
    observer = _Observer(found.file, module.__name__)
    first = observer.from_source if _is_doubtful(spec, version) else observer.noting
    loader = observer.of(spec.loader, observer.again if again else first)
    yield loader.exec_module, module
    yield None, observer.version or version


def _is_doubtful(spec, version):
    """Bytecode names the second and the size of its source. Where it was written within that second, the source may
    have been written again in what was left of it."""
    if version is None or not spec.cached:
        return False
    try:
        if os.stat(spec.cached).st_mtime >= version[0] + 1:
            return False
        with open(spec.cached, 'rb') as bytecode:
            header = bytecode.read(8)
    except OSError:
        return False
    # Bytecode may also name a hash of its source, or say that the source is of no concern (PEP 552).
    return header[4:] == bytes(4)


def unreadable(found):
    """The error that reading the file runs into, if it does."""
    try:
        open(found.key, 'rb').close()
    except OSError as error:
        return error
    return None


def read(file):
    """The text of the file, and the version that this text is."""
    for attempt in range(5):
        try:
            with open(file, 'rb') as opened:
                before = core.version(opened.fileno())
                source = opened.read()
                after = core.version(opened.fileno())
        except FileNotFoundError:
            text = 'No module: its file %r has gone' % (file,)
            raise ModuleNotFoundError(text, path=file) from None
        # Written to while it was read: read again, so that the text is of one piece.
        if before == after:
            break
    return source, before


def watched(found):
    """The version of the file now; None for what is never loaded again."""
    return None if isinstance(found.spec.loader, ExtensionFileLoader) else core.version(found.key)


def find_private_names(finder):
    """Before all others: what is a private name's own is no other finder's to find."""
    sys.meta_path.insert(0, finder)


def is_relative(top, importer):
    """An import statement of Python 3 says itself whether it is relative."""
    return False


def note_imports():
    """From now on what an import statement runs is known by its version."""
    path_stats = SourceFileLoader.path_stats
    if getattr(path_stats, 'notes_imports', False):
        return

    def noted_stats(self, path):
        if not path.startswith(_unwatched):
            _imported[path] = core.version(os.fsencode(path))
        return path_stats(self, path)

    noted_stats.notes_imports = True
    SourceFileLoader.path_stats = noted_stats


# Python's own library: nobody edits it under a running server.
_unwatched = os.path.dirname(os.__file__) + '/'


def version_at_import(found, module):
    """The version of the file that an import statement has run; None if it is not known.

    What was imported before we were there does not say. Its bytecode does, if the import has written it or found it to
    be right: it names time and size of its source. Where this process could not write it, it may have been stale all
    along, and says nothing.
    """
    if not found.is_source:
        return None
    version = core.version(found.key)
    cached = getattr(module, '__cached__', None)
    if found.file in _imported:
        return _imported[found.file]
    if version is None or not isinstance(cached, str):
        return version
    if sys.dont_write_bytecode or not os.access(os.path.dirname(cached), os.W_OK):
        return version
    try:
        with open(cached, 'rb') as file:
            header = file.read(16)
    except OSError:
        return version
    if len(header) < 16 or header[4:8] != b'\0\0\0\0':
        return version
    time, size = (int.from_bytes(header[at:at + 4], 'little') for at in (8, 12))
    return version if time == version[0] & 0xffffffff and size == version[2] & 0xffffffff else OLD


def watch_forks():
    """In a forked child no other thread lives on, and nobody would ever release its import locks."""
    os.register_at_fork(after_in_child=_forget_other_threads)


def _forget_other_threads():
    me = _bootstrap._thread.get_ident()
    for name, reference in list(_bootstrap._module_locks.items()):
        lock = reference()
        if getattr(lock, 'owner', None) not in (None, me):
            _bootstrap._module_locks.pop(name, None)
