# Written by write_python24.py out of modpython_core/compat2.py, whose comments say why: do not edit.
from modpython_core.python24 import rpartition
import codecs
import imp
import os
import sys
import thread
import time
import types
from modpython_core import attributes
core = None
codecs.lookup('ascii')

def check():
    pass

def native(text):
    if isinstance(text, unicode):
        return text.encode(sys.getfilesystemencoding() or 'ascii')
    return text

def file_of(module):
    file = attributes.of(module, '__file__')
    if not isinstance(file, basestring):
        return None
    file = native(file)
    if file[-4:] in ('.pyc', '.pyo') and os.path.exists(file[:-1]):
        return file[:-1]
    return file

def audit_import(name):
    pass
path_bytes = letters_of_path = path_of_letters = str

def path_entry(entry):
    return entry

def is_plain(module):
    return issubclass(type(module), types.ModuleType)

def import_plainly(name):
    __import__(native(name))
    return sys.modules[native(name)]

def load_part(name):
    opened, file, kind = imp.find_module(name, sys.modules['mod_python'].__path__)
    try:
        return imp.load_module('mod_python.' + name, opened, file, kind)
    finally:
        if opened is not None:
            opened.close()

def import_without_file(name, spec):
    yield (None, import_plainly(name))
    core.answer()

def by_name():
    try:
        import importlib
    except ImportError:
        importlib = types.ModuleType('importlib')
        importlib.import_module = import_plainly
    return (importlib, 'import_module')

def not_found(name):
    return ImportError('No module named %s' % (name,))

def no_part(name, of):
    return not_found(name)
_waiting = {}

def say_bare_name(failed, name, private):
    pass

def under_import_lock(name, function):
    lock = module_lock(name)
    from_outside = lock.__enter__()
    try:
        pass
    finally:
        lock.__exit__(None, None, None)
    yield (None, function(from_outside))
    core.answer()

class module_lock(object):

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        module, me, held = (sys.modules.get(self.name), thread.get_ident(), 0)
        try:
            while True:
                runner = (module is not None and [_runner_of(module)] or [None])[0]
                if runner is None:
                    return True
                _waiting[me] = (runner, module)
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
    seen = set()
    while waiter != thread and waiter not in seen:
        seen.add(waiter)
        waiter, module = _waiting.get(waiter, (None, None))
        if waiter not in _runners(module):
            return False
    return waiter == thread

def _give_up_import_lock():
    held = 0
    try:
        while imp.lock_held():
            imp.release_lock()
            held += 1
    except RuntimeError:
        pass
    return held

def tolerate_deadlocks():
    pass

def guard_extension_modules():
    pass

def import_lock_edges():
    return [(waiter, runner) for waiter, (runner, module) in list(_waiting.items()) if runner in _runners(module)]

def is_initialising(module):
    return _runner_of(module) is not None

def is_left_behind(module):
    alive, gone = _all_runners(module)
    return bool(gone) and (not alive)

def _runner_of(module):
    for runner in _runners(module):
        return runner
    return None

def _runners(module):
    return _all_runners(module)[0]

def _all_runners(module):
    file = file_of(module)
    return (file and [core.runners(getattr(module, '__dict__', None), file)] or [((), ())])[0]

def module_this_thread_is_importing(found):
    module = sys.modules.get(found.name)
    if module is not None and file_of(module) == found.file and (thread.get_ident() in _runners(module)):
        core.is_inside(found.key)
        return module
    return None

def find_private_names(finder):
    core.private_names(finder)

def is_relative(top, importer):
    package = (hasattr(sys.modules.get(importer), '__path__') and [importer] or [rpartition(importer, '.')[0]])[0]
    parts = getattr(sys.modules.get(package), '__path__', None)
    if not package or not parts:
        return False
    if sys.modules.get(package + '.' + top) is not None:
        return True
    try:
        handle = imp.find_module(top, list(parts))[0]
    except ImportError:
        return False
    if handle:
        handle.close()
    return True

def watch_forks():
    pass
