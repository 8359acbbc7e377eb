"""The figures of a hit. Run by benches/import_hit.rs."""

import ctypes
import os
import sys
import time

from harness import Directory, apache

BATCHES = 40
CALLS = 20000

import_module = apache.import_module
here = Directory()
here.write('measured.py', 'value = 1\n')
name = 'measured'
import_module(name)


def empty():
    for _ in range(CALLS):
        pass


def lookup():
    for _ in range(CALLS):
        sys.modules[name]


def reload_off():
    for _ in range(CALLS):
        import_module(name, autoreload=0)


def reload_on():
    for _ in range(CALLS):
        import_module(name)


class Hlist(object):
    handler = name
    directory = here.path
    is_location = False


class Request(object):
    hlist = Hlist()
    config = {}


callback, request = apache.CallBack(), Request()
request_off = Request()
request_off.config = {'PythonAutoReload': '0'}


def dispatched():
    for _ in range(CALLS):
        callback.HandlerDispatch(request_off)


def dispatched_to_nothing():
    kept = apache.import_module
    apache.import_module = lambda module_name, autoreload=1, log=0, path=None: None
    try:
        dispatched()
    finally:
        apache.import_module = kept


# A loop outside Python: calling stat(2) through ctypes would cost more than stat(2).
stat_loop = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_long)(int(os.environ['MODPYTHON_CORE_STAT_LOOP']))
measured_file = os.fsencode(here.file('measured.py'))


def bare_stat():
    stat_loop(measured_file, CALLS)


subjects = [empty, lookup, reload_off, reload_on, bare_stat, dispatched_to_nothing, dispatched]
best = dict.fromkeys(subjects, float('inf'))
worst = dict.fromkeys(subjects, 0)
for _ in range(BATCHES):
    for subject in subjects:
        start = time.perf_counter()
        subject()
        taken = (time.perf_counter() - start) / CALLS * 1e9
        best[subject] = min(best[subject], taken)
        worst[subject] = max(worst[subject], taken)

for subject in subjects:
    print('%-24s %8.1f ns  (worst batch %8.1f)' % (subject.__name__, best[subject], worst[subject]))
off = best[reload_off] / best[lookup]
allowed = 4 * best[lookup] + 1.2 * best[bare_stat]
on = best[reload_on] / allowed
print('autoreload=0: %.2f times sys.modules[name] (at most 4)' % off)
print('autoreload=1: %.2f of 4 sys.modules[name] + 1.2 stat(2) (at most 1)' % on)
print('from a dispatcher, autoreload=0: %.0f ns more than a call that does nothing'
      % (best[dispatched] - best[dispatched_to_nothing]))
if off > 4 or on > 1:
    raise SystemExit(1)
