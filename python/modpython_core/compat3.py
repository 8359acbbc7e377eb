"""The differences between Python 2 and 3, for Python 3: names, paths, and importlib's locks."""

import _functools
import _imp
import importlib
import opcode
import os
import sys
import types
from importlib.machinery import ModuleSpec, SourceFileLoader

from modpython_core import attributes

# importlib's locks have no public face. check() says whether they are what this module takes them for.
_bootstrap = importlib._bootstrap

core = None


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
    if _bootstrap._gcd_import('sys', None, 0) is not sys:
        raise RuntimeError('what importlib imports by is not what it was')
    if not callable(_bootstrap._load_unlocked):
        raise RuntimeError('what importlib loads by is not what it was')
    for method in ('path_stats', 'get_data', 'get_code', 'source_to_code', 'exec_module'):
        getattr(SourceFileLoader, method)


def _with_spec(spec):
    module = types.ModuleType(spec.name)
    module.__spec__ = spec
    return module


def native(text):
    """A name as Python looks modules up by."""
    return text


path_bytes = os.fsencode


def letters_of_path(path):
    """A letter for each byte."""
    return os.fsencode(path).decode('latin-1')


def path_of_letters(letters):
    """The path with those bytes."""
    return os.fsdecode(letters.encode('latin-1'))


def path_entry(entry):
    """An entry of `path=`: bytes, and objects of pathlib and the like, are text to the finders."""
    return os.fsdecode(entry) if isinstance(entry, (bytes, os.PathLike)) else entry


def file_of(module):
    """The file of a module, or None for one that has none."""
    file = attributes.of(module, '__file__')
    return file if isinstance(file, str) else None


def is_plain(module):
    """Whether it is a module as import makes it, in which code can be run again."""
    return issubclass(type(module), types.ModuleType)


def import_plainly(name):
    """A module without a file of its own (built-in, frozen, namespace): there is nothing to watch."""
    return importlib.import_module(name)


def import_without_file(name, spec):
    """The same, of a spec that a finder has given just now."""
    def load(_):
        return sys.modules[name] if name in sys.modules else _bootstrap._load_unlocked(spec)
    return under_import_lock(name, load)


def audit_import(name):
    """The event of an import statement that finds nothing in sys.modules (PEP 578)."""
    sys.audit('import', name, None, sys.path, sys.meta_path, sys.path_hooks)


def by_name():
    """The owner and name of the function that importlib's functions import by. Those stay as they are: sites pickle and
    inspect them."""
    return _bootstrap, '_gcd_import'


def not_found(name):
    """The exception for a module that is nowhere."""
    return ModuleNotFoundError('No module named %r' % (name,), name=name)


def no_part(name, of):
    """The exception for a part of a module that is no package."""
    return ModuleNotFoundError('No module named %r; %r is not a package' % (name, of), name=name)


def say_bare_name(failed, name, private):
    """An import of `name` was made one of `private`, and has failed; or gave a module that does not have all that a
    statement asks it for, and what fails is the statement: its error, if so. Either says the name that was asked for."""
    bare, private_top = name.partition('.')[0], private.partition('.')[0]
    if isinstance(failed, ImportError):
        _rename_error(failed, private_top, bare)
    elif opcode.opname[_running(sys._getframe(1))] == 'IMPORT_NAME':
        for part in failed:
            if part != '*':
                try:
                    exec('from %s import %s' % (private, part), {'__builtins__': {'__import__': importlib.__import__}})
                except ImportError as error:
                    _rename_error(error, private_top, bare)
                    return error.with_traceback(None)


def _running(frame):
    return frame.f_code.co_code[frame.f_lasti]


def _rename_error(error, private, bare):
    name = error.name
    if isinstance(name, str) and (name + '.').startswith(private + '.'):
        error.name = bare + name[len(private):]
        # The text that str() gives is not that of the arguments.
        error.msg = _renamed(error.msg, private, bare)
        error.args = tuple([_renamed(argument, private, bare) for argument in error.args])


def _renamed(text, private, bare):
    return text.replace(private, bare) if isinstance(text, str) else text


def under_import_lock(name, function):
    """Calls function(from_outside) under importlib's own lock of that module: see src/import_module/import_lock.rs."""
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


def tolerate_deadlocks():
    """Lets import statements take what is half-made instead of failing, in this interpreter; the load that they are in
    waits for it at its end."""
    _bootstrap._ModuleLockManager = _StandingDeadlocks
    _bootstrap._DeadlockError = _DeadlockError


def guard_extension_modules():
    """Interpreters wait for the first making of an extension module: see src/import_module/extensions.rs.

    Calls of C's, so that no frame of ours is in the traceback of an import that fails.
    """
    for name, attribute in (('create_builtin', 'name'), ('create_dynamic', 'origin')):
        create = getattr(_imp, name, None)
        if create is not None:
            guarded = _functools.partial(core.create_extension, create, attribute)
            # It looks like the function, for whoever inspects it.
            for part in ('__name__', '__qualname__', '__module__', '__doc__', '__self__', '__text_signature__'):
                setattr(guarded, part, getattr(create, part))
            guarded.__wrapped__ = create
            setattr(_imp, name, guarded)


def import_lock_edges():
    """Pairs (thread, owner): the thread waits for one of importlib's locks, which the owner holds.

    Threads run on while the list is made, so it is made twice; the pairs in both were true at one moment in between.
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
        return bool(getattr(attributes.of(module, '__spec__'), '_initializing', False))
    except Exception:
        return False


def is_left_behind(module):
    """The same, for the thread that has the module's lock: a fork has not copied the importing thread."""
    return is_initialising(module)


def module_this_thread_is_importing(found):
    """importlib's own locks are looked at where it is waited; see import_lock_edges()."""
    return None


def find_private_names(finder):
    """Puts it before all others: no other finder may find a module by a private name."""
    sys.meta_path.insert(0, finder)


def is_relative(top, importer):
    """An import statement of Python 3 says itself whether it is relative."""
    return False


def watch_forks():
    """In a forked child no other thread lives on, and nobody would ever release its import locks."""
    os.register_at_fork(after_in_child=_forget_other_threads)


def _forget_other_threads():
    me = _bootstrap._thread.get_ident()
    for name, reference in list(_bootstrap._module_locks.items()):
        lock = reference()
        if getattr(lock, 'owner', None) not in (None, me):
            _bootstrap._module_locks.pop(name, None)
