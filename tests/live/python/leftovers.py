"""Shows what the thread state still holds of the request before, then leaves something behind itself."""

import json
import sys
import threading

from mod_python import apache

local = threading.local()
if sys.version_info[0] >= 3:
    import contextvars

    context = contextvars.ContextVar("context", default=None)
else:
    # Python 2 has no context variables to report.
    context = None


def trace(frame, event, argument):
    return None


def handler(req):
    found = {
        "local": getattr(local, "user", None),
        "trace": sys.gettrace() is not None,
        "profile": sys.getprofile() is not None,
    }
    if context:
        found["context"] = context.get()
    req.content_type = "application/json"
    req.write(json.dumps(found))
    local.user = req.args
    if context:
        context.set(req.args)
    sys.settrace(trace)
    sys.setprofile(trace)
    return apache.OK
