# Written by write_python24.py out of modpython_core/running2.py, whose comments say why: do not edit.
from modpython_core.python24 import any, partition
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
_ENCODING = re.compile('^[ \\t\\v]*#.*?coding[:=][ \\t]*[-\\w.]+')
OLD = (0,) * 7

def new_module(found, name):
    module = types.ModuleType(native(name))
    module.__file__ = found.file
    if found.is_package:
        module.__path__ = [os.path.dirname(found.file)]
    return module

def complete(found, module, name):
    for attribute, value in (('__name__', name), ('__file__', found.file)):
        module.__dict__.setdefault(attribute, value)

def run(found, module, again):
    if found.kind == imp.C_EXTENSION:
        _load_dynamic(found, module)
        return
    if not found.is_source:
        data, version = read(found.file)
        if data[:4] != imp.get_magic():
            raise ImportError('Bad magic number in %s' % found.file)
        yield ('execute', marshal.loads(data[8:]), module.__dict__)
        core.answer()
        yield (None, version)
        core.answer()
        return
    version = core.version(found.key)
    code = (again and [None] or [_from_bytecode(found.file, version)])[0]
    if code is None:
        source, version = read(found.file)
        _check_encoding(source, found.file)
        yield (compile, _as_text(source), found.file, 'exec', 0, True)
        code = core.answer()
        if not again:
            _write_bytecode(found.file, code, version)
    yield ('execute', code, module.__dict__)
    core.answer()
    yield (None, version)
    core.answer()

def _as_text(source):
    return (sys.version_info >= (2, 7) and [source] or ['\n'.join(source.splitlines()) + '\n'])[0]

def _load_dynamic(found, module):
    name, last = (module.__name__, partition(os.path.basename(found.file), '.')[0])
    if '.' in name or name == found.name:
        imp.load_dynamic(name, found.file)
        return
    before = sys.modules.pop(last, None)
    try:
        made = imp.load_dynamic(last, found.file)
    finally:
        sys.modules.pop(last, None)
        if before is not None:
            sys.modules[last] = before
    sys.modules[name] = made
_BYTECODE = (__debug__ and ['c'] or ['o'])[0]
_MODE = int('666', 8)

def _writes_bytecode():
    return not getattr(sys, 'dont_write_bytecode', False)

def _from_bytecode(file, version):
    try:
        if version is None or os.stat(file + _BYTECODE).st_mtime < version[0] + 1:
            return None
        opened = open(file + _BYTECODE, 'rb')
        try:
            data = opened.read()
        finally:
            opened.close()
    except (IOError, OSError):
        return None
    if data[:4] != imp.get_magic() or data[4:8] != _stamp(version):
        return None
    code = marshal.loads(data[8:])
    return (code.co_filename == file and [code] or [None])[0]

def _write_bytecode(file, code, version):
    if not _writes_bytecode() or version is None:
        return
    part = '%s%s.%d.%d' % (file, _BYTECODE, os.getpid(), thread.get_ident())
    try:
        opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, os.stat(file).st_mode & _MODE)
        out = os.fdopen(opened, 'wb')
        try:
            out.write(imp.get_magic() + _stamp(version) + marshal.dumps(code))
        finally:
            out.close()
        os.rename(part, file + _BYTECODE)
    except (IOError, OSError, ValueError):
        try:
            os.unlink(part)
        except OSError:
            pass

def _stamp(version):
    return struct.pack('<I', version[0] & 4294967295)

def unreadable(found):
    try:
        open(found.key, 'rb').close()
    except IOError:
        return sys.exc_info()[1]
    return None

def watched(found):
    return (found.kind == imp.C_EXTENSION and [None] or [core.version(found.key)])[0]

def note_imports():
    if core not in sys.meta_path:
        sys.meta_path.append(core)

def _check_encoding(source, file):
    if source.startswith('\xef\xbb\xbf') or any(map(_ENCODING.search, source.splitlines()[:2])):
        return
    try:
        source.decode('ascii')
    except UnicodeDecodeError:
        at = sys.exc_info()[1].start
        line = source.count('\n', 0, at) + 1
        raise SyntaxError("Non-ASCII character '\\x%02x' in file %s on line %d, but no encoding declared; see http://python.org/dev/peps/pep-0263/ for details" % (ord(source[at]), file, line), (file, line, 0, None))

def read(file):
    for attempt in range(5):
        try:
            opened = open(file, 'rb')
            try:
                before = core.version(opened.fileno())
                source = opened.read()
                after = core.version(opened.fileno())
            finally:
                opened.close()
        except IOError:
            if sys.exc_info()[1].errno == errno.ENOENT:
                raise ImportError('No module: its file %r has gone' % (file,))
            raise
        if before == after:
            break
    return (source, before)

def version_at_import(found, module):
    version = core.version(found.key)
    noted = core.imported(found.file)
    if noted is not None:
        return noted
    if version is None or not found.is_source:
        return None
    if not _writes_bytecode() or not os.access(os.path.dirname(found.file) or '.', os.W_OK):
        return version
    try:
        file = open(found.file + _BYTECODE, 'rb')
        try:
            header = file.read(8)
        finally:
            file.close()
    except IOError:
        return version
    if len(header) < 8 or header[:4] != imp.get_magic():
        return version
    return (header[4:] == _stamp(version) and [version] or [OLD])[0]
