"""What differs between Python 2 and 3, for Python 2: finding a file, making a module, running it.

Python 2 has one lock for all imports, and says of no module whether its code is still running. A plain import by a
thread that holds that lock and waits for us gives it up after a while (see the extension module), and our loads do not
hold it, so that they run side by side. An import statement of another thread may thus find a module that is half-made,
where it would else have waited; import_module never hands one out but where waiting would close a cycle.
"""

from __future__ import absolute_import

import codecs
import errno
import imp
import marshal
import os
import re
import sys
import thread
import time
import types

core = None

# Python 2 sets the codecs of an interpreter up when it first needs one: it makes an empty list of them, and then
# imports the package that fills it. A thread that needs one meanwhile gets "LookupError: no codec search functions
# registered". The first two loads of a new interpreter both need one, to look for a wrong letter in their files, and
# the second of them failed so. Here, before the first request, no other thread is in this interpreter yet.
codecs.lookup('ascii')

_ENCODING = re.compile(r'^[ \t\v]*#.*?coding[:=][ \t]*[-\w.]+')


class Found(object):
    """A file that holds the module of that name; `kind` is that of the module imp."""

    def __init__(self, name, file, kind):
        self.name = native(name)
        self.file = file
        self.kind = kind
        self.is_package = os.path.basename(file).split('.')[0] == '__init__'
        # The lock is that of the path, and not of the inode: a file that is replaced by a rename gets a new inode,
        # and two threads that saw the old one and the new one would load into one module at a time.
        self.key = file
        real = os.path.realpath(file)
        self.real_key = real if real != file else None

    @property
    def is_source(self):
        return self.kind == imp.PY_SOURCE


class WithoutFile(object):
    """A module that is built in or frozen."""


def native(text):
    """A name or path as bytes, which is what Python 2 looks modules up by."""
    if isinstance(text, unicode):
        return text.encode(sys.getfilesystemencoding() or 'ascii')
    return text


def file_of(module):
    """The file of a module, that of its source where there is one; None for a module that has none."""
    file = getattr(module, '__file__', None)
    if not isinstance(file, basestring):
        return None
    file = native(file)
    if file.endswith(('.pyc', '.pyo')) and os.path.exists(file[:-1]):
        return file[:-1]
    return file


def find(name, directories):
    """The file for a name (its last part) in these directories, in their order, or None."""
    directories = [native(entry) for entry in directories if isinstance(entry, basestring) and '\0' not in entry]
    found = _search(name, directories)
    return found if isinstance(found, Found) else None


def find_anywhere(name):
    """The file for a top-level name where `import` would find it; something without a file; or None."""
    return _search(name, None)


def _search(name, directories):
    last = native(name).rpartition('.')[2]
    if '\0' in last:
        return None
    try:
        handle, path, description = imp.find_module(last, directories)
    except ImportError:
        return None
    if handle:
        handle.close()
    kind = description[2]
    if kind == imp.PKG_DIRECTORY:
        return _search_package(name, path)
    if kind in (imp.PY_SOURCE, imp.PY_COMPILED, imp.C_EXTENSION):
        return Found(name, path, kind)
    return WithoutFile()


def _search_package(name, directory):
    try:
        handle, path, description = imp.find_module('__init__', [directory])
    except ImportError:
        return None
    handle.close()
    return Found(name, path, description[2])


def found_for(module, name):
    """The file of a module that is there already; None if it is none that could be loaded again."""
    file = file_of(module)
    for suffix, mode, kind in imp.get_suffixes():
        if file and file.endswith(suffix):
            return Found(name, file, kind)
    return None


def import_plainly(name):
    """A module without a file of its own: there is nothing to watch."""
    __import__(native(name))
    return sys.modules[native(name)]


def not_found(name):
    """The exception for a module that is nowhere."""
    return ImportError('No module named %s' % (name,))


# thread -> (thread whose plain import it waits for, the module of that import).
_waiting = {}


class module_lock(object):
    """Waits for the end of a plain import of a module that is in sys.modules already. Python 2 tells nobody when that
    is, so that it is looked for again and again; and the import lock, which that import may need, is given up.

    Gives True if no import of the module is under way any more, and False if the thread that runs it waits for this
    one. Nothing keeps an import from beginning after that.
    """

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        module, me, held = sys.modules.get(self.name), thread.get_ident(), 0
        try:
            while True:
                runner = _runner_of(module) if module is not None else None
                if runner is None:
                    return True
                _waiting[me] = runner, module
                if _waits_for(runner, me):
                    return False
                held += _give_up_import_lock()
                time.sleep(0.002)
        finally:
            _waiting.pop(me, None)
            for _ in range(held):
                imp.acquire_lock()

    def __exit__(self, *error):
        pass


def _waits_for(waiter, thread):
    """Whether the one waits for a plain import of the other, or for one of a thread that does. Two plain imports that
    ask import_module for each other's module would else wait for ever: who waits for a lock of ours looks for such
    cycles itself, but here nobody does."""
    seen = set()
    while waiter != thread and waiter not in seen:
        seen.add(waiter)
        waiter, module = _waiting.get(waiter, (None, None))
        if waiter not in _runners(module):
            return False
    return waiter == thread


def _give_up_import_lock():
    """Gives the import lock up as often as this thread holds it, and says how often that was."""
    held = 0
    try:
        while imp.lock_held():
            imp.release_lock()
            held += 1
    except RuntimeError:
        pass  # Another thread holds it.
    return held


def stand_deadlocks():
    """The import statement of Python 2 raises no such error."""


def blocked():
    """Who waits for whom in imports, as far as it is known: a list of (thread, thread).

    Asked again whether the import is still under way: its thread may have finished it, and wait for something else by
    now, before the one that waits for it looks the next time. It would be told of a cycle that there is not.
    """
    return [(waiter, runner) for waiter, (runner, module) in list(_waiting.items()) if runner in _runners(module)]


def is_initialising(module):
    """Whether some thread is running the module's code."""
    return _runner_of(module) is not None


def is_left_behind(module):
    """Whether the thread that was running the module's code is one that the fork of this process has not brought along.
    It says nothing of a thread that is running it now: a plain import can begin at any moment, whatever we hold."""
    runners = _runners(module)
    return bool(runners) and _gone.issuperset(runners)


# The process, and the threads that its fork has not brought along: Python 2 goes on showing their frames.
_process = [os.getpid()]
_gone = set()


def _runner_of(module):
    """The thread that is running the module's code."""
    for runner in _runners(module):
        if runner not in _gone:
            return runner
    return None


def _runners(module):
    """The threads that are running the module's code, with those that are gone."""
    if _process[0] != os.getpid():
        _process[0] = os.getpid()
        _gone.update(set(sys._current_frames()) - set([thread.get_ident()]))
    return core.runners(getattr(module, '__dict__', None))


def being_imported_here(found):
    """The module of the file, if this thread is running its code just now. Others may wait for the end of that, and so
    for the import lock that this thread holds: it must not wait for them."""
    module = sys.modules.get(found.name)
    if module is not None and file_of(module) == found.file and thread.get_ident() in _runners(module):
        return module
    return None


class initialising(object):
    """Marks a module as one that is being imported; Python 2 has no such mark."""

    def __init__(self, module):
        pass

    def __enter__(self):
        pass

    def __exit__(self, *error):
        pass


def new_module(found, name):
    """A module object for the file, under that name, whose code has not been run."""
    module = types.ModuleType(native(name))
    module.__file__ = found.file
    if found.is_package:
        module.__path__ = [os.path.dirname(found.file)]
    return module


def run(found, module):
    """Runs the code of the file in the module. Returns the version of what was run, None for what cannot change."""
    if found.is_source:
        # From source, always: bytecode of the same second is stale, and is not told from fresh one.
        source, version = read(found)
        _check_encoding(source, found.file)
        exec(compile(source, found.file, 'exec', 0, True), module.__dict__)
        return version
    if found.kind == imp.C_EXTENSION:
        # It makes a module of its own and puts it into sys.modules.
        imp.load_dynamic(module.__name__, found.file)
        return None
    data, version = read(found)
    if data[:4] != imp.get_magic():
        raise ImportError('Bad magic number in %s' % found.file)
    exec(marshal.loads(data[8:]), module.__dict__)
    return version


def _check_encoding(source, file):
    """The parser refuses bytes of no declared encoding in a file; compile() takes them in a string."""
    if source.startswith('\xef\xbb\xbf') or any(map(_ENCODING.search, source.splitlines()[:2])):
        return
    try:
        source.decode('ascii')
    except UnicodeDecodeError:
        at = sys.exc_info()[1].start
        line = source.count('\n', 0, at) + 1
        raise SyntaxError("Non-ASCII character '\\x%02x' in file %s on line %d, but no encoding declared; see "
                          "http://python.org/dev/peps/pep-0263/ for details" % (ord(source[at]), file, line),
                          (file, line, 0, None))


def read(found):
    """What is in the file, and the version that this is."""
    for attempt in range(5):
        try:
            with open(found.key, 'rb') as file:
                before = core.version(file.fileno())
                source = file.read()
                after = core.version(file.fileno())
        except IOError:
            if sys.exc_info()[1].errno == errno.ENOENT:
                raise ImportError('No module named %s: its file %r has gone' % (found.name, found.file))
            raise
        # Written to while it was read: read again, so that the text is of one piece.
        if before == after:
            break
    return source, before


def has_changed_since_import(found, module, version):
    """Whether the file, in this version, is another than the one a plain import has run.

    A module does not say. Its bytecode does, if the import has written it or found it to be right: it names the time of
    its source. Where this process could not write it, it may have been stale all along, and says nothing.
    """
    if version is None or not found.is_source:
        return False
    if sys.dont_write_bytecode or not os.access(os.path.dirname(found.file) or '.', os.W_OK):
        return False
    try:
        with open(found.file + ('c' if __debug__ else 'o'), 'rb') as file:
            header = file.read(8)
    except IOError:
        return False
    if len(header) < 8 or header[:4] != imp.get_magic():
        return False
    time = sum(ord(byte) << 8 * at for at, byte in enumerate(header[4:]))
    return time != version[0] & 0xffffffff


def watch_forks():
    """Python 2 itself makes its import lock anew in the child of a fork."""
