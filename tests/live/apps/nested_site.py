"""Shows a request the traces of others: of the one before it in its thread, and of the one around it.

Every answer is that of a process that has just started, whatever was asked before.
"""

import contextvars
import decimal
import json
import os
import sys
import threading

from mod_python import apache

if "local" not in globals():
    # These stay when the file is loaded again.
    local = threading.local()
    name = contextvars.ContextVar("name", default=None)
    other = contextvars.ContextVar("other", default="unset")
    # mod_python's filter.write does not keep the string that it passes on.
    written = {}


# decimal is one C module for all interpreters, and so is its context variable, whose cache goes by the number of a
# thread state in its interpreter: two interpreters of one process mix up their contexts under any server.
counts = apache.interpreter != "other"


def look():
    """All that could be another request's."""
    # If nobody has imported asyncio, no loop runs; and the oracle's many processes start faster without it.
    asyncio = sys.modules.get("asyncio")
    return {
        "local": getattr(local, "name", None),
        "name": name.get(),
        "other": other.get(),
        "precision": decimal.getcontext().prec if counts else 28,
        "third": str(decimal.Decimal(1) / 3) if counts else None,
        "handled": repr(sys.exc_info()[1]),
        "trace": sys.gettrace() is not None,
        "profile": sys.getprofile() is not None,
        # Another application may be importing asyncio just now; then there is no loop in this thread either.
        "loop": getattr(asyncio, "_get_running_loop", lambda: None)() is not None,
        "depth": sys.get_coroutine_origin_tracking_depth(),
        "hooks": [hook is not None for hook in sys.get_asyncgen_hooks()],
    }


def noted(what, found, wanted):
    """Notes a difference in a file that has to stay empty, as no answer can tell it. A line is one write: none mix up."""
    line = "%s: %s, not %s\n" % (what, json.dumps(found), json.dumps(wanted))
    with open(os.path.join(os.environ["BED_NOTES"], "changed" if found != wanted else "same"), "a") as file:
        file.write(line if found != wanted else ".")


class Guard(object):
    """Ends with its thread's data, and is not done with context variables even then."""

    def __del__(self):
        name.set("at the end")
        other.get()
        if counts:
            str(decimal.Decimal(1) / 7)


def leave(user, precision):
    local.name = user
    local.guard = Guard()
    name.set(user)
    if counts:
        decimal.getcontext().prec = precision


def _trace(frame, event, argument):
    return None


def plain(req):
    """Looks, and leaves all kinds of things behind."""
    found = look()
    leave("plain " + req.args, 3)
    other.set("plain left")
    sys.set_coroutine_origin_tracking_depth(4)
    sys.set_asyncgen_hooks(_trace, _trace)
    sys.settrace(_trace)
    sys.setprofile(_trace)
    return answer(req, found)


def sets(req):
    """Sets one variable and reads others, of which it has set none."""
    before = [name.get(), other.get()]
    name.set("set " + req.args)
    return answer(req, [before, name.get(), other.get(), str(decimal.Decimal(2) / 3) if counts else None])


def answer(req, found):
    req.content_type = "application/json"
    text = json.dumps([req.args, found], sort_keys=True) + "\n"
    req.write(text)
    return apache.OK


def inner(req):
    """The request within, which leaves things behind too, and takes away what it finds."""
    found = look()
    if hasattr(local, "name"):
        del local.name
    leave("inner " + (req.args or ""), 5)
    try:
        raise ValueError("inner")
    except ValueError:
        return answer(req, found)


def _around(req, what, nested):
    """Runs something that asks for another request, with things set and an exception being handled."""
    first = look()
    leave("outer " + req.args, 7)
    try:
        raise KeyError("outer " + req.args)
    except KeyError:
        before = look()
        nested()
        after = look()
    noted(what, after, before)
    return first, before, after


def redirects(req):
    """/nested/redirects?TARGET: hands itself on."""
    found = _around(req, "redirect to " + req.args, lambda: req.internal_redirect(req.args))
    fresh = dict(found[0])
    if fresh["local"] is not None or fresh["name"] is not None or fresh["precision"] != 28:
        noted("before a redirect", fresh, "nothing")
    return apache.OK


def includes(req):
    """/nested/includes?TARGET: mod_include asks for the target in the midst of this one's writing."""

    def nested():
        req.content_type = "text/html"
        req.write('<!--#include virtual="%s" -->\n' % req.args)
        req.flush()

    first, before, after = _around(req, "include of " + req.args, nested)
    req.write(json.dumps([first, before, after], sort_keys=True) + "\n")
    return apache.OK


def filtered(req):
    """A filter in Python looks while this one writes."""

    def nested():
        req.content_type = "text/plain"
        for number in range(3):
            req.write("line %d of %s\n" % (number, req.args))
            req.flush()

    first, before, after = _around(req, "filter around " + req.args, nested)
    req.write(json.dumps([first, before, after], sort_keys=True) + "\n")
    return apache.OK


def watch(filter):
    """The filter: adds to the first line what it sees, and leaves things behind with each piece."""
    piece = filter.read()
    while piece:
        text = piece if isinstance(piece, str) else piece.decode()
        if text.startswith("line 0"):
            text += json.dumps(look(), sort_keys=True) + "\n"
        leave("filter", 9)
        filter.write(written.setdefault(text, text))
        piece = filter.read()
    if piece is None:
        filter.close()
    else:
        filter.flush()
