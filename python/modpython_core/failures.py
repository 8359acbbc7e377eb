"""What a failed load leaves to those who waited for it.

Everyone gets an exception of its own: one object raised by 32 threads would collect the tracebacks of all 32.
"""

from __future__ import absolute_import

class Failure(object):
    """A load that has failed: which module and file, and with what."""

    def __init__(self, name, file, error):
        self.name = name
        self.file = file
        self.error = error

    def line(self):
        """One line for the error log."""
        return "mod_python: import of module '%s' (%s) failed: %s" % (self.name, self.file, describe(self.error))

    def another(self):
        """An exception like the one that the load ended with, to be raised by one who waited."""
        try:
            return copy(self.error)
        except Exception:
            # A class whose constructor wants something else than its args, or runs into an error of its own.
            return named_import_error(
                "import of module '%s' (%s) failed: %s" % (self.name, self.file, describe(self.error)),
                self.name, self.file)


def copy(error):
    """An exception of the same class, arguments and attributes. Raises if its class does not lend itself to that."""
    reduced = error.__reduce__()
    made = reduced[0](*reduced[1])
    if type(made) is not type(error) or made is error:
        raise TypeError('not a copy')
    if len(reduced) > 2 and reduced[2]:
        made.__setstate__(reduced[2])
    return made


def describe(error):
    """Type and text of an exception, in one line, whatever its __str__ does."""
    try:
        text = str(error)
    except Exception:
        text = '(its text cannot be had)'
    return ' '.join(('%s: %s' % (type(error).__name__, text)).split('\n')).rstrip(': ')


def named_import_error(text, name, file=None):
    """An ImportError; on Python 3 with the attributes that say what it is about."""
    error = ImportError(text)
    error.name = name
    error.path = file
    return error
