"""Handlers of several phases: each says in the request that it ran."""

import sys

import notes
from mod_python import apache

loads = 0
loads += 1


def step(req):
    req.steps = getattr(req, "steps", "") + req.phase + " "
    return apache.OK


def answer(req):
    req.write(getattr(req, "steps", ""))
    return apache.OK


def adds(req):
    """Adds a handler to a later phase, in the directory of this one."""
    req.add_handler("PythonFixupHandler", "phases::step")
    return apache.OK


def adds_there(req):
    """The same with a directory."""
    req.add_handler("PythonFixupHandler", "phases::step", sys.path[0])
    return apache.OK


def where(req):
    """The name of this interpreter."""
    req.write(req.interpreter)
    return apache.OK


def imported(req):
    req.write("%s %d" % (req.interpreter, loads))
    return apache.OK


def connected(conn):
    """Leaves the connection to httpd."""
    notes.write("connected")
    return apache.DECLINED
