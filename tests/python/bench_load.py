"""First loads of a large module with valid bytecode, and names that are nowhere, beside what importlib takes for the
same. Run by benches/import_load.rs."""

import gc
import importlib
import os
import py_compile
import shutil
import sys
import time
from importlib.util import cache_from_source

from harness import Directory, import_module, together

ROUNDS = 60
CLIENTS = 32
MISSES = 200
MOST = {'alone': 1.1, 'cold clients': 1.1, 'missing': 1.5, 'missing, in a directory': 1.5}

FUNCTION = '''

def function_%d(request, name='%d', more=None):
    return request, name, more
'''
SOURCE = ''.join(FUNCTION % (number, number) for number in range(5000))
here = Directory()
first = here.write('first.py', SOURCE)
long_ago = int(time.time()) - 1000
os.utime(first, (long_ago, long_ago))
py_compile.compile(first)


def module(name):
    """A file of 20,000 lines, with bytecode that was not written in the second of its source."""
    # Compiled once: bytecode knows its source by time and size alone.
    shutil.copy2(first, here.file(name + '.py'))
    shutil.copy2(cache_from_source(first), cache_from_source(here.file(name + '.py')))
    # The finder of this directory alone: one that is up to date with all others is what a server has.
    finder = sys.path_importer_cache.get(here.path)
    if finder is not None:
        finder.invalidate_caches()
    return name


def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def ours(name):
    import_module(name, path=[here.path])


def clients(load, name):
    results = together(*[lambda: load(name)] * CLIENTS)
    return [result.get() for result in results]


def misses(load, prefix):
    for number in range(MISSES):
        try:
            load('%s_%d' % (prefix, number))
        except ImportError:
            continue
        raise AssertionError(prefix)


least = dict((what, [float('inf'), float('inf')]) for what in MOST)
for turn in range(ROUNDS):
    taken = {
        'alone': (lambda load, name: timed(lambda: load(name)), ours, importlib.import_module),
        'cold clients': (lambda load, name: timed(lambda: clients(load, name)), ours, importlib.import_module),
        'missing': (lambda load, name: timed(lambda: misses(load, name)) / MISSES, import_module,
                    importlib.import_module),
        'missing, in a directory': (lambda load, name: timed(lambda: misses(load, name)) / MISSES, ours,
                                    importlib.import_module),
    }
    for what, (measure, mine, pythons) in taken.items():
        for who, load in list(enumerate((mine, pythons)))[::1 if turn % 2 else -1]:
            name = 'm%d_%d_%s' % (turn, who, ''.join(filter(str.isalpha, what)))
            if 'missing' not in what:
                module(name)
            # Loaded modules stay, by either way: memory that is used again has no page faults. Nor does one load pay
            # for a collection that goes through all the others.
            gc.freeze()
            least[what][who] = min(least[what][who], measure(load, name))

good = True
for what, (mine, pythons) in least.items():
    ratio = mine / pythons
    good = good and ratio <= MOST[what]
    print('%-24s import_module %8.3f ms, importlib %8.3f ms, ratio %.2f (at most %.1f)'
          % (what, mine * 1000, pythons * 1000, ratio, MOST[what]))
if not good:
    raise SystemExit(1)
