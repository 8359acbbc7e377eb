"""Handlers of the soak. Each answers what only the right request, module and thread can answer."""

import base64
import threading
import zlib

import _apache
from mod_python import apache

try:
    from mod_python import Session
except ImportError:
    # The look-alike has the locks alone.
    Session = None

# A reload runs this in the same globals: cleanups that were registered before it are counted on.
counts = globals().get("counts") or {"lock": threading.Lock(), "registered": 0, "ran": 0, "server": 0}
local = threading.local()


def handler(req):
    """A request finds nothing of an earlier one in its thread."""
    if hasattr(local, "args"):
        req.write("left over: %s" % local.args)
        return apache.OK
    local.args = req.args
    req.write("plain %s" % req.args)
    return apache.OK


def status(req):
    """A status that is no constant."""
    return int(req.args)


def raises(req):
    raise apache.SERVER_RETURN(int(req.args))


def fails(req):
    raise ValueError("a handler that fails, for the soak")


def step(req):
    """Each phase says in the request that it ran."""
    req.steps = getattr(req, "steps", "") + req.phase + " "
    return apache.OK


def answer(req):
    req.write(getattr(req, "steps", ""))
    return apache.OK


def adds(req):
    req.add_handler("PythonFixupHandler", "mix::step")
    return apache.OK


def nothing(req):
    return apache.OK


def cleanup(req):
    """Says how many cleanups have not run yet: no more than there are requests at work."""
    with counts["lock"]:
        counts["registered"] += 1
        first = not counts["server"]
        counts["server"] = 1
        pending = counts["registered"] - counts["ran"]
    if first:
        req.server.register_cleanup(req, ended)
    req.register_cleanup(cleaned, req.args)
    req.write("pending %d" % pending)
    return apache.OK


def cleaned(data):
    with counts["lock"]:
        counts["ran"] += 1


def ended(data):
    counts["server"] = 2


def session(req):
    """Counts the requests of one visitor."""
    if Session is None:
        _apache._global_lock(1)
        _apache._global_unlock(1)
        req.write("session")
        return apache.OK
    visit = Session.Session(req)
    visit["count"] = visit.get("count", 0) + 1
    visit.save()
    req.write("session %d" % visit["count"])
    return apache.OK


def authenticates(req):
    """Knows visitors whose password is their name backwards; without a phase of authentication it reads the header."""
    if hasattr(req, "get_basic_auth_pw"):
        password, name = req.get_basic_auth_pw(), req.user
    else:
        kind, _, words = req.headers_in.get("Authorization", "").partition(" ")
        name, _, password = base64.b64decode(words).decode("utf-8").partition(":")
    if not name or password != name[::-1]:
        return apache.HTTP_UNAUTHORIZED
    req.user = name
    return apache.OK


def member(req):
    req.write("member %s" % req.user)
    return apache.OK


def post(req):
    """How long the body is, and its checksum."""
    length, checksum = 0, 1
    while True:
        piece = req.read(65536)
        if not piece:
            break
        if not isinstance(piece, bytes):
            piece = piece.encode("utf-8")
        length, checksum = length + len(piece), zlib.adler32(piece, checksum)
    req.write("%d %d" % (length, checksum & 0xFFFFFFFF))
    return apache.OK


def big(req):
    """A long answer, of one digit."""
    for _ in range(64):
        req.write(req.args * 4096)
    return apache.OK


def upper(filter):
    """Writes strings that nobody keeps."""
    piece = filter.read()
    while piece:
        filter.write(piece.upper())
        piece = filter.read()
    if piece is None:
        filter.close()
