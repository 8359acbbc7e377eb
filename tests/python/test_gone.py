"""A module that a site takes out of sys.modules is gone, as it is for an import statement."""

import gc
import socket
import sys

import harness
from harness import Directory, Request, apache, case, import_module, run

BINDS = 'import harness, socket\nlistening = socket.socket()\nlistening.bind(harness.address)\n'


def free_address():
    found = socket.socket()
    found.bind(('127.0.0.1', 0))
    try:
        return found.getsockname()
    finally:
        found.close()


@case
def a_module_held_its_socket_while_its_successor_ran():
    here = Directory(False)
    here.write('page.py', 'import sys\ndef anew():\n    sys.modules.pop("binds", None)\n    import binds\n')
    here.write('binds.py', BINDS)
    harness.address = free_address()
    page = apache.CallBack().HandlerDispatch(Request('page', here.path))
    for _ in range(5):
        page.anew()
    del sys.modules['binds']


@case
def a_module_of_import_module_did_so_too():
    here = Directory(False)
    here.write('binding.py', BINDS)
    harness.address = free_address()
    for _ in range(5):
        import_module('binding', path=[here.path])
        del sys.modules['binding']


class Counted(object):
    alive = 0

    def __init__(self):
        Counted.alive += 1

    def __del__(self):
        Counted.alive -= 1


@case
def modules_of_ever_new_names_were_kept_for_good():
    """A site that makes modules of templates, say, and takes them out again."""
    harness.Counted = Counted
    here = Directory(False)
    here.write('page.py', 'def get(name):\n    return __import__(name)\n')
    page = apache.CallBack().HandlerDispatch(Request('page', here.path))
    for number in range(300):
        name = 'made%d' % number
        here.write(name + '.py', 'import harness\ncounted = harness.Counted()\n')
        assert (page.get(name) if number % 2 else import_module(name, path=[here.path])).counted
        del sys.modules[name]
    gc.collect()
    assert Counted.alive <= 100, Counted.alive


@case
def a_module_that_is_taken_out_for_a_moment_is_watched_as_before():
    here = Directory(False)
    here.write('shortly.py', 'version = 1\n')
    first = import_module('shortly', path=[here.path])
    del sys.modules['shortly']
    for number in range(40):
        here.write('other%d.py' % number, '')
        import_module('other%d' % number, path=[here.path])
    sys.modules['shortly'] = first
    here.write('shortly.py', 'version = 2\n')
    assert import_module('shortly', path=[here.path]) is first and first.version == 2


run()
