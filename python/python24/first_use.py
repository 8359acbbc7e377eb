# Written by write_python24.py out of modpython_core/first_use.py, whose comments say why: do not edit.
import sys
from modpython_core import compat, finding, remedies
_prepared = {}

def prepare():
    if not remedies.cures('first-use'):
        return
    if sys.version_info < (3, 12):
        _sysconfig()
    if sys.version_info[0] == 2:
        _strptime()
    compat.guard_extension_modules()

def _sysconfig():
    is_asked_for = sys.version_info[0] == 2 or 'sysconfig' in sys.modules
    try:
        import sysconfig
        if sysconfig._CONFIG_VARS is None:
            try:
                sysconfig.get_config_vars()
            except:
                sysconfig._CONFIG_VARS = None
                raise
    except (SystemExit, KeyboardInterrupt):
        raise
    except Exception:
        return
    if not is_asked_for:
        _prepared['sysconfig'] = sys.modules.pop('sysconfig')

def spec(name):
    module = _prepared.get(name)
    if module is None:
        return None
    from importlib.machinery import PathFinder
    found = PathFinder.find_spec(name)
    return ((found is not None and found.origin == module.__file__) and [finding.spec_of_existing(name, lambda: module)] or [None])[0]

def _strptime():
    try:
        __import__('_strptime')
    except (SystemExit, KeyboardInterrupt):
        raise
    except Exception:
        pass
