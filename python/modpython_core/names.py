"""Which name a module has in sys.modules.

Files of one name in different directories are different modules. The first keeps the bare name, as it always had it;
the others live under private names made from their paths, so that none of them drives another out.
"""

from __future__ import absolute_import

import re
import sys
from binascii import crc32

from modpython_core import platform

# sys.modules name -> file. Says who has a name from before its module is in sys.modules: two files of one name may
# begin to load at the same moment, and do not wait for each other.
_claims = {}


def claim(found):
    """The name under which the file is to be loaded, kept for it from now on."""
    for name in _candidates(found):
        taken = sys.modules.get(name)
        if taken is not None and platform.file_of(taken) != found.file:
            continue
        # One atomic step, so that of two threads exactly one gets the name.
        if _claims.setdefault(name, found.file) == found.file:
            return name


def give_back(name, found):
    """After a load that has left nothing behind: another file may have the name."""
    if name not in sys.modules and _claims.get(name) == found.file:
        _claims.pop(name, None)


def _candidates(found):
    yield found.name
    package, dot, last = found.name.rpartition('.')
    legible = re.sub('[^A-Za-z0-9]+', '_', found.file).strip('_')
    attempt = 0
    while True:
        mark = '%08x' % (crc32(found.key, attempt) & 0xffffffff)
        yield '%s%s_mp_%s_%s' % (package, dot, legible, mark)
        attempt += 1
