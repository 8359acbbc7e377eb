"""The importer of mod_python 3.3, here the one of the look-alike, and how it is asked."""

import ctypes
import os
import sys
import threading
import types

import harness
from harness import Directory, Request, apache, together

guard_importer = ctypes.PYFUNCTYPE(None)(int(os.environ['MODPYTHON_CORE_GUARD_IMPORTER']))
FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../lookalike/lib/python/mod_python/importer.py')
DISPATCHERS = dict((name, value) for name, value in vars(apache.CallBack).items() if name.endswith('Dispatch'))
BODY = 'import harness\nharness.ran(%r)\n'
IMPORT = 'from mod_python import apache\nother = apache.import_module(%r)\n'
RING = 'import harness\nharness.ran(__file__[-6:])\nharness.meet()\n' + IMPORT + 'complete = 1\n'


def begin(guarded=True, change=lambda source: source):
    """The importer, as new."""
    for name, function in DISPATCHERS.items():
        setattr(apache.CallBack, name, dispatch if name == 'HandlerDispatch' else function)
    importer = types.ModuleType('mod_python.importer')
    importer.__file__ = FILE
    sys.modules['mod_python.importer'] = importer
    with open(FILE) as source:
        exec(compile(change(source.read()), FILE, 'exec'), importer.__dict__)
    if guarded:
        guard_importer()
    return importer


def dispatch(callback, req):
    module = DISPATCHERS['HandlerDispatch'](callback, req)
    return module.handler() if req.config.get('call') else module


def ask(here, name, config=None, call=False):
    """A request whose handler is the module of that name; what it gives, if it is to be called."""
    return apache.CallBack().HandlerDispatch(Request(name, here.path, call=call, **(config or {})))


def loaded():
    here = Directory(on_path=False)
    here.write('m33.py', 'value = 1\n')
    ask(here, 'm33')
    return here


def all_ask(here, name, threads=16):
    return together(*[lambda: ask(here, name)] * threads)


def slow(name, seconds=0.05):
    return BODY % name + 'import time\ntime.sleep(%r)\n' % seconds


def meet_once(number):
    """Holds up the first so many who come, until all of them are there."""
    barrier, left, lock = harness.Barrier(number), [number], threading.Lock()

    def meet():
        with lock:
            left[0] -= 1
            first = left[0] >= 0
        if first:
            barrier.wait()

    harness.meet = meet


def watched(source):
    """The importer, with harness.looked(load) told of each decision that it has made."""
    asked = '    def _reload_required(self, modules, label, file, autoreload):\n'
    hooked = asked + '        answer = self._asked(modules, label, file, autoreload)\n        import harness\n' \
                     '        harness.looked(answer[1])\n        return answer\n\n'
    return source.replace(asked, hooked + asked.replace('_reload_required', '_asked'))
