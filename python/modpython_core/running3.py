"""Making the module of a file, running it, and telling whether the file has changed since, for Python 3: by the file's
spec and its loader, as importlib does."""

import copy
import importlib.util
import os
import sys
import threading
from importlib.machinery import ExtensionFileLoader, SourceFileLoader, SourcelessFileLoader
# As it is now: a site may put another into builtins for a while, which is no business of an import's.
from io import open
from zipimport import zipimporter

from modpython_core import attributes

core = None

# A version that no file has.
OLD = (0,) * 7

# file -> version, of the sources that an import statement has run since we were put in place.
_imported = {}


# The loaders of Python code and of bytecode.
_READERS = (SourceFileLoader, SourcelessFileLoader)


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
    """The spec under another name. The loader stays the same object: hooks wrap loaders in ways that no copy survives."""
    if name == spec.name:
        return spec
    made = copy.copy(spec)
    made.name = name
    if spec.submodule_search_locations is not None:
        made.submodule_search_locations = list(spec.submodule_search_locations)
        if not spec.has_location:
            made.loader = None
    if not isinstance(spec.loader, (ExtensionFileLoader, zipimporter)):
        for loader in _chain(spec.loader):
            _rename(loader, spec.name, name)
    return made


def _rename(loader, old, new):
    """Loaders of importlib refuse to run a module that has another name than theirs, and others may."""
    named = ['name'] + [key for key, value in list(getattr(loader, '__dict__', {}).items()) if value == old]
    try:
        if issubclass(type(loader), _READERS):
            loader.__dict__['name'] = new
        for key in named:
            if getattr(loader, key, None) == old:
                setattr(loader, key, new)
    except Exception:
        pass  # One that does not let itself be written to: then it has to run the module as it is.


def _chain(loader):
    """The loader, what a hook has wrapped in it, what is wrapped in that, and so on."""
    chain = []
    while loader is not None and len(chain) < 10:
        chain.append(loader)
        loader = None if issubclass(type(loader), _READERS) else _wrapped(loader)
    return chain


def _wrapped(loader):
    slots = [name for kind in type(loader).__mro__ for name in _as_list(kind.__dict__.get('__slots__', ()))]
    try:
        inside = [getattr(loader, name, None) for name in ['__wrapped__'] + slots]
        inside.extend(list(getattr(loader, '__dict__', {}).values()))
        for one in inside:
            if one is not loader and not isinstance(one, type) and hasattr(one, 'exec_module'):
                return one
    except Exception:
        pass  # An object that minds being looked at.
    return None


def _as_list(slots):
    return [slots] if isinstance(slots, str) else list(slots)


class _Observer(object):
    """Notes which version of a source is read, and on request has no bytecode found. It is by thread and file, and not in the
    loader: a note that an exception between two bytecodes leaves behind does no harm."""

    def __init__(self, file, is_from_source, is_again):
        self.file = file
        self.version = None
        self.is_again = is_again
        self.bytecode = None
        if is_from_source or is_again:
            try:
                self.bytecode = importlib.util.cache_from_source(file)
            except NotImplementedError:
                pass  # There is none.

    def __enter__(self):
        try:
            self.others = _observed.files
        except AttributeError:
            self.others = {}
        _observed.files = dict(self.others)
        _observed.files.update({self.file: self, self.bytecode: self})
        return self

    def __exit__(self, *error):
        _observed.files = self.others

    def stats(self, path):
        # Without them bytecode is neither looked for nor written: those who wait for a reload are to wait no longer
        # than they must.
        if self.is_again and path == self.file:
            raise FileNotFoundError(path)
        self.version = core.version(os.fsencode(path))

    def data(self, path):
        if path == self.bytecode:
            raise FileNotFoundError(path)
        source, self.version = read(path)
        return source


# By thread: its observers, by the files that they are for.
_observed = threading.local()


def run(found, module, again):
    """Runs the code of the file in the module. Gives the version of what was run, None for what cannot change."""
    if found.spec.loader is None or not found.spec.has_location:
        return  # A namespace package.
    loader = _renamed(found.spec, module.__name__).loader
    if isinstance(loader, ExtensionFileLoader):
        yield loader.exec_module, module
        yield None, None
        return
    version = core.version(found.key)
    if issubclass(type(loader), zipimporter):
        # It finds the code by the module's name, and before Python 3.10 has no exec_module.
        yield exec, loader.get_code(found.spec.name), module.__dict__
        yield None, version
        return
    with _Observer(found.file, _is_doubtful(found.spec, version), again) as observer:
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


def note_imports():
    """From now on what is run is known by its version."""
    path_stats, get_data = SourceFileLoader.path_stats, SourceFileLoader.get_data
    if getattr(path_stats, 'notes_imports', False):
        return

    def noted_stats(self, path):
        observer = getattr(_observed, 'files', {}).get(path)
        if observer is not None:
            observer.stats(path)
        elif not path.startswith(_unwatched):
            _imported[path] = core.version(os.fsencode(path))
        return path_stats(self, path)

    def noted_data(self, path):
        observer = getattr(_observed, 'files', {}).get(path)
        # A module that reads its own source reads what is there by then, and not what runs.
        if observer is None or path == observer.file and sys._getframe(1).f_code.co_name != 'get_code':
            return get_data(self, path)
        return observer.data(path)

    noted_stats.notes_imports = True
    SourceFileLoader.path_stats, SourceFileLoader.get_data = noted_stats, noted_data


# Python's own library: nobody edits it under a running server.
_unwatched = os.path.dirname(os.__file__) + '/'


def version_at_import(found, module):
    """The version of the file that an import statement has run; None if it is not known.

    A module imported before we were there does not tell. Its bytecode does, if the import has written it or found it to
    be right: it names time and size of its source. Where this process could not write it, it may have been stale all
    along, and says nothing.
    """
    if not found.is_source:
        return None
    version = core.version(found.key)
    cached = attributes.of(module, '__cached__')
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
