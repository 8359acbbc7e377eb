"""Sets up parts of the standard library that otherwise set themselves up at their first use, and without a lock.

The first requests of a server come together. A second thread finds what the first has only begun, and what it makes of
that may stay: with Python 3.11 zoneinfo, and Debian's pytz with it, knew no time zone for as long as the process lived,
because another thread had just asked sysconfig for something else.
"""

from __future__ import absolute_import

import sys

from modpython_core import compat, finding, remedies

# Those that nobody has asked for yet: a site may have a module of that name, which a plain import is to find.
_prepared = {}


def prepare():
    """Uses it now, when no request is in this interpreter yet."""
    if not remedies.cures('first-use'):
        return
    if sys.version_info < (3, 12):
        _sysconfig()
    if sys.version_info[0] == 2:
        _strptime()
    compat.guard_extension_modules()


def _sysconfig():
    """cpython issue 92452: get_config_vars() shows others its dictionary before it has filled it."""
    is_asked_for = sys.version_info[0] == 2 or 'sysconfig' in sys.modules
    try:
        import sysconfig
        if sysconfig._CONFIG_VARS is None:
            try:
                sysconfig.get_config_vars()
            except BaseException:
                # The next call would take the half-filled dictionary for the answer.
                sysconfig._CONFIG_VARS = None
                raise
    except Exception:
        return  # A Python without its build's data: the call that needs them says so.
    if not is_asked_for:
        _prepared['sysconfig'] = sys.modules.pop('sysconfig')


def spec(name):
    """By which an import that leads to it gets what has been prepared; None for all else."""
    module = _prepared.get(name)
    if module is None:
        return None
    from importlib.machinery import PathFinder
    found = PathFinder.find_spec(name)
    return finding.spec_of_existing(name, lambda: module) if found is not None and found.origin == module.__file__ else None


def _strptime():
    """cpython issue 7980: strptime() fails in a thread while another one imports this module for it."""
    try:
        __import__('_strptime')
    except Exception:
        pass  # A strptime() will say why.
