"""The codecs of an interpreter in which none has been used yet. A script of its own: any case before would use one."""

import threading

from harness import DEADLINE, PYTHON2, Directory, case, import_module, run, together


@case
def the_first_loads_of_an_interpreter_find_its_codecs():
    # Python 2 imports the package encodings when an interpreter first needs a codec. To a thread that needs one while
    # that import is under way, it says that there are none. Here the import takes until a load has ended: it waits for
    # the import lock.
    if not PYTHON2:
        return
    import imp
    here = Directory()
    for name in ('first', 'second'):
        here.write(name + '.py', 'value = u"text".encode("ascii")\n')
    locked, ended = threading.Event(), threading.Event()

    def importer():
        imp.acquire_lock()
        locked.set()
        ended.wait(DEADLINE / 4)
        imp.release_lock()

    def load(name):
        locked.wait(DEADLINE / 4)
        try:
            return import_module(name).value
        finally:
            ended.set()

    for result in together(importer, lambda: load('first'), lambda: load('second'))[1:]:
        assert result.get() == 'text'


run()
