# Written by write_python24.py out of modpython_core/failures.py, whose comments say why: do not edit.
from modpython_core.python24 import BaseException
import sys
from modpython_core.attributes import old_instance
_names = ('__traceback__', '__cause__', '__context__', '__suppress_context__')
_SHOWN = [BaseException.__dict__[name] for name in _names if name in BaseException.__dict__]
_traceback = (_SHOWN and [_SHOWN[0]] or [None])[0]

class Failure(object):

    def __init__(self, name, found, error):
        self.name = name
        self.found = found
        self.error = error
        self.traceback = ((_SHOWN and isinstance(error, BaseException)) and [_traceback.__get__(error)] or [None])[0]

    def text(self):
        return "import of module '%s' (%s) failed: %s" % (self.name, self.found.file, printable(self.error))

    def line(self):
        return 'MPC0024: mod_python: ' + in_one_line(self.text())

    def another(self):
        made = copy(self.error)
        if made is None and _SHOWN and isinstance(self.error, BaseException):
            made = self.error
            _traceback.__set__(made, self.traceback)
        elif made is None:
            made = named_import_error(self.text(), self.name, self.found.file)
        for shown in (made is not self.error and [_SHOWN] or [()])[0]:
            shown.__set__(made, shown.__get__(self.error))
        return made

def copy(error):
    if type(error) is str:
        return error
    kind = getattr(error, '__class__', None)
    if type(error) is old_instance:
        return old_instance(kind, dict(error.__dict__))
    if kind is not type(error):
        return None
    builtin = [base for base in kind.__mro__ if base.__module__ in ('builtins', 'exceptions')][0]
    try:
        args = BaseException.args.__get__(error)
        arguments, state = (args, dict(BaseException.__dict__['__dict__'].__get__(error)))
        if builtin is kind:
            reduced = error.__reduce__()
            arguments = reduced[1]
            if len(reduced) > 2:
                state = reduced[2] or {}
        made = builtin.__new__(kind, *arguments)
        builtin.__init__(made, *arguments)
        for name in ('name', 'path', 'filename', 'filename2', 'code', 'msg', 'lineno', 'offset', 'text'):
            here = getattr(builtin, name, None)
            if hasattr(here, '__set__') and here.__get__(error) is not None:
                here.__set__(made, here.__get__(error))
        BaseException.args.__set__(made, args)
        BaseException.__dict__['__dict__'].__get__(made).update(state)
        for base in kind.__mro__:
            for slot in list(base.__dict__.values()):
                if type(slot) is _slot_kind and (not issubclass(builtin, base)):
                    _copy_slot(slot, error, made)
        return made
    except (SystemExit, KeyboardInterrupt):
        raise
    except Exception:
        return None

class _Slotted(object):
    __slots__ = ('slot',)
_slot_kind = type(_Slotted.slot)

def _copy_slot(slot, error, made):
    try:
        slot.__set__(made, slot.__get__(error))
    except (AttributeError, TypeError):
        pass

def printable(error):
    if type(error) is str:
        return error
    try:
        text = str(error)
    except:
        text = '(its text cannot be had)'
    return ('%s: %s' % (getattr(error, '__class__', type(error)).__name__, text)).rstrip(': ')

def in_one_line(text):
    text = ' '.join(text.replace('\x00', '\\0').split('\n'))
    if sys.version_info[0] > 2:
        text = text.encode('utf-8', 'backslashreplace').decode('utf-8')
    return text

def named_import_error(text, name, file=None):
    error = ImportError(text)
    error.name = name
    error.path = file
    return error
