"""How the shim is put in place, and what is left when that fails."""

import ctypes
import importlib
import os
import sys
import time

from harness import PYTHON2, Directory, apache, case, raises, run, runs

install = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(int(os.environ['MODPYTHON_CORE_INSTALL']))


def ours():
    # An import that is not absolute leaves a None under the name that it has not found.
    return [name for name in sys.modules if name.startswith(('modpython_core', '_modpython_core')) and sys.modules[name]]


@case
def nothing_is_left_of_a_shim_that_raises():
    stock = apache.import_module = lambda *args: 'stock'

    def broken(apache, core):
        raise ValueError('two\nlines')

    sys.modules['modpython_core.install'].install = broken
    reason = install(apache)
    assert reason.endswith('could not be put in its place: ValueError: two lines'), reason
    assert apache.import_module is stock and not ours()


@case
def the_next_attempt_makes_everything_anew():
    assert install(apache) is False
    assert len(ours()) == 24 + ('modpython_core.python24' in ours())
    here = Directory()
    here.write('after_all.py', 'value = 1\n')
    assert apache.import_module('after_all').value == 1


@case
def to_install_twice_does_no_harm():
    function = apache.import_module
    assert install(apache) is False
    assert apache.import_module == function
    here = Directory()
    here.write('twice.py', 'value = 1\n')
    assert apache.import_module('twice').value == 1


@case
def one_look_a_tick_where_stock_looks_once_a_second():
    here, function = Directory(), apache.import_module

    def stock(module_name, autoreload=1, log=0, path=None):
        return '__mtime_check__'

    def tick():
        return time.clock_gettime(getattr(time, 'CLOCK_MONOTONIC_COARSE', 6))

    if not hasattr(time, 'clock_gettime'):
        return  # Python 2, and 3.1 with it, looks at each call.
    apache.import_module = stock
    assert install(apache) is False
    try:
        file, unseen = here.write('ticking.py', 'import harness\nharness.ran("ticking")\n'), 0
        apache.import_module('ticking')
        for number in range(2000):
            now = tick()
            while tick() == now:
                pass
            apache.import_module('ticking')
            before = runs['ticking']
            os.utime(file, (number, number))
            apache.import_module('ticking')
            unseen += runs['ticking'] == before
            now = tick()
            while tick() == now:
                pass
            # The file is looked at again in the next tick, and may be so in this one if the clock has moved on.
            apache.import_module('ticking')
            assert runs['ticking'] == before + 1
            if unseen:
                break
        assert unseen
    finally:
        def stock(module_name, autoreload=1, log=0, path=None):
            return None
        apache.import_module = stock
        assert install(apache) is False
    for number in range(20):
        here.write('ticking.py', 'value = %d\n' % number)
        assert apache.import_module('ticking').value == number
    assert apache.import_module == function


@case
def a_name_that_path_has_not_was_not_found_where_stock_ignores_path():
    here, other, function = Directory(), Directory(False), apache.import_module

    def stock(module_name, autoreload=1, log=0, path=None):
        return importlib.import_module(module_name)

    apache.import_module = stock
    assert install(apache) is False
    try:
        import json
        here.write('elsewhere.py', 'value = 1\n')
        here.write('whole/__init__.py', '')
        here.write('whole/part.py', '')
        for path in ['/nonexistent'], ['.'], [other.path], other.path, iter([other.path]):
            module = apache.import_module('elsewhere', path=path)
            assert module is sys.modules['elsewhere'] and module.__file__ == here.file('elsewhere.py')
            assert apache.import_module('elsewhere', 0, 1, path) is module
            assert apache.import_module('whole.part', path=path) is sys.modules['whole.part']
            assert apache.import_module('os', path=path) is os
            assert apache.import_module('sys', path=path) is sys
            assert apache.import_module('json', path=path) is json
            raises(ImportError, apache.import_module, 'nowhere_at_all', path=path)
        here.write('elsewhere.py', 'value = 2\n')
        assert apache.import_module('elsewhere', path=[other.path]).value == 2
        # A module on the path still comes first.
        other.write('twofold.py', 'where = "other"\n')
        here.write('twofold.py', 'where = "here"\n')
        assert apache.import_module('twofold').where == 'here'
        assert apache.import_module('twofold', path=[other.path]).where == 'other'
    finally:
        def stock(module_name, autoreload=1, log=0, path=None):
            return None
        apache.import_module = stock
        assert install(apache) is False
    assert apache.import_module == function
    raises(ImportError, apache.import_module, 'os', path=[here.path])
    raises(ImportError, apache.import_module, 'elsewhere', path=['/nonexistent/too'])


@case
def an_importlib_that_is_another_within_is_found_at_installation():
    if PYTHON2:
        return
    from importlib import _bootstrap
    stock = apache.import_module
    for name in ours():
        del sys.modules[name]
    kept = _bootstrap._blocking_on
    apache.import_module = lambda *args: 'stock'
    stands = apache.import_module
    _bootstrap._blocking_on = object()
    try:
        reason = install(apache)
    finally:
        _bootstrap._blocking_on = kept
    assert 'importlib' in reason and apache.import_module is stands and not ours(), reason
    assert install(apache) is False


@case
def wsgi_that_cannot_be_imported_is_done_without():
    package, wsgi = sys.modules['mod_python'], sys.modules['mod_python.wsgi']
    del package.wsgi
    sys.modules['mod_python.wsgi'] = None
    try:
        assert install(apache) is False
    finally:
        sys.modules['mod_python.wsgi'] = package.wsgi = wsgi
    assert install(apache) is False


run()
