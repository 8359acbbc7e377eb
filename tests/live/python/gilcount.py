"""Tells how often the GIL has been taken so far, as counted by the preloaded library of the same name."""

import ctypes
import json

from mod_python import apache

counters = ctypes.CDLL(None)


def handler(req):
    taken = ctypes.c_ulong.in_dll(counters, "gilcount_taken").value
    req.content_type = "application/json"
    req.write(json.dumps({"taken": taken}))
    return apache.OK
