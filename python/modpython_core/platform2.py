"""What differs between Python 2 and 3, for Python 2: finding a file, making a module, running it.

Python 2 has one lock for all imports, and says of no module whether its code is still running. A plain import by a
thread that holds that lock and waits for us gives it up after a while (see the extension module), so that another
thread's import statement may then find a module that is half-made, as it does where imports form a cycle.
"""

import errno
import imp
import marshal
import os
import sys
import types

core = None

_SOURCES = (imp.PY_SOURCE, imp.PKG_DIRECTORY)


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


class module_lock(object):
    """Waits for the end of a plain import of a module that is in sys.modules already, as far as Python 2 lets one see
    it: the import lock is held while one runs. It is not held during our loads, which run side by side.

    Gives True if no import of the module is under way: by this thread, or by one that has given the lock up.
    """

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        module = sys.modules.get(self.name)
        if module is None:
            return True
        if is_initialising(module):
            imp.acquire_lock()
            imp.release_lock()
        return not is_initialising(module)

    def __exit__(self, *error):
        pass


def stand_deadlocks():
    """The import statement of Python 2 raises no such error."""


def blocked():
    """Who waits for whom in Python's import locks. Of the one there is it does not say."""
    return []


def is_initialising(module):
    """Whether some thread is running the module's code."""
    namespace = getattr(module, '__dict__', None)
    for frame in sys._current_frames().values():
        while frame is not None:
            if frame.f_globals is namespace and frame.f_code.co_name == '<module>':
                return True
            frame = frame.f_back
    return False


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
