"""Some threading.local end while the data of a thread which has used them is put by; for tests/rebind/."""

import threading


class _Shared(object):
    used = []
    addresses = set()
    other = None


def use():
    """Has data of this thread in them: many, as the address of one may be that of anything afterwards."""
    _Shared.used = [threading.local() for _ in range(100)]
    _Shared.addresses = set(map(id, _Shared.used))
    for local in _Shared.used:
        local.user = "somebody"


def replace():
    """Ends them, and makes another at the address of one."""
    del _Shared.used[:]
    others = []
    for _ in range(10000):
        local = threading.local()
        if id(local) in _Shared.addresses:
            _Shared.other = local
            return "replaced"
        others.append(local)
    return "not replaced"


def found():
    """What is in the other one in this thread, with what it is given. The memory of a dict is used by the next ones."""
    dicts = [{"number": number} for number in range(1000)]
    _Shared.other.mark = 1
    return [sorted(vars(_Shared.other)), [each for each in dicts if "mark" in each]]


class _Ends(object):
    def __init__(self, end):
        self.end = end

    def __del__(self):
        self.end()


def at_depth(depth, end):
    """Calls end() where so many objects end, one by the other. CPython puts off what would end by more than 50."""
    chain = _Ends(end)
    for _ in range(depth):
        chain = [chain]
