"""Making the module of a file, running it, and telling whether the file has changed since, for Python 2: as its own import
does, side by side."""

from __future__ import absolute_import, with_statement

import errno
import imp
import marshal
import os
import re
import struct
import sys
import thread
import types

from modpython_core.compat import native

core = None

_ENCODING = re.compile(r'^[ \t\v]*#.*?coding[:=][ \t]*[-\w.]+')


# A version that no file has.
OLD = (0,) * 7


def new_module(found, name):
    """A module object for the file, under that name, whose code has not been run."""
    module = types.ModuleType(native(name))
    module.__file__ = found.file
    if found.is_package:
        module.__path__ = [os.path.dirname(found.file)]
    return module


def complete(found, module, name):
    """Gives a module back what its code has deleted of what an import gives each."""
    for attribute, value in (('__name__', name), ('__file__', found.file)):
        module.__dict__.setdefault(attribute, value)


def run(found, module, again):
    """Runs the code of the file in the module. Gives the version of what was run, None for what cannot change."""
    if found.kind == imp.C_EXTENSION:
        _load_dynamic(found, module)
        return
    if not found.is_source:
        data, version = read(found.file)
        if data[:4] != imp.get_magic():
            raise ImportError('Bad magic number in %s' % found.file)
        yield 'execute', marshal.loads(data[8:]), module.__dict__
        yield None, version
        return
    version = core.version(found.key)
    # At a reload bytecode of the same second is stale, and is not told from fresh one.
    code = None if again else _from_bytecode(found.file, version)
    if code is None:
        source, version = read(found.file)
        _check_encoding(source, found.file)
        code = yield compile, _as_text(source), found.file, 'exec', 0, True
        if not again:
            _write_bytecode(found.file, code, version)
    yield 'execute', code, module.__dict__
    yield None, version


def _as_text(source):
    """Before 2.7 compile() takes no other ends of lines than Unix's, and wants one at the end."""
    return source if sys.version_info >= (2, 7) else '\n'.join(source.splitlines()) + '\n'


def _load_dynamic(found, module):
    """An extension module makes a module of its own and puts it into sys.modules, under the name that its initialising
    function has; that is the name of the file."""
    name, last = module.__name__, os.path.basename(found.file).partition('.')[0]
    if '.' in name or name == found.name:
        imp.load_dynamic(name, found.file)
        return
    # It would else be initialised in the module that has that name.
    before = sys.modules.pop(last, None)
    try:
        made = imp.load_dynamic(last, found.file)
    finally:
        sys.modules.pop(last, None)
        if before is not None:
            sys.modules[last] = before
    sys.modules[name] = made


_BYTECODE = 'c' if __debug__ else 'o'
# The bytecode may be read and written by those who may read and write the source.
_MODE = int('666', 8)


def _writes_bytecode():
    return not getattr(sys, 'dont_write_bytecode', False)


def _from_bytecode(file, version):
    """The code in the bytecode beside the file, as import would take it. Bytecode names the second of its source. Where
    it was written within that second, the source may have been written again in what was left of it."""
    try:
        if version is None or os.stat(file + _BYTECODE).st_mtime < version[0] + 1:
            return None
        with open(file + _BYTECODE, 'rb') as opened:
            data = opened.read()
    except (IOError, OSError):
        return None
    if data[:4] != imp.get_magic() or data[4:8] != _stamp(version):
        return None
    code = marshal.loads(data[8:])
    # Compiled elsewhere: tracebacks, and those who ask which threads run this file, go by the name.
    return code if code.co_filename == file else None


def _write_bytecode(file, code, version):
    if not _writes_bytecode() or version is None:
        return
    part = '%s%s.%d.%d' % (file, _BYTECODE, os.getpid(), thread.get_ident())
    try:
        opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, os.stat(file).st_mode & _MODE)
        with os.fdopen(opened, 'wb') as out:
            out.write(imp.get_magic() + _stamp(version) + marshal.dumps(code))
        os.rename(part, file + _BYTECODE)
    except (IOError, OSError, ValueError):
        try:
            os.unlink(part)
        except OSError:
            pass


def _stamp(version):
    return struct.pack('<I', version[0] & 0xffffffff)


def unreadable(found):
    """The error that reading the file runs into, if it does."""
    try:
        open(found.key, 'rb').close()
    except IOError:
        return sys.exc_info()[1]
    return None


def watched(found):
    """The version of the file now; None for what is never loaded again."""
    return None if found.kind == imp.C_EXTENSION else core.version(found.key)


def note_imports():
    """From now on what an import statement runs is known by its version."""
    if core not in sys.meta_path:
        sys.meta_path.append(core)


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


def read(file):
    """The text of the file, and the version that it is."""
    for attempt in range(5):
        try:
            with open(file, 'rb') as opened:
                before = core.version(opened.fileno())
                source = opened.read()
                after = core.version(opened.fileno())
        except IOError:
            if sys.exc_info()[1].errno == errno.ENOENT:
                raise ImportError('No module: its file %r has gone' % (file,))
            raise
        # Written to while it was read: read again, so that the text is of one piece.
        if before == after:
            break
    return source, before


def version_at_import(found, module):
    """The version of the file that an import statement has run; None if it is not known.

    A module imported before we were there does not tell. Its bytecode does, if the import has written it or found it to
    be right: it names the time of its source. Where this process could not write it, it may have been stale all along,
    and says nothing.
    """
    version = core.version(found.key)
    noted = core.imported(found.file)
    if noted is not None:
        return noted
    if version is None or not found.is_source:
        return None
    if not _writes_bytecode() or not os.access(os.path.dirname(found.file) or '.', os.W_OK):
        return version
    try:
        with open(found.file + _BYTECODE, 'rb') as file:
            header = file.read(8)
    except IOError:
        return version
    if len(header) < 8 or header[:4] != imp.get_magic():
        return version
    return version if header[4:] == _stamp(version) else OLD
