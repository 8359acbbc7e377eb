"""Handlers that each meet one defect of stock mod_python 3.1.x."""

import gc
import sys
import threading
import time

import nest
import notes
from mod_python import apache


def status(req):
    """A status that is no constant, and an object of its own."""
    return int(req.args)


def constant(req):
    """Returns a number that all of Python shares, and that others count up and down meanwhile, with the GIL held."""
    number = None
    for _ in range(2000):
        number = apache.DONE
        number = None
    return apache.DONE


def count(req):
    """Says how often the number is referred to."""
    req.write(str(sys.getrefcount(apache.DONE)))
    return apache.OK


def filtered(filter):
    """Leaves an object in the request. Of a file, which has no handler in Python, the filter is the last to know it."""
    filter.req.left = Leftover()
    nest.upper(filter)


def nothing(req):
    return apache.OK


def adds(req):
    """Adds a handler to a phase that no directive names."""
    req.add_handler("PythonLogHandler", "defects::added")
    return apache.OK


def added(req):
    notes.write("added")
    return apache.OK


class Leftover(object):
    alive = 0

    def __init__(self):
        Leftover.alive += 1

    def __del__(self):
        Leftover.alive -= 1


local = threading.local()


def leaves(req):
    """Leaves an object in the thread's state, and says how many of those there are. Asked by one client alone."""
    local.object = Leftover()
    req.write(str(Leftover.alive))
    return apache.OK


def registers(req):
    """Has a function called in this interpreter when the process ends."""
    req.server.register_cleanup(req, cleaned, req.interpreter)
    return apache.OK


def cleaned(wanted):
    # A function keeps the globals of its own interpreter wherever it is called. An import asks the current one.
    from mod_python import apache as current

    notes.write("cleaned", interpreter=current.interpreter, module=wanted)


def busy(req):
    """Holds the GIL nearly always, until somebody ends the process."""
    notes.write("busy")
    deadline = time.time() + 60
    while time.time() < deadline:
        pass
    return apache.OK


def collects(req):
    """Has the garbage collector run nearly always, until somebody ends the process."""
    notes.write("collects")
    deadline = time.time() + 60
    while time.time() < deadline:
        for _ in range(1000):
            circle = []
            circle.append({"circle": circle})
        gc.collect()
    return apache.OK
