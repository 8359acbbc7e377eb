"""A request that leaves something in its thread in each phase, and says what it finds of the phases before."""

import threading

import notes
from mod_python import apache

local = threading.local()
try:
    import contextvars

    variable = contextvars.ContextVar("variable")
except ImportError:
    # Python 2 has thread-local data alone.
    contextvars = None


class Left(object):
    """The object that phases leave in a thread; counted."""

    alive = 0
    lock = threading.Lock()

    def __init__(self):
        self.phases = []
        with Left.lock:
            Left.alive += 1

    def __del__(self):
        with Left.lock:
            Left.alive -= 1


def visit(phase):
    """Notes the phase in the thread, and returns what was there before, of both kinds."""
    if not hasattr(local, "left"):
        local.left = Left()
    found = ",".join(local.left.phases)
    local.left.phases.append(phase)
    if contextvars:
        before = variable.get("")
        variable.set(before + "," + phase if before else phase)
        if before != found:
            return "local %s but context %s" % (found, before)
    return found


def access(req):
    visit(req.args + "-access")
    return apache.OK


def handler(req):
    req.register_cleanup(cleanup, req.args)
    req.write(visit(req.args + "-handler"))
    return apache.OK


def log(req):
    notes.write("journey", id=req.args, phase="log", found=visit(req.args + "-log"))
    return apache.OK


def at_end(req):
    """PythonCleanupHandler."""
    req.register_cleanup(last, req.args)
    notes.write("journey", id=req.args, phase="end", found=visit(req.args + "-end"))
    return apache.OK


def cleanup(number):
    notes.write("journey", id=number, phase="cleanup", found=visit(number + "-cleanup"))


def last(number):
    notes.write("journey", id=number, phase="last", found=visit(number + "-last"))


def missing(req):
    """Leaves the answer to the error document."""
    visit(req.args + "-missing")
    return apache.HTTP_NOT_FOUND


def error_page(req):
    """The same request, as httpd has redirected it."""
    name = local.left.phases[0].rsplit("-", 1)[0] if hasattr(local, "left") else "nobody"
    req.register_cleanup(cleanup, name)
    req.write(visit(name + "-error"))
    return apache.OK


def around(req):
    """Hands a request of its own over to the journey, in the middle of it."""
    name = req.args
    before = visit(name + "-around")
    req.internal_redirect("/journey/inner?%s-inner" % name)
    notes.write("journey", id=name, phase="around", found="%s %s" % (before, visit(name + "-around")))
    return apache.OK


def alive(req):
    """How many things that requests have left are alive."""
    req.write(str(Left.alive))
    return apache.OK


def counting(fltr):
    """An output filter that counts its own calls in a request."""
    if getattr(local, "request", None) is not fltr.req:
        local.request, local.calls = fltr.req, 0
    piece = fltr.read()
    while piece:
        local.calls += 1
        number = str(local.calls) + ":"
        fltr.write((number if isinstance(piece, str) else number.encode()) + piece)
        piece = fltr.read()
    if piece is None:
        fltr.close()


def in_pieces(req):
    for piece in ("a ", "b ", "c "):
        req.write(piece)
    return apache.OK


class Heir(object):
    """Leaves another one when it dies."""

    def __init__(self, lives):
        self.lives = lives

    def __del__(self):
        if self.lives:
            local.heir = Heir(self.lives - 1)


def heirs(req):
    req.write(str(getattr(local, "heir", None)))
    local.heir = Heir(int(req.args))
    return apache.OK
