"""Handlers that each meet a defect for which there is a remedy of its own."""

import os
import sys
import time

import _apache
import notes
from mod_python import apache

FLAG = "restarted"


def session(req):
    """Uses the lock of a session, if it is asked to only after a graceful restart of the server."""
    if req.args == "later":
        notes.write("waiting")
        deadline = time.time() + 30
        while not os.path.exists(os.path.join(os.environ["MODPYTHON_LIVE_NOTES"], FLAG)) and time.time() < deadline:
            time.sleep(0.02)
    _apache._global_lock(1)
    _apache._global_unlock(1)
    req.write("%d" % os.getpid())
    return apache.OK


def pairs(req):
    """How many references there are to a pair that has just been parsed, beside this function's."""
    found = _apache.parse_qsl("first=1&second=2")
    req.write("%s %s %d" % (found[0][1], found[1][1], sys.getrefcount(found[0]) - 2))
    return apache.OK


def entries(req):
    """How many entries sys.path has."""
    req.write("%d" % len(sys.path))
    return apache.OK


def numbered(filter):
    """Writes many strings that nobody keeps, and has their memory used again before they are sent."""
    while filter.read():
        pass
    for number in range(200):
        filter.write("%06d " % number * 8)
    [("-%05d " % number) * 8 for number in range(400)]
    filter.close()


def fields(req):
    """The fields of the query."""
    from mod_python import util
    form = util.FieldStorage(req)
    req.write(" ".join("%s=%s" % (field.name, field.value) for field in form.list))
    return apache.OK


def reads(req):
    req.read(1000000)
    return apache.OK


def late(req):
    try:
        body = req.read().decode("latin-1")
    except IOError:
        body = "nothing"
    req.set_content_length(len(body))
    req.write(body)
    return apache.OK


def numbers(req):
    """How many of so many new sessions have the number of another one."""
    from mod_python import Session
    made = [Session._new_sid(req) for _ in range(2000)]
    req.write("%d" % (len(made) - len(set(made))))
    return apache.OK


def application(environ, start_response):
    """For mod_python.wsgi."""
    start_response("404 Not Here", [("Content-Type", "text/plain")])
    return ["not here"]
