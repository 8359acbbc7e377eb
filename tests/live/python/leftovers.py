"""Shows what the thread state still holds of the request before, then leaves something behind itself."""

import contextvars
import json
import sys
import threading

from mod_python import apache

local = threading.local()
context = contextvars.ContextVar("context", default=None)


def trace(frame, event, argument):
    return None


def handler(req):
    found = {
        "local": getattr(local, "user", None),
        "context": context.get(),
        "trace": sys.gettrace() is not None,
        "profile": sys.getprofile() is not None,
    }
    req.content_type = "application/json"
    req.write(json.dumps(found))
    local.user = context_value = req.args
    context.set(context_value)
    sys.settrace(trace)
    sys.setprofile(trace)
    return apache.OK
