"""State that the standard library makes at its first use is made before the first request (cpython issue 92452)."""

import sys
import threading

from harness import PYTHON2, Directory, case, import_module, run, together


@case
def sysconfig_is_whole_for_everybody():
    """Seen as "UnknownTimeZoneError: 'Asia/Tokyo'" of Debian's pytz, in one of sixty cold starts of a Django site."""
    import sysconfig
    begun, asked, fill = threading.Event(), threading.Event(), sysconfig._init_posix

    def slow(variables):
        begun.set()
        asked.wait(20)
        fill(variables)

    sysconfig._init_posix = slow
    try:
        def first():
            try:
                return sysconfig.get_config_var('INCLUDEPY')
            finally:
                begun.set()

        def second():
            begun.wait(20)
            try:
                return sysconfig.get_config_var('INCLUDEPY')
            finally:
                asked.set()

        results = together(first, second)
    finally:
        sysconfig._init_posix = fill
    if sys.version_info < (3, 12):
        assert [result.get() for result in results] == [sysconfig.get_config_var('INCLUDEPY')] * 2, results
        assert sysconfig.get_config_var('INCLUDEPY')


@case
def a_page_of_that_name_was_hidden():
    if PYTHON2 or sys.version_info >= (3, 12):
        return
    import sysconfig
    sys.modules['modpython_core.first_use']._prepared['sysconfig'] = sys.modules.pop('sysconfig')
    here = Directory()
    here.write('asks_sysconfig.py', 'import sysconfig\nW = sysconfig.W\n')
    here.write('sysconfig.py', 'W = "site"\n')
    assert import_module('asks_sysconfig', path=[here.path]).W == 'site'
    sys.path.remove(here.path)
    sys.modules.pop('sysconfig', None)
    import sysconfig as again
    assert again is sysconfig and again.__spec__.name == 'sysconfig' and again.__spec__.origin == again.__file__


@case
def strptime_is_there():
    if PYTHON2:
        assert '_strptime' in sys.modules


run()
