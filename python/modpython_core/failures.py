"""A failed load, as the threads that waited for it get it.

Everyone gets an exception of its own: one object raised by 32 threads would collect the tracebacks of all 32.
"""

from __future__ import absolute_import

import sys

from modpython_core.attributes import old_instance

# The attributes shown with an exception. Its class may refuse to have them written.
_names = ('__traceback__', '__cause__', '__context__', '__suppress_context__')
_SHOWN = [BaseException.__dict__[name] for name in _names if name in BaseException.__dict__]
_traceback = _SHOWN[0] if _SHOWN else None


class Failure(object):
    """A load that has failed: which module and file, and with what."""

    def __init__(self, name, found, error):
        self.name = name
        self.found = found
        self.error = error
        self.traceback = _traceback.__get__(error) if _SHOWN and isinstance(error, BaseException) else None

    def text(self):
        return "import of module '%s' (%s) failed: %s" % (self.name, self.found.file, printable(self.error))

    def line(self):
        """One line for the error log, with its code (src/server/messages.rs)."""
        return 'MPC0024: mod_python: ' + in_one_line(self.text())

    def another(self):
        """An exception like the one that the load ended with, to be raised by one who waited."""
        made = copy(self.error)
        if made is None and _SHOWN and isinstance(self.error, BaseException):
            # Of a class in C, perhaps, that makes its objects itself: it is the one that there is, as it was.
            made = self.error
            _traceback.__set__(made, self.traceback)
        elif made is None:
            made = named_import_error(self.text(), self.name, self.found.file)
        # A thread that waited sees where the load failed, and why, like the one that loaded. Python 2 has none of it.
        for shown in _SHOWN if made is not self.error else ():
            shown.__set__(made, shown.__get__(self.error))
        return made


def copy(error):
    """An exception of the same class, arguments and attributes, made without a call of anything that the class has
    defined itself: its constructor has run once. None if the class does not lend itself to that."""
    if type(error) is str:
        return error  # Up to Python 2.5 a string can be raised.
    kind = getattr(error, '__class__', None)
    if type(error) is old_instance:
        # A class of Python 2's old kind, as all of 2.4's exceptions are.
        return old_instance(kind, dict(error.__dict__))
    if kind is not type(error):
        return None  # It pretends to be of another class.
    builtin = [base for base in kind.__mro__ if base.__module__ in ('builtins', 'exceptions')][0]
    try:
        # BaseException and not `error` says what the arguments and attributes are.
        args = BaseException.args.__get__(error)
        arguments, state = args, dict(BaseException.__dict__['__dict__'].__get__(error))
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
                if type(slot) is _slot_kind and not issubclass(builtin, base):
                    _copy_slot(slot, error, made)
        return made
    except Exception:
        return None


class _Slotted(object):
    __slots__ = ('slot',)


_slot_kind = type(_Slotted.slot)


def _copy_slot(slot, error, made):
    try:
        slot.__set__(made, slot.__get__(error))
    except (AttributeError, TypeError):
        pass  # It is empty, or read-only.


def printable(error):
    """Type and text of an exception, whatever its __str__ does."""
    if type(error) is str:
        return error
    try:
        text = str(error)
    except BaseException:
        # Also SystemExit: a class that raises it here must not end the request of another.
        text = '(its text cannot be had)'
    return ('%s: %s' % (getattr(error, '__class__', type(error)).__name__, text)).rstrip(': ')


def in_one_line(text):
    """The text as Apache's log takes it: no line ends and no NUL, and nothing that cannot be encoded."""
    text = ' '.join(text.replace('\0', '\\0').split('\n'))
    if sys.version_info[0] > 2:
        text = text.encode('utf-8', 'backslashreplace').decode('utf-8')
    return text


def named_import_error(text, name, file=None):
    """An ImportError; on Python 3 with the attributes that say what it is about."""
    error = ImportError(text)
    error.name = name
    error.path = file
    return error
