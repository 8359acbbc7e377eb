"""The differences between Python 2 and 3, for Python 2: names, paths, and which thread runs which module.

Python 2 has one lock for all imports, and says of no module whether its code is still running. A plain import by a
thread that holds that lock and waits for us gives it up after a while (see the extension module), and our loads do not
hold it, so that they run side by side. An import statement of another thread may thus find a module that is half-made,
where it would else have waited; import_module never hands one out but where waiting would close a cycle.
"""

from __future__ import absolute_import, with_statement

import codecs
import imp
import os
import sys
import thread
import time
import types

from modpython_core import attributes

core = None

# Python 2 sets the codecs of an interpreter up when it first needs one: it makes an empty list of them, and then
# imports the package that fills it. A thread that needs one meanwhile gets "LookupError: no codec search functions
# registered". The first two loads of a new interpreter both need one, to look for a wrong letter in their files, and
# the second of them failed so. Here, before the first request, no other thread is in this interpreter yet.
codecs.lookup('ascii')

def check():
    """Python 2 is no longer changed: its imports are what they were."""


def native(text):
    """A name or path as bytes, which is what Python 2 looks modules up by."""
    if isinstance(text, unicode):
        return text.encode(sys.getfilesystemencoding() or 'ascii')
    return text


def file_of(module):
    """The file of a module, that of its source where there is one; None for a module that has none."""
    file = attributes.of(module, '__file__')
    if not isinstance(file, basestring):
        return None
    file = native(file)
    if file[-4:] in ('.pyc', '.pyo') and os.path.exists(file[:-1]):
        return file[:-1]
    return file


def audit_import(name):
    """Python 2 has nobody who watches."""


path_bytes = letters_of_path = path_of_letters = str


def path_entry(entry):
    """An entry of `path=`."""
    return entry


def is_plain(module):
    """Whether it is a module as import makes it, in which code can be run again."""
    return issubclass(type(module), types.ModuleType)


def import_plainly(name):
    """A module without a file of its own: there is nothing to watch."""
    __import__(native(name))
    return sys.modules[native(name)]


def load_part(name):
    """That module of mod_python, loaded as an import statement would do it."""
    opened, file, kind = imp.find_module(name, sys.modules['mod_python'].__path__)
    try:
        return imp.load_module('mod_python.' + name, opened, file, kind)
    finally:
        if opened is not None:
            opened.close()


def import_without_file(name, spec):
    """The same, of one that has been found just now."""
    yield None, import_plainly(name)


def by_name():
    """The owner and name of the function that imports by name. 2.6 has none, and gets one that nobody calls."""
    try:
        import importlib
    except ImportError:
        importlib = types.ModuleType('importlib')
        importlib.import_module = import_plainly
    return importlib, 'import_module'


def not_found(name):
    """The exception for a module that is nowhere."""
    return ImportError('No module named %s' % (name,))


def no_part(name, of):
    """The same for a part of a module that is no package."""
    return not_found(name)


# thread -> (thread whose plain import it waits for, the module of that import).
_waiting = {}


def say_bare_name(failed, name, private):
    """An ImportError of Python 2 says the last part of a name alone."""


def under_import_lock(name, function):
    """Gives function(from_outside), called once no plain import of that module is under way; see module_lock."""
    # It holds nothing, and so needs no end that is sure to come.
    with module_lock(name) as from_outside:
        pass
    yield None, function(from_outside)


class module_lock(object):
    """Waits for the end of a plain import of a module that is in sys.modules already. Python 2 tells nobody when that
    is, so that it is looked for again and again; and the import lock, which that import may need, is given up.

    Gives True if no import of the module is under way any more, and False if the thread that runs it waits for this
    one. Nothing keeps an import from beginning after that.
    """

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        module, me, held = sys.modules.get(self.name), thread.get_ident(), 0
        try:
            while True:
                runner = _runner_of(module) if module is not None else None
                if runner is None:
                    return True
                _waiting[me] = runner, module
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
    """Whether the one waits for a plain import of the other, or for one of a thread that does. Two plain imports that
    ask import_module for each other's module would else wait for ever: a thread that waits for a lock of ours looks for
    such cycles itself, but here none does."""
    seen = set()
    while waiter != thread and waiter not in seen:
        seen.add(waiter)
        waiter, module = _waiting.get(waiter, (None, None))
        if waiter not in _runners(module):
            return False
    return waiter == thread


def _give_up_import_lock():
    """Gives the import lock up as often as this thread holds it, and says how often that was."""
    held = 0
    try:
        while imp.lock_held():
            imp.release_lock()
            held += 1
    except RuntimeError:
        pass  # Another thread holds it.
    return held


def tolerate_deadlocks():
    """The import statement of Python 2 raises no such error."""


def guard_extension_modules():
    """Python 2 has one lock of all imports for the process."""


def import_lock_edges():
    """Pairs of threads, as far as they are known: the first waits for an import of the second.

    Looks again whether the import is still under way: its thread may have finished it, and wait for something else by
    now, before the waiting thread looks the next time. That thread would be told of a cycle that does not exist.
    """
    return [(waiter, runner) for waiter, (runner, module) in list(_waiting.items()) if runner in _runners(module)]


def is_initialising(module):
    """Whether some thread is running the module's code."""
    return _runner_of(module) is not None


def is_left_behind(module):
    """Whether the thread that was running the module's code is one that the fork of this process has not brought along.
    It says nothing of a thread that is running it now: a plain import can begin at any moment, whatever we hold."""
    alive, gone = _all_runners(module)
    return bool(gone) and not alive


def _runner_of(module):
    """The thread that is running the module's code."""
    for runner in _runners(module):
        return runner
    return None


def _runners(module):
    """The threads that are running the module's code."""
    return _all_runners(module)[0]


def _all_runners(module):
    """The same, and those that are gone with a fork: Python 2 goes on showing their frames."""
    file = file_of(module)
    return core.runners(getattr(module, '__dict__', None), file) if file else ((), ())


def module_this_thread_is_importing(found):
    """The module of the file, if this thread is running its code just now. Others may wait for the end of that, and so
    for the import lock that this thread holds: it must not wait for them."""
    module = sys.modules.get(found.name)
    if module is not None and file_of(module) == found.file and thread.get_ident() in _runners(module):
        core.is_inside(found.key)
        return module
    return None


def find_private_names(finder):
    """By a finder that runs no bytecode, like note_imports()."""
    core.private_names(finder)


def is_relative(top, importer):
    """Whether `import top` in that module means a part of the package that the module is in."""
    package = importer if hasattr(sys.modules.get(importer), '__path__') else importer.rpartition('.')[0]
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
    """Python 2 itself makes its import lock anew in the child of a fork."""
