"""A million hits and ten thousand reloads leave nothing behind (I10)."""

import gc
import itertools
import os
import sys

from harness import Directory, case, core, import_module, run, set_time


def resident():
    with open('/proc/self/statm') as statm:
        return int(statm.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


def allocated():
    """How many objects there are; Python 2 tells of those alone that the collector knows."""
    return sys.getallocatedblocks() if hasattr(sys, 'getallocatedblocks') else len(gc.get_objects())


@case
def memory_stays_as_it_is():
    here = Directory()
    file = here.write('grown.py', 'import os\nvalue = [0] * 100\ndef f():\n  return value\n')
    import_module('grown')
    stamp = [10 ** 18]

    def hits(number):
        for _ in itertools.repeat(None, number):
            import_module('grown', autoreload=0)

    def reloads(number):
        for _ in itertools.repeat(None, number):
            stamp[0] += 10 ** 9
            set_time(file, stamp[0])
            import_module('grown')

    hits(10000)
    reloads(2000)
    gc.collect()
    memory, blocks = resident(), allocated()
    hits(1000000)
    reloads(10000)
    for _ in itertools.repeat(None, 20000):
        import_module('grown')
    gc.collect()
    # The blocks left by 10,000 reloads do not grow with them; caches of the interpreter add some hundred at times.
    assert allocated() - blocks < 500, allocated() - blocks
    assert resident() - memory < 1 << 20, resident() - memory
    assert core.locks() == 0


run()
