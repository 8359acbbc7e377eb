"""A million hits and ten thousand reloads leave nothing behind (I10)."""

import gc
import os
import sys

from harness import Directory, case, core, import_module, run


def resident():
    with open('/proc/self/statm') as statm:
        return int(statm.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


@case
def memory_stays_as_it_is():
    here = Directory()
    file = here.write('grown.py', 'import os\nvalue = [0] * 100\ndef f():\n  return value\n')
    import_module('grown')
    stamp = [10 ** 18]

    def hits(number):
        for _ in range(number):
            import_module('grown', autoreload=0)

    def reloads(number):
        for _ in range(number):
            stamp[0] += 10 ** 9
            os.utime(file, ns=(stamp[0], stamp[0]))
            import_module('grown')

    hits(10000)
    reloads(2000)
    gc.collect()
    memory, blocks = resident(), sys.getallocatedblocks()
    hits(1000000)
    reloads(10000)
    for _ in range(20000):
        import_module('grown')
    gc.collect()
    assert sys.getallocatedblocks() - blocks < 200, sys.getallocatedblocks() - blocks
    assert resident() - memory < 1 << 20, resident() - memory
    assert core.locks() == 0


run()
