"""Tells which threads stand inside of a stock dispatcher's import of a handler, the one that runs its file left out."""

import json
import sys

from mod_python import apache


# None with the stock module.
core = sys.modules.get("_modpython_core")


def place(thread, innermost, handler):
    """Where such a thread stands: the same as long as it does not move."""
    # Our waits for a load have no frame.
    waits = core is not None and core.waits(thread)
    frame, dispatching = innermost, False
    while frame is not None:
        if frame.f_code.co_filename.endswith("/%s.py" % handler):
            return None
        # The dispatcher's own frame is innermost in a thread that is just about to import, or is done with it.
        if (waits or frame is not innermost) and frame.f_code.co_name == "HandlerDispatch":
            dispatching = dispatching or frame.f_locals.get("module_name") == handler
        frame = frame.f_back
    return "%s:%d" % (innermost.f_code.co_name, innermost.f_lasti) if dispatching else None


def handler(req):
    places = {thread: place(thread, frame, req.args) for thread, frame in sys._current_frames().items()}
    places = {thread: where for thread, where in places.items() if where}
    req.content_type = "application/json"
    req.write(json.dumps({"threads": len(places), "places": json.dumps(places, sort_keys=True)}))
    return apache.OK
