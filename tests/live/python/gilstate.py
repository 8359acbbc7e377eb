"""Whether PyGILState_* works in a request, nested requests included."""

import ctypes
import json

from mod_python import apache

api = ctypes.pythonapi


def handler(req):
    if req.uri.endswith("/nested"):
        before = api.PyGILState_Check()
        req.internal_redirect(req.uri[: -len("nested")] + "inner?outer=%d" % before)
        return apache.OK
    answer = {"check": api.PyGILState_Check(), "outer": req.args}
    if req.uri.endswith("/ensure"):
        # Where PyGILState_* does not know this thread's state, this waits for a GIL that this very thread holds.
        api.PyGILState_Release(api.PyGILState_Ensure())
        answer["ensured"] = True
    req.content_type = "application/json"
    req.write(json.dumps(answer))
    return apache.OK
