"""How the shim is put in place, and what is left when that fails."""

import ctypes
import os
import sys

from harness import Directory, apache, case, run

install = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(int(os.environ['MODPYTHON_CORE_INSTALL']))


def ours():
    return [name for name in sys.modules if name.startswith(('modpython_core', '_modpython_core'))]


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
    assert len(ours()) == 9
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
