"""The importer of mod_python 3.3, here the one of the look-alike, with our locks: each file is loaded once, and what it
decides is decided as before (I1, I2, I4, I5)."""

import gc
import os
import sys
import threading

import harness
from harness import Directory, apache, case, core, lines, raises, run, runs, together, until
from importer33 import BODY, IMPORT, RING, all_ask, ask, begin, guard_importer, loaded, meet_once, slow, watched


@case
def without_locks_each_of_the_first_requests_loads():
    begin(guarded=False, change=watched)
    here = Directory(on_path=False)
    decided, begun = [], threading.Event()
    harness.looked = decided.append

    def loading():
        begun.set()
        until(lambda: decided.count(True) > 1)

    def second():
        assert begun.wait(20)
        return ask(here, 'm33')

    harness.loading = loading
    here.write('m33.py', BODY % 'm33' + 'harness.loading()\n')
    [result.get() for result in together(lambda: ask(here, 'm33'), second)]
    assert runs['m33'] == 2, runs


@case
def each_file_is_loaded_once():
    begin()
    here = Directory(on_path=False)
    here.write('m33.py', slow('m33') + IMPORT % 'other33')
    here.write('other33.py', slow('other33') + 'value = 7\n')
    results = [result.get() for result in all_ask(here, 'm33', 32)]
    assert runs == {'m33': 1, 'other33': 1}, runs
    assert all(module is results[0] for module in results) and results[0].other.value == 7
    assert ask(here, 'm33') is results[0]


@case
def nobody_waits_for_the_load_of_another_file():
    begin()
    here = Directory(on_path=False)
    here.write('loaded33.py', 'value = 1\n')
    ask(here, 'loaded33')
    harness.go_on, harness.begun = threading.Event(), threading.Event()
    here.write('long33.py', 'import harness\nharness.begun.set()\nassert harness.go_on.wait(20)\n')

    def other():
        assert harness.begun.wait(20)
        try:
            return ask(here, 'loaded33').value
        finally:
            harness.go_on.set()

    long, short = together(lambda: ask(here, 'long33'), other)
    assert long.get() and short.get() == 1


@case
def who_waits_for_nothing_new_goes_on_while_a_new_version_loads():
    """With PythonAutoReload Off a load that has been seen to be due is no matter of this request's."""
    importer = begin()
    here = loaded()
    here.write('m33.py', 'value = 2\n')
    entry, = importer._global_modules_cache._cache.values()
    entry.mtime = os.path.getmtime(here.file('m33.py'))  # As another thread leaves it that has decided to load.
    assert ask(here, 'm33', {'PythonAutoReload': '0'}).value == 1
    assert ask(here, 'm33').value == 2


@case
def two_modules_that_import_each_other():
    """The importer loads such modules again at each request: that is its own. Here nobody waits for ever."""
    for threads in (2, 16):
        begin()
        runs.clear()
        here = Directory(on_path=False)
        here.write('x33.py', RING % 'y33')
        here.write('y33.py', RING % 'x33')
        meet_once(2)
        results = together(*[lambda name=name: ask(here, name) for name in ('x33', 'y33') * (threads // 2)])
        assert all(result.get().complete and result.get().other.complete for result in results)
        assert threads > 2 or runs == {'x33.py': 1, 'y33.py': 1}, runs


@case
def a_request_gets_the_whole_module_after_a_cycle():
    """A load may get a half-made module, where waiting would never end; its handler gets the whole one."""
    begin()
    here = Directory(on_path=False)
    for name, other in ('left33', 'right33'), ('right33', 'left33'):
        here.write(name + '.py', RING.replace('complete', 'import time\ntime.sleep(0.1)\ncomplete') % other
                   + 'def handler():\n    return apache.import_module(%r).complete\n' % other)
    meet_once(2)
    results = together(*[lambda name=name: ask(here, name, call=True) for name in ('left33', 'right33')])
    assert [result.get() for result in results] == [1, 1]


@case
def in_a_cycle_the_version_before_is_better_than_half_a_new_one():
    begin()
    here = Directory(on_path=False)
    names = ['left33', 'right33']
    for number in (1, 2):
        meet_once(0 if number == 1 else 2)
        for name, other in zip(names, names[::-1]):
            here.write(name + '.py', RING % other + 'whole = %d == 1 or hasattr(other, "complete")\n' % number)
        calls = [lambda name=name: ask(here, name) for name in names[:number]]
        assert all(result.get().whole for result in together(*calls))


@case
def three_in_a_ring():
    begin()
    here = Directory(on_path=False)
    names = ['p33', 'q33', 'r33']
    for name, other in zip(names, names[1:] + names[:1]):
        here.write(name + '.py', RING % other)
    meet_once(3)
    results = together(*[lambda name=name: ask(here, name) for name in names * 4])
    assert all(result.get().complete and result.get().other.complete for result in results)


@case
def a_failing_load_runs_once_for_all_who_wait():
    importer = begin()
    here = Directory(on_path=False)
    file = here.write('bad33.py', BODY % 'bad33' + 'harness.arrived()\nraise ValueError(33)\n')
    harness.arrived = lambda: until(lambda: core.waiting(here.key('bad33.py')) == 7)
    errors = [result.error for result in all_ask(here, 'bad33', 8)]
    assert runs == {'bad33': 1}, runs
    assert [(type(error), error.args) for error in errors] == [(ValueError, (33,))] * 8
    assert len(set(map(id, errors))) == 8
    assert not importer._global_modules_cache._cache
    assert lines(apache.APLOG_ERR) == [
        "MPC0024: mod_python: import of module 'bad33' (%s) failed: ValueError: 33" % file], apache.lines
    here.write('bad33.py', 'value = 1\n')
    assert ask(here, 'bad33').value == 1


@case
def a_version_that_fails_is_tried_by_each_request():
    begin()
    here = loaded()
    here.write('m33.py', BODY % 'm33' + 'raise ValueError(34)\n')
    for number in (1, 2):
        raises(ValueError, ask, here, 'm33')
        assert runs == {'m33': number}, runs
    here.write('m33.py', 'value = 3\n')
    assert ask(here, 'm33').value == 3


def ten_versions(here, name, changed, counted):
    """All who ask get the version that is in the file, and what is counted ran once for each."""
    for version in range(10):
        here.write(changed + '33.py', slow(changed, 0.01) + 'value = %d\n' % version)
        assert [result.get().value for result in all_ask(here, name)] == [version] * 16
        assert runs == dict.fromkeys(counted, version + 1), runs


@case
def a_new_version_is_loaded_once_and_nobody_gets_the_old_one():
    begin()
    ten_versions(Directory(on_path=False), 'm33', 'm', ['m'])


@case
def what_has_imported_a_changed_file_is_loaded_too():
    begin()
    here = Directory(on_path=False)
    here.write('top33.py', BODY % 'top' + IMPORT % 'low33' + 'value = other.value\n')
    ten_versions(here, 'top33', 'low', ['top', 'low'])


@case
def a_child_that_is_due_makes_its_parent_due():
    """The moment between the decision to load the child, by a request for it, and the beginning of that load."""
    importer = begin()
    here = Directory(on_path=False)
    here.write('top33.py', IMPORT % 'low33' + 'value = other.value\n')
    here.write('low33.py', 'value = 1\n')
    ask(here, 'top33')
    here.write('low33.py', 'value = 2\n')
    low, = [entry for entry in importer._global_modules_cache._cache.values() if entry.file.endswith('low33.py')]
    low.mtime = os.path.getmtime(low.file)
    assert ask(here, 'top33').value == 2


@case
def at_no_moment_does_a_load_to_do_look_done():
    importer = begin()
    here = Directory(on_path=False)

    class Entry(importer._CacheInfo):

        def __init__(self, *arguments):
            importer_entry.__init__(self, *arguments)
            self.lock.acquire()  # As if another thread, which may wait for this one, had it.

        def __setattr__(self, name, value):
            assert name != 'time_of_load' or self.reload
            self.__dict__[name] = value

    importer_entry, importer._CacheInfo = importer._CacheInfo, Entry
    for version in (1, 2):
        here.write('m33.py', 'value = %d\n' % version)
        assert ask(here, 'm33').value == ask(here, 'm33').value == version


@case
def without_autoreload_nothing_is_loaded_again():
    begin()
    here = Directory(on_path=False)
    off = {'PythonAutoReload': '0'}
    here.write('m33.py', slow('m33') + 'value = 1\n')
    results = together(*[lambda: ask(here, 'm33', off)] * 16)
    here.write('m33.py', slow('m33') + 'value = 2\n')
    assert [result.get().value for result in results] == [1] * 16 and ask(here, 'm33', off).value == 1
    assert runs == {'m33': 1}, runs


@case
def frozen_modules_stay():
    importer = begin()
    here = loaded()
    importer._global_modules_cache._frozen = True
    here.write('m33.py', 'value = 2\n')
    assert ask(here, 'm33').value == 1


@case
def a_load_begins_while_another_request_looks():
    # It had found the file as it was noted, and took the mark of a load that had begun since for that of one that was
    # over.
    begin(change=watched)
    here = Directory(on_path=False)
    harness.looked = lambda load: None
    here.write('m33.py', 'value = 1\n')
    assert ask(here, 'm33').value == 1
    here.write('m33.py', 'import harness\nharness.loading()\nvalue = 2\n')
    noted, late, begun, values = [threading.Event() for _ in range(3)] + [[]]
    key = here.file('m33.py').encode()

    def looked(load):
        if not noted.is_set():
            noted.set()
            late.wait(10)
        elif not load and not late.is_set():
            late.set()
            begun.wait(10)

    def loading():
        begun.set()
        until(lambda: values or core.waiting(key))

    def second():
        noted.wait(10)
        values.append(ask(here, 'm33').value)

    harness.looked, harness.loading = looked, loading
    [result.get() for result in together(lambda: ask(here, 'm33'), second)]
    assert late.is_set() and values == [2], values


@case
def paths_from_the_handlers_directory_and_from_the_callers():
    begin()
    here = Directory(on_path=False)
    here.write('top33.py', 'from mod_python import apache\n'
               'beside, below = [apache.import_module(path) for path in ("./part/one33.py", "~/part/two33.py")]\n')
    here.write('part/one33.py', 'from mod_python import apache\nup = apache.import_module("../three33.py")\n')
    here.write('part/two33.py', BODY % 'two')
    here.write('three33.py', BODY % 'three')
    results = [result.get() for result in all_ask(here, 'top33')]
    assert results[0].beside.up.__file__ == here.file('three33.py') and results[0].below
    assert runs == {'two': 1, 'three': 1}, runs


@case
def the_code_of_a_module_is_in_nobodys_exception():
    begin()
    here = Directory(on_path=False)
    here.write('m33.py', 'import sys\nseen = sys.exc_info()\n')
    assert ask(here, 'm33').seen == (None, None, None)


@case
def a_thread_that_is_no_request_spoils_nothing():
    importer = begin()
    here = Directory(on_path=False)
    here.write('m33.py', 'value = 1\n')
    for _ in range(2):
        raises(AttributeError, importer.import_module, here.file('m33.py'))
    assert ask(here, 'm33').value == 1 and not lines(apache.APLOG_ERR)


@case
def to_guard_it_twice_does_no_harm():
    importer = begin()
    function = importer._global_modules_cache.import_module
    guard_importer()
    assert importer._global_modules_cache.import_module is function


@case
def an_importer_that_is_another_stays_as_it_is():
    shim = sys.modules['modpython_core.install']
    for old, new in (('label, file, autoreload):', 'label, file, autoreload, more=None):'),
                     ('_check_module', '_look_at'), ('.mtime', '.time'), ('self._frozen', 'self._still'),
                     ('_reload_required', '_must_load'), ('_global_modules_cache', '_modules_cache'),
                     ('entry.lock', 'entry.__dict__["lock"]')):
        importer = begin(change=lambda source: source.replace(old, new))
        cache = importer.__dict__.get('_global_modules_cache')
        assert cache is None or 'import_module' not in cache.__dict__, new
        raises(Exception, shim.guard_importer, core)
        here = Directory(on_path=False)
        here.write('m33.py', 'value = 1\n')
        assert ask(here, 'm33').value == 1


@case
def left_out_by_its_name():
    remedies = sys.modules['modpython_core.remedies']
    remedies._left_out.append('importer')
    try:
        assert 'import_module' not in begin()._global_modules_cache.__dict__
    finally:
        remedies._left_out.remove('importer')


@case
def memory_of_a_request_goes_with_it():
    """The notes of a load for the threads that wait are not kept."""
    importer = begin()
    here = loaded()
    gc.collect()
    assert not [thing for thing in gc.get_objects() if type(thing) is importer.Modules and thing]


run()
